"""One architecture has one figure in a study, however it is written and whoever measures it."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
import sqlalchemy as sa
import torch
from torch import nn

import satisfice
from satisfice.measure import Measurement, host
from satisfice.store import migrate
from satisfice.store.tables import measurements, studies
from satisfice.study.measuring.architectures import ArchitectureKeys
from satisfice.study.measuring.timings import CountedMeasurements, StoredMeasurements

Params = Mapping[str, Any]


def family(name: str = "bare", **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "seed": 1,
        "data": {"name": "wine"},
        "model": {"family": "mlp", "hidden_layers": 0},
        "objectives": {"accuracy": "maximize", "latency_ms": "minimize", "size_mb": "minimize"},
        "space": {
            "width": {"low": 1, "high": 500},
            "batch_norm": [True, False],
            "learning_rate": {"low": 1e-3, "high": 1e-1, "log": True},
        },
        "budget": {"trials": 6, "epochs": 1},
        "search": {"sampler": "random", "pruner": "none"},
    } | changes


def figures(study: satisfice.Study) -> set[tuple[float, float]]:
    return {(r.metrics["latency_ms"], r.metrics["size_mb"]) for r in study.records()}


def test_networks_without_hidden_layers_have_one_latency_and_one_size() -> None:
    study = satisfice.create_study(family())
    study.optimize()
    assert len({r.params["width"] for r in study.records()}) > 3
    assert len(figures(study)) == 1
    assert study._session.evaluator.measured == 1
    best = max(r.metrics["accuracy"] for r in study.records())
    assert {r.metrics["accuracy"] for r in study.pareto_front()} == {best}  # noise decides nothing


class Timed:
    """Timed by a call of its own; architectures are numbers."""

    def architecture(self, params: Params) -> dict[str, Any]:
        return {"width": params["width"]}

    def predictor(self, params: Params, model: Any = None) -> Any:
        return lambda: sum(range(2000))

    def train(self, params: Params, trial: Any) -> Mapping[str, float]:
        return {"accuracy": params["rate"]}


def timed(name: str = "timed", trials: int = 2, **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "seed": 1,
        "objectives": {"accuracy": "maximize", "latency_ms": "minimize"},
        "constraints": {"latency_ms": "<= 1000"},
        "space": {"width": [1], "rate": {"low": 0.0, "high": 1.0}},
        "budget": {"trials": trials},
        "search": {"sampler": "random"},
    } | changes


def remembered(study: satisfice.Study, value: float) -> None:
    """Another study measured the architecture again: the last measurement stands in the common store."""
    db = study._opened.db
    store = StoredMeasurements(db)
    key = ArchitectureKeys(study.spec, study._opened.task).of({"width": 1}, "latency")
    found = store.get(key, host().fingerprint, "latency_ms")
    assert found is not None
    store.put(key, replace(found, value=value, low=value, high=value))


def test_a_later_measurement_elsewhere_does_not_split_the_study(sqlite_url: str) -> None:
    study = satisfice.create_study(timed(), storage=sqlite_url, task=Timed())
    study.optimize()
    (first,) = {r.metrics["latency_ms"] for r in study.records()}
    remembered(study, 7.0)
    longer = satisfice.create_study(timed(trials=4), storage=sqlite_url, task=Timed())
    longer.optimize()
    assert [r.metrics["latency_ms"] for r in longer.records()] == [first] * 4
    other = satisfice.create_study(timed("other"), storage=sqlite_url, task=Timed())
    other.optimize()
    assert [r.metrics["latency_ms"] for r in other.records()] == [7.0] * 2


def test_the_final_measurement_of_the_winner_does_not_split_the_study(sqlite_url: str) -> None:
    study = satisfice.create_study(timed(), storage=sqlite_url, task=Timed())
    study.optimize()
    (first,) = {r.metrics["latency_ms"] for r in study.records()}
    assert study.confirm()["measured_again"]["latency_ms"] != first
    study.change(budget={"trials": 4})
    study.enqueue_trial({"rate": 0.5})
    longer = satisfice.create_study(timed(trials=4), storage=sqlite_url, task=Timed())
    longer.optimize()
    assert {r.metrics["latency_ms"] for r in longer.records()} == {first}


def test_of_workers_that_measure_at_once_the_first_counts(storage_url: str) -> None:
    study = satisfice.create_study(timed(), storage=storage_url, task=Timed())
    db, uuid = study._opened.db, study._opened.row["uuid"]
    found: list[Measurement] = []
    start = Barrier(4)
    study.optimize()
    key = ArchitectureKeys(study.spec, study._opened.task).of({"width": 1}, "latency")
    sample = StoredMeasurements(db).get(key, host().fingerprint, "latency_ms")
    assert sample is not None

    def measure(value: float) -> None:
        counted = CountedMeasurements(db, uuid, None)
        start.wait()
        found.append(counted.first("another", replace(sample, value=value, low=value, high=value)))

    threads = [Thread(target=measure, args=(float(i),)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len({m.value for m in found}) == 1
    db.close()


def test_hosts_of_one_class_count_with_one_measurement(sqlite_url: str) -> None:
    study = satisfice.create_study(timed(measure={"on": "box"}), storage=sqlite_url, task=Timed())
    study.run_worker(label="box")
    (first,) = {r.metrics["latency_ms"] for r in study.records()}
    assert {r.measured_on for r in study.records()} == {host().fingerprint}
    db = study._opened.db
    with db.write() as connection:  # as if another machine of the class had measured
        connection.execute(sa.update(measurements).values(host="another"))
    longer = satisfice.create_study(timed(trials=4, measure={"on": "box"}), storage=sqlite_url, task=Timed())
    longer.run_worker(label="box")
    assert [r.metrics["latency_ms"] for r in longer.records()] == [first] * 4
    assert longer._opened.db is not db


def keys_of(task: Any, *params: dict[str, Any], **changes: Any) -> list[str]:
    spec = satisfice.create_study(timed(**changes), task=task).spec
    return [ArchitectureKeys(spec, task).of(p, "latency") for p in params]


def test_a_whole_number_has_one_spelling_in_a_task_of_ones_own() -> None:
    import numpy as np

    one, two, three, other = keys_of(
        Timed(), {"width": 8}, {"width": 8.0}, {"width": np.int64(8)}, {"width": 9}
    )
    assert one == two == three != other


def test_tasks_of_one_name_and_other_code_are_told_apart() -> None:
    class Elsewhere(Timed):
        pass

    Elsewhere.__qualname__, Elsewhere.__module__ = Timed.__qualname__, "elsewhere"
    assert keys_of(Timed(), {"width": 8}) != keys_of(Elsewhere(), {"width": 8})


class Builds:
    """Dropout and the momentum of a batch norm are of training alone."""

    def build(self, params: Params) -> nn.Module:
        return nn.Sequential(
            nn.Linear(3, params.get("width", 4)),
            nn.BatchNorm1d(params.get("width", 4), momentum=params.get("momentum", 0.1)),
            nn.Dropout(params.get("dropout", 0.0)),
            nn.LeakyReLU(params.get("slope", 0.01)),
        )

    def example_input(self, params: Params) -> torch.Tensor:
        return torch.zeros(1, 3)

    def train(self, params: Params, trial: Any) -> Mapping[str, float]:
        return {"accuracy": 1.0}


def test_what_only_training_uses_makes_no_other_module() -> None:
    base, dropout, momentum, wider, slope = keys_of(
        Builds(), {}, {"dropout": 0.3}, {"momentum": 0.5}, {"width": 5}, {"slope": 0.2}
    )
    assert base == dropout == momentum
    assert len({base, wider, slope}) == 3


def as_before(study: satisfice.Study) -> None:
    """The study as an older satisfice would have stored it."""
    db = study._opened.db
    migrate.downgrade(db, "0001")
    migrate.upgrade(db)
    with db.read() as connection:
        assert connection.execute(sa.select(studies.c.architecture_form)).scalars().all() == [1]


def test_a_study_stored_before_goes_on_with_its_own_keys(sqlite_url: str) -> None:
    satisfice.create_study(family(), storage=sqlite_url)._opened.db.close()
    as_before(satisfice.load_study("bare", storage=sqlite_url))
    study = satisfice.load_study("bare", storage=sqlite_url)
    assert not study.spec.canonical
    study.optimize()
    architectures = {(r.params["width"], r.params["batch_norm"]) for r in study.records()}
    assert study._session.evaluator.measured == len(architectures) > 1
    again = satisfice.create_study(family(), storage=sqlite_url)  # from its file
    assert not again.spec.canonical
    assert not again._opened.task.spec.canonical  # type: ignore[attr-defined]


def test_an_export_of_before_is_taken_in(sqlite_url: str, tmp_path: Path) -> None:
    study = satisfice.create_study(timed(), storage=sqlite_url, task=Timed())
    study.optimize()
    study.export(tmp_path / "new.zip")
    old = tmp_path / "old.zip"
    with zipfile.ZipFile(tmp_path / "new.zip") as source, zipfile.ZipFile(old, "w") as out:
        content = json.loads(source.read("study.json"))
        assert len(content.pop("timings")) == 1
        del content["study"]["architecture_form"], content["study"]["stopped"]
        out.writestr("study.json", json.dumps(content))
    for file, canonical in ((old, False), (tmp_path / "new.zip", True)):
        elsewhere = f"sqlite:///{tmp_path}/{canonical}.db"
        (taken,) = satisfice.import_study(file, storage=elsewhere)
        assert taken.spec.canonical is canonical
        assert [r.metrics for r in taken.records()] == [r.metrics for r in study.records()]


@pytest.mark.parametrize("quantity", ["latency", "pipeline_latency", "memory"])
def test_preprocessing_counts_where_it_takes_part(quantity: str) -> None:
    def key(data: dict[str, Any]) -> str:
        study = satisfice.create_study(family(data=data, objectives={"accuracy": "maximize"}))
        return ArchitectureKeys(study.spec, study._opened.task).of({"width": 1}, quantity)

    assert key({"name": "wine"}) == key({"name": "wine", "limit": 100})
    assert key({"name": "wine"}) != key({"name": "breast_cancer"})
