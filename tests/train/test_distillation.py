"""Learning from a teacher beside the data."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from optuna.distributions import CategoricalDistribution, FloatDistribution
from torch import nn
from torch.nn import functional

from satisfice.errors import InputError, SpecError
from satisfice.spec.space import Parameter, SearchSpace
from satisfice.train import load_model
from satisfice.train import make_task as make_any_task
from satisfice.train.networks.distillation import loss_of, teachers_of

make_task: Any = make_any_task  # its families' own methods are under test


@pytest.fixture(autouse=True)
def _on_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SATISFICE_DEVICE", "cpu")


@pytest.fixture(scope="module")
def teacher(make_spec: Any, new_trial: Any, tmp_path_factory: Any) -> Any:
    """The file of a trained model, by family and data."""

    def trained(family: str, data: str, params: Any) -> Any:
        trial = new_trial(max_epochs=10)
        make_task(make_spec(family, data)).train(params, trial)
        path: Path = tmp_path_factory.mktemp("teacher") / "model.safetensors"
        path.write_bytes(trial.model)
        return load_model(path)

    return trained


def student(make_spec: Any, data: str, model: Any, **values: Any) -> Any:
    task = make_task(make_spec("mlp", data, teacher="big/3", **values))
    assert task.missing_teachers == ("big/3",)
    task.set_teacher("big/3", model)
    assert task.missing_teachers == ()
    return task


@pytest.mark.parametrize("temperature", [1.0, 3.0, 20.0])
def test_the_loss_is_that_of_hinton(temperature: float) -> None:
    torch.manual_seed(2)
    logits, told = torch.randn(6, 4, requires_grad=True), torch.randn(6, 4)
    y, rows = torch.tensor([0, 1, 2, 3, 0, 1]), torch.tensor([4, 0, 5])
    teacher = torch.softmax(told, dim=1).numpy()
    values = {"distillation": 0.3, "temperature": temperature}
    loss, size = loss_of(nn.CrossEntropyLoss(), y, teacher, values, classify=True)
    soft = torch.softmax(told / temperature, dim=1)[rows]
    taught = -(soft * torch.log_softmax(logits[rows] / temperature, dim=1)).sum(dim=1).mean()
    expected = 0.7 * functional.cross_entropy(logits[rows], y[rows]) + 0.3 * temperature**2 * taught
    assert torch.allclose(loss(logits[rows], rows), expected, rtol=1e-4)
    # A guess that knows nothing says the same of all classes.
    assert loss(torch.zeros(3, 4), rows).item() == pytest.approx(size * math.log(4), rel=1e-5)


def test_numbers_are_learnt_by_squared_errors_to_both() -> None:
    y, told = torch.tensor([[1.0], [2.0]]), np.array([[3.0], [5.0]], np.float32)
    values = {"distillation": 0.25, "temperature": 7.0}
    loss, size = loss_of(nn.MSELoss(), y, told, values, classify=False)
    assert loss(torch.zeros(2, 1), torch.tensor([0, 1])).item() == 0.75 * 2.5 + 0.25 * 17
    assert size == 1


def test_a_certain_teacher_is_learnt_from() -> None:
    loss, _ = loss_of(
        nn.CrossEntropyLoss(),
        torch.tensor([0]),
        np.array([[1.0, 0.0]], np.float32),
        {"distillation": 1.0, "temperature": 0.5},
        classify=True,
    )
    assert math.isfinite(loss(torch.zeros(1, 2), torch.tensor([0])).item())


@pytest.mark.parametrize(
    ("data", "family", "params"),
    [
        ("wine", "mlp", {"width": 32}),
        ("wine", "forest", {"trees": 20}),
        ("titanic", "boosting", {"rounds": 20}),
        ("diabetes", "linear", {}),
    ],
)
def test_with_nothing_but_the_teacher_a_network_says_what_it_says(
    data: str, family: str, params: Any, teacher: Any, make_spec: Any, new_trial: Any, tmp_path: Path
) -> None:
    model = teacher(family, data, params)
    fixed = {"distillation": 1.0, "temperature": 1.0, "learning_rate": 0.01, "batch_size": 16, "patience": 0}
    task = student(make_spec, data, model, **fixed)
    told = task.teacher_outputs({})
    assert len(told) == len(task.splits.train)
    classify = task.splits.task == "classification"
    assert told.shape[1] == (task.splits.n_classes if classify else 1)
    trial = new_trial(max_epochs=40)
    task.train({}, trial)
    path = tmp_path / "model.safetensors"
    path.write_bytes(trial.model)
    learnt = load_model(path).outputs(task.splits.valid.x)
    wanted = model.outputs(task.splits.valid.x)
    spread = 1.0 if task.splits.target is None else task.splits.target.spread
    plain = new_trial(max_epochs=40)
    make_task(make_spec("mlp", data, learning_rate=0.01, batch_size=16, patience=0)).train({}, plain)
    path.write_bytes(plain.model)
    other = load_model(path).outputs(task.splits.valid.x)
    assert np.abs(learnt - wanted).mean() < 0.15 * spread
    assert np.abs(learnt - wanted).mean() < np.abs(other - wanted).mean()


def test_without_a_share_nothing_changes(teacher: Any, make_spec: Any, new_trial: Any) -> None:
    task = student(make_spec, "wine", teacher("forest", "wine", {"trees": 5}), distillation=0.5)
    off, plain = new_trial(), new_trial()
    task.train({"distillation": 0.0}, off)
    make_task(make_spec("mlp", "wine")).train({}, plain)
    assert off.model == plain.model
    on = new_trial()
    task.train({}, on)
    assert on.model != plain.model


def test_a_killed_student_goes_on_bit_for_bit(
    teacher: Any, make_spec: Any, new_trial: Any, killed: Any
) -> None:
    model = teacher("forest", "wine", {"trees": 5})
    task = student(make_spec, "wine", model, distillation=0.5, dropout=0.2)
    task.checkpoint_seconds = 0.0
    whole, trial = new_trial(max_epochs=5), new_trial(max_epochs=5, die_at=4)
    task.train({}, whole)
    with pytest.raises(killed):
        task.train({}, trial)
    trial.die_at = None
    task.train({}, trial)
    assert trial.model == whole.model


def test_hot_distillation_is_no_divergence(teacher: Any, make_spec: Any, new_trial: Any) -> None:
    task = student(make_spec, "wine", teacher("forest", "wine", {"trees": 5}), distillation=1.0)
    assert math.isfinite(task.train({"temperature": 20.0}, new_trial(max_epochs=2))["log_loss"])


def test_a_first_try_on_few_rows_has_its_teacher(teacher: Any, make_spec: Any, new_trial: Any) -> None:
    task = student(make_spec, "digits", teacher("forest", "digits", {"trees": 5}), distillation=0.5)
    small = task.on_few_rows()
    assert len(small.teacher_outputs({})) == len(small.splits.train) < len(task.splits.train)
    small.train({}, new_trial(max_epochs=1))
    assert len(task.teacher_outputs({})) == len(task.splits.train)


def test_a_teacher_of_something_else_is_refused(teacher: Any, make_spec: Any) -> None:
    task = make_task(make_spec("mlp", "wine", teacher="big/3", distillation=0.5))
    with pytest.raises(InputError, match="learnt regression"):
        task.set_teacher("big/3", teacher("linear", "diabetes", {}))
    with pytest.raises(InputError, match="other classes"):
        task.set_teacher("big/3", teacher("linear", "breast_cancer", {}))
    with pytest.raises(InputError, match="'big/3' was not handed over"):
        task.teacher_outputs({})


def _space(**distributions: Any) -> SearchSpace:
    return SearchSpace(
        parameters=tuple(Parameter(name=name, distribution=d) for name, d in distributions.items())
    )


def test_a_teacher_may_take_images_of_another_size(make_spec: Any, new_trial: Any, tmp_path: Path) -> None:
    trial = new_trial(max_epochs=2)
    task = make_task(make_spec("mlp", "digits"))
    task.train({"image_size": 6}, trial)
    (tmp_path / "model.safetensors").write_bytes(trial.model)
    large = load_model(tmp_path / "model.safetensors")
    learner = student(make_spec, "digits", large, distillation=0.5)
    found = learner.teacher_outputs({"image_size": 12})
    assert np.allclose(found, large.predict_proba(learner.splits.raw_train.items), atol=1e-6)
    assert math.isfinite(learner.train({"image_size": 12}, new_trial(max_epochs=2))["log_loss"])


def test_teachers_are_those_that_a_trial_may_have(make_spec: Any) -> None:
    spec = make_spec("mlp", "wine")
    assert teachers_of(spec) == ()
    teachers = CategoricalDistribution(["", "a/1", "b/2"])
    object.__setattr__(spec, "space", _space(teacher=teachers, distillation=FloatDistribution(0.0, 1.0)))
    assert teachers_of(spec) == ("a/1", "b/2")
    object.__setattr__(spec, "space", _space(distillation=FloatDistribution(0.0, 1.0)))
    with pytest.raises(SpecError, match=r"space\.distillation: nothing to learn from"):
        make_task(spec).prepare()
    with pytest.raises(SpecError, match=r"model\.teacher: is without effect"):
        make_task(make_spec("mlp", "wine", teacher="a/1")).prepare()
