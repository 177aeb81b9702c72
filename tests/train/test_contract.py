"""What every family of models must do, one suite for all of them."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from satisfice.errors import DataError
from satisfice.spec.metric import LEVEL_KEYS, METRICS, Known
from satisfice.train import TRAINERS, load_model
from satisfice.train import make_task as make_any_task
from satisfice.train.hyperparameter import Hyperparameter

make_task: Any = make_any_task  # its families' own methods are under test


FAMILIES = TRAINERS.names()
CASES = [
    (family, data)
    for family in FAMILIES
    for data in ("digits", "breast_cancer", "wine", "diabetes")
    if not (family == "cnn" and data != "digits")
    and not (family in ("forest", "boosting") and data == "digits")
]
# Small enough to train in a blink.
SMALL: dict[str, dict[str, Any]] = {
    "mlp": {"hidden_layers": 1, "width": 12, "batch_norm": True, "dropout": 0.1},
    "cnn": {"channels": 2, "width": 8, "batch_norm": True, "dropout": 0.1},
    "linear": {},
    "forest": {"trees": 7, "max_depth": 5},
    "boosting": {"rounds": 6, "max_leaves": 5},
}


@pytest.fixture(autouse=True)
def _on_cpu(monkeypatch: Any) -> None:
    monkeypatch.setenv("SATISFICE_DEVICE", "cpu")


@pytest.fixture(params=CASES, ids=lambda case: "-".join(case))
def case(request: Any) -> Any:
    return request.param


@pytest.fixture(params=["safetensors", "onnx"])
def ship(request: Any) -> Any:
    return request.param


@pytest.fixture
def task(case: Any, ship: Any, make_spec: Any) -> Any:
    return make_task(make_spec(*case, ship=ship))


@pytest.mark.parametrize("family", FAMILIES)
def test_declares_itself(family: Any) -> None:
    trainer = TRAINERS.get(family)
    assert trainer.family == family
    assert trainer.doc.endswith(".")
    assert trainer.tasks <= {"classification", "regression"}
    assert trainer.kinds <= {"table", "image", "text"}
    assert set(trainer.measures) <= set(METRICS)
    for name, h in trainer.hyperparameters.items():
        assert h.problem_with(h.default) is None, name
        assert h.doc.endswith("."), name
        assert bool(h.choices) == (h.kind == "categorical"), name


def test_families_and_sizes_are_known_without_torch() -> None:
    program = """
import sys
from satisfice.spec.study import *
from satisfice.spec.space import SearchSpace
from satisfice.train import TRAINERS, make_task
for family in TRAINERS.names():
    trainer = TRAINERS.get(family)
    trainer.hyperparameters, trainer.measures
    spec = StudySpec(name="s", data=DataSpec(name="digits"), model=ModelSpec(family=family),
                     objectives=(Objective(metric="accuracy", direction="maximize"),),
                     space=SearchSpace(parameters=()), budget=Budget(trials=1))
    task = make_task(spec)
    task.defaults(), task.architecture({})
    assert (task.profile({}) if hasattr(task, "profile") else task.bounds({}))
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=600)


def test_trains_reports_and_ships(case: Any, task: Any, new_trial: Any, tmp_path: Any, measured: Any) -> None:
    family, _ = case
    trial = new_trial()
    metrics = task.train(SMALL[family], trial)

    assert [step for step, _ in trial.reports] == list(range(1, len(trial.reports) + 1))
    assert len(trial.reports) <= trial.max_epochs
    assert trial.batches >= len(trial.reports)
    assert all(math.isfinite(value) for value in metrics.values())
    kind = task.splits.task
    promised = {
        name
        for name, known in task.trainer.measures.items()
        if METRICS[name].task in ("any", kind)
        and METRICS[name].known is not Known.UNTRAINED
        # The study gives no level and names no energy, and it trains on the processor.
        and name not in ("size_kb", "train_memory_kb", "train_energy_wh", *LEVEL_KEYS)
        and METRICS[name].quantity != "train_gpu_memory"
    }
    assert promised <= set(metrics)

    path = trial.shipped(task, tmp_path)
    assert metrics["size_bytes"] == path.stat().st_size == 1e6 * metrics["size_mb"]
    model = task.load_model(SMALL[family], path)
    again = task.scoring(SMALL[family]).of_model(model.core, task.splits.valid)
    exact = task.file.name == "model.safetensors"
    assert {name: metrics[name] for name in again} == (again if exact else pytest.approx(again, rel=1e-4))
    (tmp_path / "copy").mkdir()
    assert task.file.keep(task, SMALL[family], model.core, tmp_path / "copy").file.read_bytes() == trial.model
    test = task.score_test(SMALL[family], model)
    assert {name for name in test if not name.endswith(".se")} == set(again)


def test_final_metrics_are_those_of_the_best_report(case: Any, make_spec: Any, new_trial: Any) -> None:
    family, data = case
    objective = "rmse" if data == "diabetes" else "log_loss"
    task = make_task(make_spec(family, data, objective))
    trial = new_trial(max_epochs=6)
    metrics = task.train(SMALL[family] | ({"patience": 0} if family == "boosting" else {}), trial)
    seen = [m[objective] for _, m in trial.reports]
    # Boosting without patience and forests keep all that has grown; the others go back to their best epoch.
    wanted = seen[-1] if family in ("forest", "boosting") else min(seen)
    assert metrics[objective] == pytest.approx(wanted, rel=1e-4)


def test_predicts_raw_items(case: Any, task: Any, new_trial: Any, tmp_path: Any) -> None:
    family, _ = case
    trial = new_trial()
    task.train(SMALL[family], trial)
    path = tmp_path / "model.safetensors"
    path.write_bytes(trial.weights or trial.model)
    model = load_model(path)
    raw = task.splits.raw_item.items
    prediction = model.predict(raw)
    assert prediction.shape == (1,)
    if task.splits.task == "classification":
        assert prediction[0] in task.splits.classes
        proba = model.predict_proba(raw)
        assert proba.shape == (1, task.splits.n_classes)
        assert proba.sum() == pytest.approx(1, abs=1e-5)


def test_the_same_seed_gives_the_same_model(case: Any, task: Any, new_trial: Any, measured: Any) -> None:
    family, _ = case
    first, second, other = new_trial(), new_trial(), new_trial(seed=12)
    results = [task.train(SMALL[family], trial) for trial in (first, second, other)]
    assert first.model == second.model
    assert first.without_times() == second.without_times()
    a, b = ({k: v for k, v in r.items() if not measured(k)} for r in results[:2])
    assert a == b
    if family in ("mlp", "cnn", "forest"):
        assert first.model != other.model


def test_a_killed_training_goes_on_bit_for_bit(case: Any, task: Any, new_trial: Any, killed: Any) -> None:
    family, _ = case
    task.checkpoint_seconds = 0.0
    whole = new_trial(max_epochs=5)
    task.train(SMALL[family], whole)
    last = len(whole.reports)

    trial = new_trial(max_epochs=5, die_at=last)
    with pytest.raises(killed):
        task.train(SMALL[family], trial)
    assert trial.model is None
    trial.die_at = None
    task.train(SMALL[family], trial)
    assert trial.model == whole.model
    assert dict(trial.without_times()) == dict(whole.without_times())
    if family in ("mlp", "cnn"):
        assert trial.checkpoints == last
        assert len(trial.reports) == last  # no epoch twice


def test_stops_where_it_is_pruned(case: Any, task: Any, new_trial: Any) -> None:
    family, _ = case
    trial = new_trial(prune_at=1, max_epochs=50)
    metrics = task.train(SMALL[family], trial)
    assert len(trial.reports) == 1
    assert task.splits.task == "regression" or 0 <= metrics["accuracy"] <= 1
    assert trial.model is None


def test_leaves_the_process_as_it_was(case: Any, task: Any, new_trial: Any) -> None:
    family, _ = case
    torch.manual_seed(5)
    np.random.seed(5)
    random.seed(5)
    threads = torch.get_num_threads()
    before = (
        torch.get_rng_state(),
        np.random.get_state(legacy=False)["state"]["key"].tolist(),
        random.getstate(),
    )
    task.train(SMALL[family], new_trial())
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == np.random.get_state(legacy=False)["state"]["key"].tolist()
    assert before[2] == random.getstate()
    assert torch.get_num_threads() == threads


def test_hands_out_what_is_timed(case: Any, task: Any, new_trial: Any, tmp_path: Any) -> None:
    family, _ = case
    untrained = task.predictor(SMALL[family])
    assert (untrained is None) == (task.trainer.measures["latency_ms"] is Known.AFTER)
    if untrained is not None:
        untrained()
        task.pipeline(SMALL[family])()
    trial = new_trial()
    task.train(SMALL[family], trial)
    model = task.load_model(SMALL[family], trial.shipped(task, tmp_path))
    for call, n in (
        (task.predictor(SMALL[family], model), 1),
        (task.predictor(SMALL[family], model, batch=3), 3),
        (task.pipeline(SMALL[family], model), 1),
    ):
        out = call()
        assert len(out[-1] if isinstance(out, list) else out) == n  # ONNX Runtime gives a list of outputs


def _value(h: Hyperparameter) -> st.SearchStrategy:
    if h.kind == "categorical":
        return st.sampled_from(h.choices)
    if h.kind == "int":
        return st.integers(int(h.low), int(min(h.high, max(h.low + 9, 40))))
    return st.floats(h.low, min(h.high, 3.0))


def _architectures(family: str) -> st.SearchStrategy:
    hyperparameters = TRAINERS.get(family).hyperparameters
    some = {name: _value(h) for name, h in hyperparameters.items() if h.architecture}
    if family == "cnn":  # growth to the eighth power is no network for a test
        some |= {
            "blocks": st.integers(1, 4),
            "channels": st.integers(1, 8),
            "convolutions": st.integers(1, 2),
        }
    return st.fixed_dictionaries({}, optional=some)


@pytest.mark.parametrize(
    ("family", "data"),
    [("mlp", "digits"), ("mlp", "diabetes"), ("mlp", "titanic"), ("cnn", "digits"), ("linear", "titanic")],
)
@pytest.mark.parametrize("ship", ["safetensors", "onnx"])
@settings(max_examples=25, deadline=None)
@given(draw=st.data())
def test_size_is_known_exactly_before_training(
    family: Any, data: Any, ship: Any, draw: Any, make_spec: Any, tmp_path_factory: Any
) -> None:
    task = make_task(make_spec(family, data, ship=ship))
    params = draw.draw(_architectures(family))
    file = task.file.keep(task, params, task.untrained(params), tmp_path_factory.mktemp("size")).file
    known = task.profile(params)
    assert known["size_bytes"] == file.stat().st_size
    assert known["n_parameters"] == sum(
        a.size for name, a in task.arrays(task.untrained(params)).items() if "running" not in name
    )


@pytest.mark.parametrize(
    ("family", "data"),
    [("forest", "titanic"), ("forest", "wine"), ("boosting", "titanic"), ("boosting", "wine")],
)
@pytest.mark.parametrize("ship", ["safetensors", "onnx"])
@settings(max_examples=8, deadline=None)
@given(draw=st.data())
def test_size_after_fitting_is_within_the_bounds(
    family: Any, data: Any, ship: Any, draw: Any, make_spec: Any, new_trial: Any
) -> None:
    task = make_task(make_spec(family, data, ship=ship))
    params = draw.draw(_architectures(family))
    params |= (
        {"trees": params.get("trees", 5) % 9 + 1}
        if family == "forest"
        else {"rounds": params.get("rounds", 5) % 9 + 1}
    )
    bounds = task.bounds(params)
    metrics = task.train(params, new_trial())
    for name in ("size_bytes", "size_mb", "n_parameters"):
        low, high = bounds[name]
        assert low <= metrics[name] <= high, name


@pytest.mark.parametrize("family", FAMILIES)
def test_only_architecture_decides_size_and_latency(family: Any, make_spec: Any) -> None:
    task = make_task(make_spec(family, "digits"))
    others = {n: h for n, h in task.trainer.hyperparameters.items() if not h.architecture}
    changed = {n: h.choices[-1] if h.choices else h.high for n, h in others.items()}
    assert task.architecture(changed) == task.architecture({})
    if hasattr(task, "profile"):
        assert task.profile(changed) == task.profile({})


def test_fixed_values_and_search_parameters_are_merged(make_spec: Any) -> None:
    task = make_task(make_spec("mlp", "wine", width=10, dropout=0.3))
    values = task.values({"dropout": 0.1})
    assert (values["width"], values["dropout"], values["learning_rate"]) == (10, 0.1, 1e-3)
    assert task.architecture({"hidden_layers": 4})["hidden_layers"] == 4


def test_a_table_is_refused_by_a_network_for_images(make_spec: Any) -> None:
    with pytest.raises(DataError, match="cnn cannot learn from wine, which is a table"):
        make_task(make_spec("cnn", "wine"))


def test_a_model_file_that_is_none_is_refused(tmp_path: Any) -> None:
    path = Path(tmp_path / "model.safetensors")
    with pytest.raises(DataError, match="does not exist"):
        load_model(path)
    path.write_bytes(b"no model at all")
    with pytest.raises(DataError, match="is not a model file of satisfice"):
        load_model(path)
