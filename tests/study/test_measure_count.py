"""A latency is measured once for each architecture and host: counted over whole studies."""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import satisfice
from satisfice.measure.latency.calibration import _KEY as REFERENCE
from satisfice.store.tables import measurements

WIDTHS, DEPTHS = (1, 2, 3, 4), (1, 2, 3)


class Timed:
    """Counts how often something is built to be timed, for each architecture."""

    def __init__(self) -> None:
        self.built: list[tuple[int, int]] = []

    def architecture(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"width": params["width"], "depth": params["depth"]}

    def predictor(self, params: Mapping[str, Any], model: Any = None) -> Any:
        self.built.append((params["width"], params["depth"]))
        items = range(50 * params["width"] * params["depth"])
        return lambda: sum(items)

    def train(self, params: Mapping[str, Any], trial: Any) -> dict[str, float]:
        return {"accuracy": params["width"] * params["depth"] - (params["rate"] - 0.4) ** 2}


def spec(name: str, sampler: str) -> dict[str, Any]:
    return {
        "name": name,
        "seed": 4,
        "objectives": {"accuracy": "maximize", "latency_ms": "minimize"},
        "constraints": {"latency_ms": "<= 1000"},
        "space": {
            "rate": {"low": 0.0, "high": 1.0},
            "dropout": {"low": 0.0, "high": 0.5},
            "width": {"choices": list(WIDTHS)},
            "depth": {"choices": list(DEPTHS)},
        },
        "budget": {"trials": 60},
        "search": {
            "sampler": sampler,
            "pruner": "none",
            "start": [{"width": w, "depth": d} for w, d in itertools.product(WIDTHS, DEPTHS)],
        },
    }


def stored(study: satisfice.Study) -> int:
    """Latencies in the database, the reference model's own left out."""
    m = measurements.c
    with study._opened.db.read() as connection:
        count = sa.select(sa.func.count()).where(m.architecture != REFERENCE)
        return int(connection.execute(count).scalar_one())


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["auto", "tpe"])
def test_sixty_trials_over_twelve_architectures_make_twelve_measurements(
    tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, sampler: str
) -> None:
    monkeypatch.setenv("SATISFICE_ARTEFACTS", str(tmp_path / "artefacts"))
    task = Timed()
    study = satisfice.create_study(spec("first", sampler), storage=sqlite_url, task=task)
    study.optimize()
    architectures = set(itertools.product(WIDTHS, DEPTHS))
    assert len(study.records()) == 60
    assert {(r.params["width"], r.params["depth"]) for r in study.records()} == architectures
    assert sorted(task.built) == sorted(architectures)
    assert study._session.evaluator.measured == stored(study) == 12

    second = satisfice.create_study(spec("second", sampler) | {"seed": 9}, storage=sqlite_url, task=task)
    second.optimize()
    assert len(second.records()) == 60
    assert second._session.evaluator.measured == 0
    assert stored(second) == 12
    told = {(r.params["width"], r.params["depth"]): r.metrics["latency_ms"] for r in study.records()}
    for r in second.records():
        assert r.metrics["latency_ms"] == told[r.params["width"], r.params["depth"]]

    second.confirm()  # measures the winner again, freshly
    assert second._session.evaluator.measured == 1
    assert stored(second) == 12


def test_the_median_and_the_95th_percentile_are_of_one_measurement(sqlite_url: str) -> None:
    both = {"accuracy": "maximize", "latency_ms": "minimize", "latency_p95_ms": "minimize"}
    content = spec("both", "random") | {"objectives": both, "budget": {"trials": 3}}
    study = satisfice.create_study(content, storage=sqlite_url, task=Timed())
    study.optimize()
    assert study._session.evaluator.measured == stored(study) == 3
    assert all(0 < r.metrics["latency_ms"] <= r.metrics["latency_p95_ms"] for r in study.records())
