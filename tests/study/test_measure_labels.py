"""`[measure] on`: only workers of that label time models; trials that trained elsewhere wait for them."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from optuna.trial import TrialState

import satisfice
from satisfice.errors import NoFeasibleTrial
from satisfice.measure import host
from satisfice.measure.latency.calibration import _KEY as REFERENCE
from satisfice.store.tables import measurements
from satisfice.study.lifecycle.telling import verdict

LABEL = "edge-box"


class Timed:
    """A task that can be timed before training; slow at great widths."""

    def __init__(self) -> None:
        self.timed: list[int] = []

    def architecture(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"width": params["width"]}

    def predictor(self, params: Mapping[str, Any], model: Any = None) -> Any:
        self.timed.append(params["width"])
        items = range(100 * params["width"])
        return lambda: sum(items)

    def train(self, params: Mapping[str, Any], trial: Any) -> dict[str, float]:
        return {"accuracy": params["rate"]}


class TimedOnceFitted(Timed):
    """A task whose model can be timed only when it is fitted; its file holds its width."""

    def predictor(self, params: Mapping[str, Any], model: Any = None) -> Any:
        return None if model is None else super().predictor({"width": model})

    def train(self, params: Mapping[str, Any], trial: Any) -> dict[str, float]:
        path = Path(os.environ["MODEL_FOLDER"]) / "model.json"
        path.write_text(json.dumps(params["width"]))
        trial.save_model(path)
        return super().train(params, trial)

    def load_model(self, params: Mapping[str, Any], path: Path) -> Any:
        return json.loads(path.read_text())

    def score_test(self, params: Mapping[str, Any], model: Any) -> dict[str, float]:
        return {}


def spec(**changes: Any) -> dict[str, Any]:
    return {
        "name": "timed",
        "seed": 3,
        "objectives": {"accuracy": "maximize", "latency_ms": "minimize"},
        "constraints": {"latency_ms": "<= 1000"},
        "space": {"rate": {"low": 0.0, "high": 1.0}, "width": {"choices": [1, 2]}},
        "budget": {"trials": 6},
        "search": {"sampler": "random", "pruner": "none"},
        "measure": {"on": LABEL},
    } | changes


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SATISFICE_ARTEFACTS", str(tmp_path / "artefacts"))
    monkeypatch.setenv("MODEL_FOLDER", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def timed_architectures(study: satisfice.Study) -> list[tuple[str, str]]:
    """Architecture and host of each stored measurement, the reference model's left out."""
    db = study._opened.db
    m = measurements.c
    with db.read() as connection:
        query = sa.select(m.architecture, m.host).where(m.architecture != REFERENCE)
        return [(architecture, where) for architecture, where in connection.execute(query)]


def test_a_trial_that_trained_elsewhere_waits_for_its_verdict_and_blocks_nobody(sqlite_url: str) -> None:
    task = Timed()
    study = satisfice.create_study(spec(), storage=sqlite_url, task=task)
    assert study.run_worker(label="another") == "the budget of 6 trials is spent"
    assert task.timed == []
    assert timed_architectures(study) == []

    records = study.records()
    assert [(r.state.name, r.feasible, r.pending, r.measured_on) for r in records] == [
        ("COMPLETE", None, True, None)
    ] * 6
    assert [t.state for t in study.optuna_study.trials] == [TrialState.RUNNING] * 6
    status = study.status()
    assert (status["states"], status["pending"], status["budget"]["used"]) == ({"COMPLETE": 6}, 6, 6)
    assert status["waiting"].startswith("6 trials wait for a verdict")
    assert f"satisfice worker timed --label {LABEL}" in status["waiting"]
    with pytest.raises(NoFeasibleTrial, match=f"satisfice worker timed --label {LABEL}"):
        study.best()
    assert study.pareto_front() == []
    assert status["waiting"] + "." in study.report_context()["notes"]
    assert study.report_context()["host"] == ""  # this host reads, but timed nothing

    assert study.run_worker(label=LABEL) == "the budget of 6 trials is spent"
    records = study.records()
    assert [(r.feasible, r.pending, r.measured_on) for r in records] == [
        (True, False, host().fingerprint)
    ] * 6
    assert sorted(task.timed) == [1, 2]  # once for each architecture
    assert len(timed_architectures(study)) == 2
    by_width = {r.params["width"]: r.metrics["latency_ms"] for r in records}
    assert [r.metrics["latency_ms"] for r in records] == [by_width[r.params["width"]] for r in records]
    for record, trial in zip(records, study.optuna_study.trials, strict=True):
        assert trial.state == TrialState.COMPLETE
        assert trial.values == [record.metrics["accuracy"], record.metrics["latency_ms"]]
        assert trial.constraints == {"latency_ms <= 1000": record.violations["latency_ms <= 1000"]}
    assert study.report_context()["host"] == str(host())
    assert study.status()["pending"] == 0
    assert study.best().metrics["accuracy"] == max(r.metrics["accuracy"] for r in records)


def test_what_does_not_fit_is_said_so_by_the_late_verdict(sqlite_url: str) -> None:
    bounds = {"latency_ms": "<= 1e-7", "accuracy": ">= 0"}
    study = satisfice.create_study(spec(constraints=bounds), storage=sqlite_url, task=Timed())
    study.run_worker()
    assert {r.feasible for r in study.records()} == {None}
    study.run_worker(label=LABEL)
    assert {r.feasible for r in study.records()} == {False}
    assert study.status()["states"] == {"COMPLETE": 6}
    with pytest.raises(NoFeasibleTrial, match="the nearest is trial") as caught:
        study.best()
    assert "wait" not in str(caught.value)


def test_a_worker_that_may_not_measure_screens_by_what_was_measured(sqlite_url: str) -> None:
    task = Timed()
    first = satisfice.create_study(spec(budget={"trials": 12}), storage=sqlite_url, task=task)
    first.run_worker(label=LABEL)
    assert {r.params["width"] for r in first.records()} == {1, 2}
    slow = max(r.metrics["latency_ms"] for r in first.records())
    fast = min(r.metrics["latency_ms"] for r in first.records())
    bound = {"latency_ms": f"<= {(slow + fast) / 2}"}
    second = satisfice.create_study(spec(name="second", constraints=bound), storage=sqlite_url, task=task)
    second.run_worker()
    assert len(task.timed) == 2
    assert [(r.params["width"], r.feasible, r.measured_on) for r in second.records()] == [
        (1, True, host().fingerprint)
    ] * 6
    assert second.status()["turned_away"] > 0


def test_what_is_measured_while_a_trial_trains_is_its_latency(sqlite_url: str) -> None:
    study = satisfice.create_study(spec(), storage=sqlite_url, task=Timed())
    trial = study.ask()
    assert "latency_ms" not in trial.metrics
    other = satisfice.load_study("timed", storage=sqlite_url, task=Timed())
    other.enqueue_trial({"width": trial.params["width"]})
    stop = threading.Event()
    other.run_worker(label=LABEL, stop=stop, callbacks=[lambda _trial, _state: stop.set()])
    study.tell(trial, {"accuracy": 0.5})
    told, measured = study.records()[:2]
    assert told.metrics["latency_ms"] == measured.metrics["latency_ms"]
    assert (told.pending, told.feasible, told.measured_on) == (False, True, host().fingerprint)


def test_a_fitted_model_is_timed_from_its_file(sqlite_url: str) -> None:
    task = TimedOnceFitted()
    study = satisfice.create_study(spec(budget={"trials": 2}), storage=sqlite_url, task=task)
    study.run_worker()
    assert [r.pending for r in study.records()] == [True] * 2
    study.run_worker(label=LABEL)
    assert task.timed == [r.params["width"] for r in study.records()]
    assert {r.feasible for r in study.records()} == {True}


def test_a_model_file_out_of_reach_leaves_its_trial_waiting(sqlite_url: str) -> None:
    study = satisfice.create_study(spec(budget={"trials": 2}), storage=sqlite_url, task=TimedOnceFitted())
    study.run_worker()
    study.model_file(0).unlink()
    study.run_worker(label=LABEL)
    assert [r.pending for r in study.records()] == [True, False]
    assert study.status()["waiting"].startswith("1 trial waits")


def test_a_verdict_is_written_once(sqlite_url: str) -> None:
    study = satisfice.create_study(spec(budget={"trials": 1}), storage=sqlite_url, task=Timed())
    study.run_worker()
    session = study._session
    (record,) = session.reader.awaiting_timing()
    assert session.ledger.deferred_timings.settle(0, verdict(session, record, {"latency_ms": 2.0}))
    assert not session.ledger.deferred_timings.settle(0, verdict(session, record, {"latency_ms": 3.0}))
    assert study.records()[0].metrics["latency_ms"] == 2.0
    assert study.optuna_study.trials[0].values[1] == 2.0


STUDY = f"""
name = "labels"
seed = 1
[data]
name = "digits"
[model]
family = "mlp"
[objectives]
accuracy = "maximize"
latency_ms = "minimize"
[constraints]
latency_ms = "<= 50"
size_mb = "<= 1"
[space]
hidden_layers = {{ low = 1, high = 2 }}
width = [16, 32]
learning_rate = {{ low = 1e-3, high = 1e-2, log = true }}
[budget]
trials = 8
epochs = 2
[search]
pruner = "none"
[measure]
on = "{LABEL}"
"""


def worker(folder: Path, url: str, label: str, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "satisfice.cli.main", "worker", "labels", "--storage", url]
    return subprocess.Popen(
        [*command, "--label", label, "--threads", "1"],
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finished(process: subprocess.Popen[str]) -> str:
    words, _ = process.communicate(timeout=250)
    assert process.returncode == 0, words[-3000:]
    return words


@pytest.mark.slow
@pytest.mark.parametrize("together", [True, False])
def test_two_workers_of_different_labels_on_one_machine(
    tmp_path: Path, sqlite_url: str, together: bool
) -> None:
    (tmp_path / "labels.toml").write_text(STUDY)
    study = satisfice.create_study(tmp_path / "labels.toml", storage=sqlite_url)
    # How threads are bound is part of a host's fingerprint: so these two are told apart on one machine.
    trainer = worker(tmp_path, sqlite_url, "trainer", OMP_WAIT_POLICY="passive")
    if not together:
        assert "done" in finished(trainer)
        assert study.status()["pending"] == 8
    box = worker(tmp_path, sqlite_url, LABEL)
    finished(box)
    if together:
        finished(trainer)
    by_label = {w["label"]: w for w in study.status()["workers_detail"]}
    assert set(by_label) == {"trainer", LABEL}
    here = host().fingerprint
    records = study.records()
    assert len(records) == 8
    assert all(r.feasible is not None and not r.pending for r in records)
    assert {r.measured_on for r in records} == {here}
    assert {where for _, where in timed_architectures(study)} == {here}
    assert len(timed_architectures(study)) == len(
        {(r.params["hidden_layers"], r.params["width"]) for r in records}
    )
    assert [t.state for t in study.optuna_study.trials] == [TrialState.COMPLETE] * 8
    trained_by = {a["worker"] for a in study._session.reader.attempts()}
    if not together:
        assert len(trained_by) == 1  # the trainer's alone
    assert study.best().feasible
