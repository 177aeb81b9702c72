"""Trees in our arrays against scikit-learn's own predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from satisfice.train import make_task as make_any_task
from satisfice.train.trees.ensemble import RawTrees, pack, round_down
from satisfice.train.trees.task import stages

make_task: Any = make_any_task  # its families' own methods are under test


@pytest.mark.parametrize("data", ["titanic", "wine", "diabetes", "digits"])
@pytest.mark.parametrize(
    ("family", "values"),
    [
        ("forest", {"trees": 5}),
        ("forest", {"trees": 3, "max_leaves": 6}),
        ("forest", {"trees": 2, "ccp_alpha": 1e9}),
        ("boosting", {"rounds": 4}),
        ("boosting", {"rounds": 3, "max_depth": 1}),
        ("boosting", {"rounds": 2, "min_samples_leaf": 1_000_000}),
    ],
)
def test_predictions_are_those_of_scikit_learn(
    family: Any, values: Any, data: Any, make_spec: Any, new_trial: Any
) -> None:
    task = make_task(make_spec(family, data))
    merged = task.values(values)
    *_, last = task.grow(
        merged, new_trial(), [merged[task.count]], task.splits.train.x.reshape(len(task.splits.train), -1)
    )
    x = task.splits.valid.x
    assert last.pack()(x) == pytest.approx(last.prediction, rel=1e-5, abs=1e-6)


@settings(deadline=None)
@given(
    arrays(np.float64, 5, elements=st.floats(-(2.0**100), 2.0**100)),
    st.floats(-(2.0**100), 2.0**100, width=32),
)
def test_rounding_a_threshold_moves_no_item_across(thresholds: Any, x: Any) -> None:
    near = round_down(thresholds)
    assert near.dtype == np.float32
    assert ((np.float32(x) <= near) == (x <= thresholds)).all()


@st.composite
def raw_trees(draw: Any) -> Any:
    """One to three binary trees with their nodes in any order."""
    trees = []
    for _ in range(draw(st.integers(1, 3))):
        left, right = [-1], [-1]
        for _ in range(draw(st.integers(0, 12))):
            leaf = draw(st.sampled_from([i for i, child in enumerate(left) if child < 0]))
            left[leaf], right[leaf] = len(left), len(left) + 1
            left += [-1, -1]
            right += [-1, -1]
        trees.append((left, right))
    offsets = np.cumsum([0, *(len(left) for left, _ in trees)])
    n = offsets[-1]
    rng = np.random.default_rng(draw(st.integers(0, 1000)))

    def shift(children: list[int], at: int) -> list[int]:
        return [c if c < 0 else c + at for c in children]

    return RawTrees(
        left=np.concatenate([shift(left, at) for (left, _), at in zip(trees, offsets, strict=False)]).astype(
            np.int64
        ),
        right=np.concatenate([shift(r, at) for (_, r), at in zip(trees, offsets, strict=False)]).astype(
            np.int64
        ),
        feature=rng.integers(0, 3, n),
        threshold=rng.normal(size=n),
        value=rng.normal(size=(n, 2)),
        roots=offsets[:-1].astype(np.int64),
    )


@settings(deadline=None, max_examples=50)
@given(raw_trees(), st.integers(0, 100))
def test_preorder_keeps_every_decision(raw: Any, seed: Any) -> Any:
    x = np.random.default_rng(seed).normal(size=(4, 3)).astype(np.float32)
    ensemble = pack(raw, d=3, base=np.zeros(1), boosted=False, classify=True)

    def leaf_value(row: Any, node: Any) -> Any:
        while raw.left[node] >= 0:
            goes_left = row[raw.feature[node]] <= raw.threshold[node]
            node = raw.left[node] if goes_left else raw.right[node]
        return raw.value[node]

    expected = [np.mean([leaf_value(row, root) for root in raw.roots], axis=0) for row in x]
    assert ensemble(x) == pytest.approx(np.array(expected), rel=1e-5, abs=1e-6)
    inner = np.flatnonzero(ensemble.feature >= 0)
    assert (
        ensemble.jump[inner] > inner + 1
    ).all()  # the left child comes next, the right one after its subtree


def test_patience_goes_back_to_the_best_stage(make_spec: Any, new_trial: Any) -> None:
    task = make_task(make_spec("boosting", "diabetes", "rmse", rounds=400, patience=40, learning_rate=0.5))
    trial = new_trial(max_epochs=40)
    metrics = task.train({}, trial)
    seen = [m["rmse"] for _, m in trial.reports]
    assert len(seen) < 40
    assert metrics["rmse"] == pytest.approx(min(seen), rel=1e-5)


@settings(deadline=None)
@given(st.integers(1, 500), st.integers(1, 60))
def test_stages_end_at_the_count_and_never_repeat(count: Any, most: Any) -> None:
    found = stages(count, most)
    assert len(found) == min(count, most)
    assert found[-1] == count
    assert found == sorted(set(found))
    assert found[0] >= 1
