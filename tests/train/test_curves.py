"""The losses that a training is judged by: of one kind, of fixed rows, and without effect on the training."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import log_loss

import satisfice
from satisfice.spec.metric import CURVES
from satisfice.train import make_task as make_any_task
from satisfice.train.curves import CurveLosses

make_task: Any = make_any_task  # its families' own methods are under test
FAMILIES: dict[str, dict[str, Any]] = {
    "mlp": {"dropout": 0.5, "l2": 0.1, "class_weight": "balanced"},
    "boosting": {"rounds": 4, "class_weight": "balanced"},
    "forest": {"trees": 4},
    "linear": {"class_weight": "balanced"},
}


def trained(family: str, data: str, make_spec: Any, new_trial: Any, **values: Any) -> tuple[Any, Any]:
    """The task, and the trial with what was reported."""
    task, trial = make_task(make_spec(family, data)), new_trial(max_epochs=2)
    task.train(values, trial)
    return task, trial


@pytest.mark.parametrize("data", ["titanic", "wine", "diabetes"])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_epoch_has_losses_of_training_and_validation_rows(
    family: str, data: str, make_spec: Any, new_trial: Any
) -> None:
    values = {k: v for k, v in FAMILIES[family].items() if data != "diabetes" or k != "class_weight"}
    _, trial = trained(family, data, make_spec, new_trial, **values)
    for step, metrics in trial.reports:
        assert math.isfinite(metrics["train_loss"])
        assert math.isfinite(metrics["validation_loss"])
        assert ("guess_loss" in metrics) == (step == 1)
        if data != "diabetes":
            assert metrics["validation_loss"] == pytest.approx(metrics["log_loss"], rel=1e-5)


def test_the_training_loss_is_that_of_the_model_in_evaluation_mode(
    make_spec: Any, new_trial: Any, tmp_path: Path
) -> None:
    """Wine has 107 training rows: the sample is all of them, and the last epoch's model is the best one's."""
    task = make_task(make_spec("mlp", "wine", patience=0, dropout=0.6, class_weight="balanced", l2=0.01))
    trial = new_trial(max_epochs=1)
    task.train({}, trial)
    ((_, metrics),) = trial.reports
    model = task.load_model({}, trial.shipped(task, tmp_path))
    train = task.splits.train
    said = log_loss(train.y, model.outputs(train.x), labels=range(3))
    assert metrics["train_loss"] == pytest.approx(said, rel=1e-5)
    assert metrics["train_loss"] < metrics["batch_loss"]  # no dropout


def test_a_guess_knows_the_frequencies_alone(make_spec: Any) -> None:
    splits = make_task(make_spec("linear", "titanic")).splits
    share = splits.train.y.mean()
    said = log_loss(splits.valid.y, np.full(len(splits.valid), share))
    assert CurveLosses(splits).guess["guess_loss"] == pytest.approx(said, rel=1e-5)
    numbers = make_task(make_spec("linear", "diabetes")).splits
    assert CurveLosses(numbers).guess["guess_loss"] == pytest.approx(
        float((numbers.valid.z**2).mean()), rel=1e-5
    )


def test_the_sample_is_the_same_for_every_trial_and_small(make_spec: Any) -> None:
    splits = make_task(make_spec("linear", "digits")).splits
    rows = CurveLosses(splits).rows
    assert rows.tolist() == CurveLosses(splits).rows.tolist()
    assert len(set(rows.tolist())) == len(rows) == 256


def test_curves_are_reports_and_no_metrics_of_the_trial() -> None:
    study = satisfice.create_study(
        {
            "name": "curves",
            "data": {"name": "wine"},
            "model": {"family": "mlp", "hidden_layers": 0},
            "objectives": {"accuracy": "maximize"},
            "space": {"learning_rate": {"low": 1e-3, "high": 1e-1, "log": True}},
            "budget": {"trials": 2, "epochs": 2},
        }
    )
    study.optimize()
    for record in study.records(with_reports=True):
        assert not CURVES.keys() & record.metrics.keys()
        assert CURVES.keys() == record.reports[1].keys() & CURVES.keys()


def test_a_metric_of_ones_own_may_be_called_as_a_curve() -> None:
    class Task:
        def train(self, params: Any, trial: Any) -> dict[str, float]:
            trial.report(1, {"train_loss": 0.5})
            return {"accuracy": 1.0}

    study = satisfice.create_study(
        {
            "name": "own",
            "objectives": {"accuracy": "maximize"},
            "space": {"x": {"low": 0.0, "high": 1.0}},
            "budget": {"trials": 1},
        },
        task=Task(),
    )
    study.optimize()
    assert study.records()[0].metrics["train_loss"] == 0.5
