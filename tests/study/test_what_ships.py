"""A study whose file is ONNX: precision and threshold are searched, and what was judged is what is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import satisfice
from satisfice.errors import NoFeasibleTrial, SpecError
from satisfice.ship.onnx_file import feeds

LEARNING_RATE = {"low": 1e-3, "high": 3e-2, "log": True}


def study(**changes: Any) -> satisfice.Study:
    content = {
        "name": "file",
        "data": {"name": "breast_cancer"},
        "model": {"family": "mlp", "hidden_layers": 1},
        "objectives": {"accuracy": "maximize"},
        "space": {"learning_rate": LEARNING_RATE, "width": {"low": 4, "high": 32}},
        "budget": {"trials": 4, "epochs": 4},
        "search": {"pruner": "none"},
    }
    return satisfice.create_study(content | changes)


def rare_table(path: Path, n: int = 1500) -> None:
    """About 12% positives, which a threshold of one half hardly ever answers."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(n, 4))
    positive = draw.random(n) < 1 / (1 + np.exp(-(1.3 * x[:, 0] + x[:, 1] * x[:, 2] - 2.6)))
    rows = [
        ",".join([*(f"{a:.5f}" for a in row), "yes" if p else "no"])
        for row, p in zip(x, positive, strict=True)
    ]
    path.write_text("\n".join(["a,b,c,d,ill", *rows]) + "\n")


def rare_study(folder: Path, **model: Any) -> satisfice.Study:
    rare_table(folder / "rare.csv")
    return study(
        data={"file": str(folder / "rare.csv"), "target": "ill", "positive": "yes"},
        model={"family": "mlp", "hidden_layers": 1, **model},
        objectives={"size_bytes": "minimize"},
        constraints={"recall": ">= 0.6", "precision": ">= 0.2"},
        space={"width": [2, 4, 8, 16, 32], "learning_rate": LEARNING_RATE},
        budget={"trials": 8, "epochs": 6},
        search={"sampler": "random", "pruner": "none"},
    )


def test_size_latency_and_scores_are_those_of_the_kept_file() -> None:
    made = study(space={"compression": ["none", "fp16", "int8", "int4", "int8_static"], "width": [8, 24]})
    made.optimize()
    task: Any = made._opened.task
    seen = set()
    for record in made.records():
        kept = made.model_file(record.number)
        assert kept.suffix == ".onnx"
        assert record.metrics["size_bytes"] == kept.stat().st_size
        assert made._session.evaluator.exact(record.params)["size_bytes"] == kept.stat().st_size
        session = onnxruntime.InferenceSession(kept.read_bytes(), providers=["CPUExecutionProvider"])
        header = made.load_model(record.number).header
        labels = session.run(["label"], feeds(header, task.splits.raw_valid.items))[0]
        truth = np.array(task.splits.classes)[task.splits.valid.y]
        assert record.metrics["accuracy"] == pytest.approx((labels == truth).mean(), abs=1e-12)
        seen.add(record.params["compression"])
    assert len(seen) > 1


def test_equal_networks_in_two_precisions_are_two_architectures() -> None:
    made = study(space={"compression": ["none", "int8"]}, constraints={"latency_ms": "<= 50"})
    key = made._session.evaluator.architecture
    assert key({"compression": "none"}) != key({"compression": "int8"})
    assert key({"compression": "int8"}) == key({"compression": "int8"})


def test_a_fitted_threshold_meets_a_bound_that_one_half_misses(tmp_path: Path) -> None:
    even = rare_study(tmp_path)
    even.optimize()
    with pytest.raises(
        NoFeasibleTrial, match=r'recall and precision depend .* threshold = "auto" under \[model\]'
    ):
        even.best()

    fitted = rare_study(tmp_path, threshold="auto")
    fitted.optimize()
    best = fitted.best()
    assert best.metrics["recall"] >= 0.6
    assert best.metrics["precision"] >= 0.2
    assert 0 < best.metrics["decision_threshold"] < 0.5
    assert set(fitted.confirm().test) >= {"recall", "precision"}
    # No smaller network that was trained reaches the bounds at any threshold.
    task: Any = fitted._opened.task
    truth = task.splits.valid.y == 1
    for record in fitted.records():
        if record.metrics["size_bytes"] >= best.metrics["size_bytes"]:
            continue
        proba = fitted.load_model(record.number).outputs(task.splits.valid.x)[:, 1]
        for cut in np.unique(proba):
            answered = proba >= cut
            hits = (answered & truth).sum()
            assert hits < 0.6 * truth.sum() or hits < 0.2 * answered.sum()


def test_a_threshold_that_is_searched_decides(tmp_path: Path) -> None:
    rare_table(tmp_path / "rare.csv")
    made = study(
        data={"file": str(tmp_path / "rare.csv"), "target": "ill", "positive": "yes"},
        objectives={"f1": "maximize"},
        model={"family": "linear"},
        space={"threshold": {"low": 0.05, "high": 0.5}},
    )
    made.optimize()
    recalls = sorted((r.params["threshold"], r.metrics["recall"]) for r in made.records())
    assert [recall for _, recall in recalls] == sorted((recall for _, recall in recalls), reverse=True)
    assert recalls[0][1] > recalls[-1][1]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data": {"name": "wine"}, "model": {"family": "mlp", "threshold": "auto"}}, "data has 3 classes"),
        ({"data": {"name": "wine"}, "space": {"threshold": [0.1, 0.2]}}, "data has 3 classes"),
        (
            {"ship": {"format": "safetensors"}, "model": {"family": "mlp", "compression": "int8"}},
            "needs a file",
        ),
        (
            {"ship": {"format": "safetensors"}, "space": {"threshold": [0.1, 0.2]}},
            "needs a file that is ONNX",
        ),
        ({"model": {"family": "boosting", "compression": "int4"}}, "'int4' is none of 'none'"),
        ({"model": {"family": "mlp", "threshold": "best"}}, "'best' is not a number and not 'auto'"),
        (
            {"ship": {"format": "safetensors"}, "measure": {"runtime": "onnxruntime"}},
            "a file that is not ONNX",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        study(**changes)


def test_own_code_is_not_told_to_be_onnx() -> None:
    content = {
        "name": "own",
        "objectives": {"score": "maximize"},
        "space": {"a": {"low": 0.0, "high": 1.0}},
        "budget": {"trials": 1},
        "ship": {"format": "onnx"},
    }
    with pytest.raises(SpecError, match="own training code cannot be written as ONNX"):
        satisfice.create_study(content, task=lambda trial: trial.suggest_float("a", 0, 1))
