"""Labels by the shape of curves, own tasks' names included; causes by comparison with neighbours."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import satisfice
from satisfice.spec.study import StudySpec
from satisfice.spec.study_file.parse import parse_dict
from satisfice.spec.trial import TrialRecord, TrialState
from satisfice.understand.diagnosis import counts, diagnose
from satisfice.understand.training.labels import LABELS, Diagnosis

N = 30
FALLING = [0.1 + 0.9 * math.exp(-0.35 * i) for i in range(N)]
FLAT = [1.0 - 0.001 * i for i in range(N)]


def spec_of(epochs: int | None = N, metric: str = "accuracy") -> StudySpec:
    budget = {"trials": 50} | ({} if epochs is None else {"epochs": epochs})
    space = {"learning_rate": {"low": 1e-6, "high": 1.0, "log": True}, "dropout": {"low": 0.0, "high": 0.9}}
    content = {"name": "s", "objectives": {metric: "maximize"}, "space": space, "budget": budget}
    return parse_dict(content, has_task=True)


def record(
    number: int,
    valid: Sequence[float],
    train: Sequence[float] | None = None,
    *,
    names: tuple[str, str] = ("validation_loss", "train_loss"),
    state: TrialState = TrialState.COMPLETE,
    reason: str | None = None,
    guess: bool = True,
    **params: Any,
) -> TrialRecord:
    reports: dict[int, dict[str, float]] = {}
    for i, v in enumerate(valid):
        reports[i + 1] = {names[0]: v} | ({} if train is None else {names[1]: train[i]})
    if guess and reports:
        reports[1]["guess_loss"] = 1.0
    values = {"learning_rate": 0.01, "dropout": 0.2, **params}
    return TrialRecord(
        number=number, state=state, params=values, reports=reports, steps=len(valid), reason=reason
    )


def labels(found: Sequence[Diagnosis], number: int) -> set[str]:
    return {f.label for d in found if d.number == number for f in d.labels}


GOOD = record(0, FALLING, [v - 0.03 for v in FALLING])


def beside_good(valid: Sequence[float], train: Sequence[float] | None = None, **given: Any) -> Diagnosis:
    trial = record(1, valid, train, **given)
    return diagnose([GOOD, trial], spec_of(), numbers=[1])[0]


def test_a_curve_that_falls_and_stays_is_healthy() -> None:
    found = diagnose([GOOD], spec_of())
    assert labels(found, 0) == {"healthy"}
    assert found[0].labels[0].steps == (1, N)


@pytest.mark.parametrize("bad", [math.nan, math.inf, 80.0])
def test_a_loss_that_is_no_number_or_explodes(bad: float) -> None:
    found = beside_good([*FALLING[:5], bad], [*FALLING[:5], bad], learning_rate=0.9)
    (f,) = found.labels
    assert f.label == "diverged"
    assert f.params == ("learning_rate",)
    assert "learning_rate is 0.9 (better trials have 0.01)" in f.evidence


def test_one_that_a_family_gave_up_as_diverged() -> None:
    given: dict[str, Any] = {
        "state": TrialState.PRUNED,
        "reason": "diverged: the training loss is NaN in epoch 3 (lower it)",
    }
    assert (
        beside_good(FALLING[:2], FALLING[:2], **given)
        .labels[0]
        .evidence.startswith("the training loss is NaN in epoch 3")
    )
    assert beside_good([], **given).labels[0].label == "diverged"


def test_a_training_loss_that_rises_again_and_again() -> None:
    curve = [0.5 + 0.2 * (-1) ** i for i in range(N)]
    (f,) = beside_good(curve, curve, learning_rate=0.5).labels
    assert (f.label, f.params) == ("oscillating", ("learning_rate",))


def test_the_gap_opens() -> None:
    valid = [0.4 + 0.01 * i for i in range(N)]
    train = [0.4 * math.exp(-0.2 * i) for i in range(N)]
    (f,) = beside_good(valid, train, dropout=0.0).labels
    assert (f.label, f.steps) == ("overfitting", (1, N))
    assert f.params == ("dropout",)
    assert "dropout is 0 (better trials have 0.2)" in f.evidence


def test_steps_that_are_too_small() -> None:
    (f,) = beside_good(FLAT, FLAT, learning_rate=1e-5).labels
    assert (f.label, f.params) == ("no_progress", ("learning_rate",))


def test_penalties_that_are_too_strong() -> None:
    (f,) = beside_good([0.7] * N, [0.7] * N, dropout=0.8).labels
    assert (f.label, f.params) == ("over_regularised", ("dropout",))


def test_the_end_of_the_epochs_and_of_the_patience() -> None:
    assert labels(diagnose([record(0, FALLING[:6], FALLING[:6])], spec_of(epochs=6)), 0) == {
        "stopped_early",
        "budget_limited",
    }
    assert labels(diagnose([record(0, FALLING[:6], FALLING[:6])], spec_of()), 0) == {"stopped_early"}


def test_a_neighbour_shows_what_was_missed() -> None:
    """It ends on a plateau, where the one that goes on was no better and got better later."""
    plateau = [1.0, 0.6, *[0.5 - 0.001 * i for i in range(8)]]
    long = record(0, [*plateau, *[0.5 - 0.04 * i for i in range(1, 11)]])
    found = diagnose([long, record(1, plateau[:7])], spec_of())
    assert labels(found, 1) == {"stopped_early"}
    assert "trial 0 has 0.4" in found[1].labels[0].evidence


def test_too_little_capacity() -> None:
    low = [max(v, 0.45) for v in FALLING]
    (f,) = beside_good(low, low).labels
    assert f.label == "underfitting"


def test_what_a_pruner_stopped_is_compared_at_its_own_step() -> None:
    assert labels([beside_good(FALLING[:3], FALLING[:3], state=TrialState.PRUNED)], 1) == {"healthy"}
    slow: dict[str, Any] = {"state": TrialState.PRUNED, "learning_rate": 1e-5}
    assert labels([beside_good(FLAT[:8], FLAT[:8], **slow)], 1) == {"no_progress"}


@pytest.mark.parametrize(
    ("names", "score"),
    [
        (("val_loss", "loss/train"), False),
        (("eval_loss", "training_loss"), False),
        (("accuracy", "train_accuracy"), True),
        (("val/acc", "train/acc"), True),
    ],
)
def test_own_tasks_are_read_by_their_names(names: tuple[str, str], score: bool) -> None:
    valid = [0.4 + 0.012 * i for i in range(N)]
    train = [0.4 * math.exp(-0.3 * i) for i in range(N)]
    curves = [(FALLING, FALLING), (valid, train)]
    records = [
        record(
            n,
            [1 - x if score else x for x in v],
            [1 - x if score else x for x in t],
            names=names,
            guess=False,
        )
        for n, (v, t) in enumerate(curves)
    ]
    found = diagnose(records, spec_of())
    assert labels(found, 0) == {"healthy"}
    assert labels(found, 1) == {"overfitting"}


def test_one_that_reports_nothing_has_no_label() -> None:
    found = diagnose([record(0, [])], spec_of())
    assert [d.labels for d in found] == [[]]
    assert counts(found) == {}


curve = st.lists(
    st.one_of(st.floats(0, 3), st.sampled_from([math.nan, math.inf, -math.inf, -2.0, 1e300])), max_size=12
)


@given(st.lists(st.tuples(curve, curve, st.sampled_from(list(TrialState))), min_size=1, max_size=5))
def test_every_curve_gets_known_labels(drawn: list[Any]) -> None:
    records = []
    for n, (valid, train, state) in enumerate(drawn):
        size = min(len(valid), len(train))
        records.append(record(n, valid[:size], train[:size], state=state))
    found = diagnose(records, spec_of())
    assert [d.number for d in found] == [r.number for r in records if r.state != TrialState.WAITING]
    for d in found:
        assert {f.label for f in d.labels} <= set(LABELS)
        assert all(f.evidence for f in d.labels)
        assert len({"healthy"} & {f.label for f in d.labels}) == 0 or len(d.labels) == 1


def test_of_one_trial_is_as_of_all() -> None:
    rng = np.random.default_rng(0)
    records = [record(n, list(rng.uniform(0, 1, 9)), list(rng.uniform(0, 1, 9))) for n in range(6)]
    every = diagnose(records, spec_of())
    assert [diagnose(records, spec_of(), numbers=[n])[0] for n in range(6)] == every


@pytest.fixture(scope="module")
def study() -> satisfice.Study:
    """A small search of networks, with one learning rate that explodes or stands still."""
    made = satisfice.create_study(
        {
            "name": "faults",
            "data": {"name": "wine"},
            "model": {"family": "mlp", "width": 16, "patience": 0},
            "objectives": {"accuracy": "maximize"},
            "space": {"learning_rate": {"low": 1e-6, "high": 1e-1, "log": True}},
            "budget": {"trials": 4, "epochs": 12},
            "search": {"pruner": "none", "start": [{"learning_rate": 0.02}, {"learning_rate": 1e-6}]},
            "measure": {"runtime": "torch"},
            "ship": {"format": "safetensors"},
        }
    )
    made.optimize()
    return made


def by_rate(study: satisfice.Study, rate: float) -> int:
    return next(r.number for r in study.records() if r.params["learning_rate"] == rate)


def test_a_real_study(study: satisfice.Study) -> None:
    found = study.diagnose()
    assert [d.number for d in found] == [0, 1, 2, 3]
    slow = by_rate(study, 1e-6)
    assert [x["label"] for x in found[slow]["labels"]] == ["no_progress"]
    assert found[slow].labels[0].params == ["learning_rate"]
    assert study.diagnose(slow) == [found[slow]]
    told: Mapping[str, int] = study.status()["diagnosis"]
    assert sum(told.values()) == sum(len(d.labels) for d in found)
    with pytest.raises(satisfice.errors.InputError, match="has no trial 9"):
        study.diagnose(9)


def test_the_journal_tells_all_of_it(study: satisfice.Study) -> None:
    text = study.journal()
    for title in ("What was asked", "What was tried", "What was chosen", "Data", "How the trainings went"):
        assert f"\n## {title}\n" in text
    assert "no progress: trial" in text
    assert 'name = "faults"' in text
    assert "## Proof" not in text  # nothing was confirmed
    study.confirm()
    assert "on the test split, scored once: accuracy" in study.journal()
