"""Cross-validation of one configuration: which rows train what, what ships, what a checkpoint brings back."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from satisfice.errors import SpecError
from satisfice.spec.study import DataSpec, StudySpec
from satisfice.spec.trial import fold_scores
from satisfice.train.catalog import TRAINERS
from satisfice.train.folds.cross_validation import summary
from satisfice.train.folds.fold_trial import FoldTrial
from satisfice.train.folds.validated import validate

K = 3
SMALL: dict[str, dict[str, Any]] = {
    "linear": {"alpha": 0.01},
    "forest": {"trees": 5, "max_depth": 3},
    "boosting": {"rounds": 12, "max_leaves": 4, "patience": 3},
    "mlp": {"hidden_layers": 1, "width": 6, "learning_rate": 0.05},
}
EPOCHS = 3
Make = Callable[..., StudySpec]


def task_of(make_spec: Make, family: str, data: str = "wine", **keys: Any) -> Any:
    data_spec = DataSpec(name=data, folds=K)
    return TRAINERS.get(family).make_task(make_spec(family, data_spec, **keys))


def epochs_of_a_trial() -> int:
    return EPOCHS * (K + 1)


@pytest.fixture(scope="module", params=SMALL)
def trained(request: pytest.FixtureRequest, make_spec: Make, new_trial: Any) -> tuple[str, Any, Any, Any]:
    """Family, task, trial and metrics."""
    task = task_of(make_spec, request.param, ship="onnx")
    trial = new_trial(max_epochs=epochs_of_a_trial())
    return request.param, task, trial, task.train(SMALL[request.param], trial)


def test_steps_are_folds_and_scores_are_means_with_standard_errors(trained: Any) -> None:
    _, _, trial, metrics = trained
    assert [step for step, _ in trial.reports] == [1, 2, 3]
    by_fold = fold_scores(dict(trial.reports))
    for name in ("accuracy", "log_loss", "generalization_gap"):
        values = np.array(by_fold[name])
        assert metrics[name] == pytest.approx(values.mean())
        assert metrics[f"{name}.se"] == pytest.approx(values.std(ddof=1) / np.sqrt(K))
        for step, told in trial.reports:
            assert told[name] == pytest.approx(values[:step].mean())
    assert "size_bytes.se" not in metrics


def test_the_file_is_that_of_a_model_of_all_rows(trained: Any, tmp_path: Path) -> None:
    """Its preprocessing is that of the rows of all folds; size and promises are of these bytes."""
    family, task, trial, metrics = trained
    assert trial.model is not None
    assert metrics["size_bytes"] == len(trial.model)
    if family != "forest" and family != "boosting":
        assert task.profile(SMALL[family])["size_bytes"] == len(trial.model)
    model = task.load_model(SMALL[family], trial.shipped(task, tmp_path))
    assert task.score_test(SMALL[family], model)["accuracy"] > 0.5
    folds = [task.on_fold(k).splits for k in range(K)]
    assert sum(len(fold.valid) for fold in folds) == len(task.splits.train)
    assert task.splits.valid is task.splits.train


def test_it_is_the_same_again(trained: Any, new_trial: Any) -> None:
    family, task, trial, _ = trained
    again = new_trial(max_epochs=epochs_of_a_trial())
    task.train(SMALL[family], again)
    assert again.reports == trial.reports
    assert again.model == trial.model


@pytest.mark.parametrize("fold", [2, 3])
def test_who_takes_over_goes_on_at_the_fold(
    fold: int, trained: Any, new_trial: Any, killed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker dies as the fold ends, before it is reported; that fold and what follows are trained."""
    family, task, whole, metrics = trained
    trial = new_trial(max_epochs=epochs_of_a_trial(), die_at=fold)
    with pytest.raises(killed):
        task.train(SMALL[family], trial)
    trial.die_at = None
    begun: list[int] = []
    learn = type(task).learn

    def counted(self: Any, params: Any, inner: FoldTrial, length: int | None = None) -> Any:
        begun.append(len(self.splits.train))
        return learn(self, params, inner, length)

    monkeypatch.setattr(type(task), "learn", counted)
    found = task.train(SMALL[family], trial)
    assert len(begun) == K - fold + 2
    assert begun[-1] == len(task.splits.train)
    assert trial.reports == whole.reports
    assert trial.model == whole.model
    timed = {"train_seconds", "train_memory_bytes", "train_memory_mb"}
    assert {n: v for n, v in found.items() if n not in timed} == {
        n: v for n, v in metrics.items() if n not in timed
    }


def test_a_stopped_trial_has_no_scores_and_no_model(trained: Any, new_trial: Any) -> None:
    family, task, _, _ = trained
    trial = new_trial(max_epochs=epochs_of_a_trial(), prune_at=1)
    metrics = task.train(SMALL[family], trial)
    assert [step for step, _ in trial.reports] == [1]
    assert set(metrics) <= {"train_memory_bytes", "train_memory_mb", "n_features"}
    assert trial.model is None


def test_a_network_goes_on_within_its_fold(make_spec: Make, new_trial: Any, killed: Any) -> None:
    """It saves its state each epoch; killed in the second fold, it repeats no epoch and ends bit for bit."""
    task = task_of(make_spec, "mlp", ship="onnx")
    for k in range(K):
        task.on_fold(k).checkpoint_seconds = 0.0
    whole = new_trial(max_epochs=epochs_of_a_trial())
    task.train(SMALL["mlp"], whole)
    trial, batches = new_trial(max_epochs=epochs_of_a_trial()), whole.batches

    class Mortal(type(trial)):  # type: ignore[misc]  # a class that a fixture gives
        def batch_end(self) -> None:
            super().batch_end()
            if self.batches == batches // 3:
                raise killed

    mortal = Mortal(max_epochs=epochs_of_a_trial())
    with pytest.raises(killed):
        task.train(SMALL["mlp"], mortal)
    assert len(mortal.reports) < K
    task.train(SMALL["mlp"], mortal)
    assert dict(mortal.reports) == dict(whole.reports)
    assert mortal.model == whole.model
    assert mortal.batches < 2 * batches - K


def test_the_refit_trains_for_the_median_of_the_best_epochs(
    make_spec: Make, new_trial: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for family in ("mlp", "boosting"):
        task = task_of(make_spec, family)
        lengths: list[tuple[int | None, int | None]] = []
        learn = type(task).learn

        def watched(
            self: Any,
            params: Any,
            inner: Any,
            length: int | None = None,
            *,
            learn: Any = learn,
            to: Any = lengths,
        ) -> Any:
            found = learn(self, params, inner, length)
            to.append((length, found.length))
            return found

        monkeypatch.setattr(type(task), "learn", watched)
        task.train(SMALL[family], new_trial(max_epochs=epochs_of_a_trial()))
        best = [length for _, length in lengths[:K] if length is not None]
        assert all(given is None for given, _ in lengths[:K])
        assert lengths[K] == (round(float(np.median(best))), round(float(np.median(best))))


@pytest.mark.parametrize("length", [1, 2, 5, 6])
def test_exactly_so_many_epochs_with_a_cut(length: int, make_spec: Make, new_trial: Any) -> None:
    task: Any = TRAINERS.get("mlp").make_task(make_spec("mlp", "wine", prune=0.5, patience=1))
    trial = new_trial(max_epochs=6)
    found = task.learn({**SMALL["mlp"], "prune": 0.5, "patience": 1}, trial, length)
    assert found.length == length
    assert len(trial.reports) == length
    assert task.arrays(found.core)


def test_the_threshold_is_fitted_to_answers_out_of_fold(make_spec: Make, new_trial: Any) -> None:
    task = task_of(make_spec, "linear", "breast_cancer", objective="f1", ship="onnx", threshold="auto")
    trial = new_trial(max_epochs=None)
    metrics = task.train({"alpha": 0.5}, trial)
    threshold = metrics["decision_threshold"]
    proba, y = [], []
    for k in range(K):
        part = task.on_fold(k)
        found = part.learn({"alpha": 0.5}, FoldTrial(new_trial(), k, K + 1, None, lambda state: None))
        outputs = validate(part, {"alpha": 0.5}, found).outputs
        assert outputs is not None
        proba.append(outputs)
        y.append(part.splits.valid.y)
    rule = task.answer_rule({})
    assert threshold == rule.fit(np.concatenate(y), np.concatenate(proba))
    scores = [rule.at(threshold).scores(truth, out)["f1"] for truth, out in zip(y, proba, strict=True)]
    assert metrics["f1"] == pytest.approx(np.mean(scores))
    # Each fold's own best threshold flatters.
    assert np.mean(fold_scores(dict(trial.reports))["f1"]) >= metrics["f1"]


def test_what_cannot_be_cross_validated_is_refused(make_spec: Make) -> None:
    distilled = task_of(make_spec, "mlp", teacher="other/3", distillation=0.5)
    with pytest.raises(SpecError, match=r"data\.folds: does not go with distillation"):
        distilled.prepare()
    old = task_of(make_spec, "linear")

    class Old(type(old)):  # type: ignore[misc]  # of a variable
        """A family that was written before folds."""

        from satisfice.train.family_task import FamilyTask

        learn = FamilyTask.learn

    with pytest.raises(SpecError, match=r"data\.folds: does not go with the family linear, which has no"):
        Old(old.trainer, old.spec).prepare()


def test_a_first_try_is_of_one_fold(make_spec: Make, new_trial: Any) -> None:
    task = task_of(make_spec, "linear")
    task.prepare()
    small = task.on_few_rows()
    trial = new_trial(max_epochs=1)
    assert small.train({"alpha": 0.1}, trial)["accuracy"] > 0
    assert len(small.splits.train) < len(task.splits.train)


def test_groups_alone_split_as_before(make_spec: Make) -> None:
    """A data set without folds has one validation split, whatever is asked beside."""
    spec = make_spec("linear", "wine")
    assert spec.folds is None
    assert spec.trainings == 1
    assert dataclasses.replace(spec, data=DataSpec(name="wine", folds=4)).trainings == 5


def test_standard_errors_are_those_of_the_mean() -> None:
    assert summary([{"x": 1.0}, {"x": 3.0}]) == {"x": 2.0, "x.se": pytest.approx(1.0)}
