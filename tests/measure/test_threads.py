"""Threads of numerical libraries: what the environment grants, and one alone where matrices are small."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from scipy.linalg import lapack
from threadpoolctl import ThreadpoolController

import satisfice
from satisfice.measure.host import cores_allowed
from satisfice.report.context import StudyView
from satisfice.report.estimates import SurfaceEstimate, SurfaceEstimates
from satisfice.search.auto.sampler import AutoSampler
from satisfice.search.pruners.auto import AutoPruner
from satisfice.spec import parse_dict
from satisfice.spec.trial import TrialRecord, TrialState
from satisfice.threads import granted_threads, one_blas_thread

WORKER = [sys.executable, "-m", "satisfice.cli.main", "worker"]


def blas() -> list[int]:
    """Threads of every BLAS library in this process, as it stands."""
    return [lib.get_num_threads() for lib in ThreadpoolController().select(user_api="blas").lib_controllers]


@pytest.fixture
def _two() -> Iterator[None]:
    """Two threads for every BLAS library, also where there is one core."""
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        assert set(blas()) == {2}
        yield
        assert set(blas()) == {2}, "whoever limits threads puts them back"


# -- what the environment grants -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "threads"),
    [
        ("4", 4),
        ("4,2", 4),  # one for each level of nesting
        ("4, 2,1", 4),
        (" 4 ", 4),
        ("", None),
        (" ", None),
        (",2", None),
        ("0", None),
        ("0,2", None),
        ("-1", None),
        ("+", None),
        ("1.5", None),
        ("many", None),
        ("²", None),
        ("٤", None),
        ("99999999999", None),  # more than any library counts to
    ],
)
def test_the_grant_is_read_as_openmp_reads_it(text: str, threads: int | None) -> None:
    assert granted_threads({"OMP_NUM_THREADS": text}) == threads
    assert granted_threads({"OMP_NUM_THREADS": text, "MKL_NUM_THREADS": "3"}) == threads or 3


def test_nothing_said_is_no_grant() -> None:
    assert granted_threads({}) is None
    assert granted_threads({"MKL_NUM_THREADS": "2"}) == 2
    assert granted_threads({"OPENBLAS_NUM_THREADS": "1"}) is None  # BLAS alone: training is more


@pytest.mark.parametrize(("text", "threads"), [("3,2", 3), ("many", None), ("", None), ("0", None)])
def test_any_grant_begins_a_trial(monkeypatch: pytest.MonkeyPatch, text: str, threads: int | None) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    study = satisfice.create_study(SPEC, task=Own())
    assert study.ask().threads == (threads or max(1, int(cores_allowed())))


# -- one thread while small matrices are factored ------------------------------------------------------------


@pytest.mark.usefixtures("_two")
def test_blas_has_one_thread_inside_and_its_own_number_afterwards() -> None:
    with one_blas_thread():
        assert set(blas()) == {1}
        with one_blas_thread():
            assert set(blas()) == {1}
        assert set(blas()) == {1}
    assert set(blas()) == {2}
    with pytest.raises(KeyError), one_blas_thread():
        raise KeyError
    assert set(blas()) == {2}


@pytest.mark.usefixtures("_two")
@pytest.mark.parametrize("first", ["main", "other"])
def test_the_last_thread_out_puts_the_number_back(first: str) -> None:
    """Two overlap, neither inside the other: each alone would put back what it found."""
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with one_blas_thread():
            inside.set()
            leave.wait(300)

    thread = threading.Thread(target=other)
    if first == "other":
        thread.start()
        assert inside.wait(300)
    with one_blas_thread():
        if first == "main":
            thread.start()
            assert inside.wait(300)
        else:
            leave.set()
            thread.join()
        assert set(blas()) == {1}
    if first == "main":
        assert set(blas()) == {1}  # the other is inside still
        leave.set()
        thread.join()
    assert set(blas()) == {2}


@pytest.mark.usefixtures("_two")
def test_surfaces_are_fitted_with_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[int] = set()
    factor = lapack.dpotrf

    def spy(*arguments: Any, **options: Any) -> Any:
        seen.update(blas())
        return factor(*arguments, **options)

    monkeypatch.setattr(lapack, "dpotrf", spy)
    spec = parse_dict(SPEC, has_task=True)
    rng = np.random.default_rng(1)
    records = [
        TrialRecord(
            number=n,
            state=TrialState.COMPLETE,
            params=(p := spec.space.sample(rng)),
            metrics={"loss": p["x"]},
        )
        for n in range(12)
    ]
    view = StudyView(records=records, objectives=spec.objectives, constraints=(), space=spec.space)
    estimate = SurfaceEstimates(view).of("loss")
    assert isinstance(estimate, SurfaceEstimate)
    estimate.at(np.array([[0.5]]))
    assert seen == {1}


SPEC: dict[str, Any] = {
    "name": "own",
    "seed": 1,
    "objectives": {"loss": "minimize", "cost": "minimize"},
    "space": {"x": {"low": 0.0, "high": 1.0}},
    "budget": {"trials": 3, "epochs": 2},
}


class Own:
    """Tells what it was granted, and what it found."""

    def train(self, params: Mapping[str, Any], trial: Any) -> dict[str, float]:
        for step in (1, 2):
            trial.report(step, {"loss": params["x"], "cost": 1 - params["x"]})
            trial.should_prune()
        pools = ThreadpoolController().info()
        return {"granted": trial.threads, "most": max(pool["num_threads"] for pool in pools)}


def spied(method: Any, seen: list[int]) -> Any:
    """The method; notes the threads that BLAS has when it is called."""

    def call(*arguments: Any, **options: Any) -> Any:
        seen.extend(blas())
        return method(*arguments, **options)

    return call


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[int]]:
    """Threads during proposals and during decisions on pruning."""
    found: dict[str, list[int]] = {"propose": [], "decide": []}
    monkeypatch.setattr(AutoSampler, "propose", spied(AutoSampler.propose, found["propose"]))
    monkeypatch.setattr(AutoPruner, "decide", spied(AutoPruner.decide, found["decide"]))
    return found


@pytest.mark.usefixtures("_two")
def test_a_study_proposes_and_prunes_with_one_thread_and_trains_with_more(seen: dict[str, list[int]]) -> None:
    study = satisfice.create_study(SPEC, task=Own())
    study.optimize()
    assert set(seen["propose"]) == set(seen["decide"]) == {1}
    assert {r.metrics["most"] for r in study.records()} == {2}


@pytest.mark.usefixtures("_two")
def test_a_plain_optuna_study_proposes_and_prunes_with_one_thread(seen: dict[str, list[int]]) -> None:
    pruner = satisfice.SatisficePruner(["loss"], max_steps=2)

    def objective(trial: optuna.Trial) -> float:
        x = trial.suggest_float("x", 0, 1)
        pruner.report(trial, 1, {"loss": x})
        pruner.should_prune(trial)
        assert set(blas()) == {2}
        return x

    optuna.create_study(sampler=satisfice.SatisficeSampler(seed=1)).optimize(objective, n_trials=3)
    assert set(seen["propose"]) == set(seen["decide"]) == {1}


def test_a_worker_has_the_threads_that_it_was_given(tmp_path: Path, sqlite_url: str) -> None:
    """Whatever the environment said before, in the training's own words and in its libraries."""
    (tmp_path / "own_task.py").write_text(
        "import numpy, scipy.linalg\nfrom typing import Any\nfrom collections.abc import Mapping\n"
        "from threadpoolctl import ThreadpoolController\n" + inspect.getsource(Own)
    )
    spec = SPEC | {"task": {"entry": "own_task:Own"}, "budget": {"trials": 1}}
    study = satisfice.create_study(parse_dict(spec, source=tmp_path / "own.toml"), storage=sqlite_url)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "satisfice.cli.main",
            "worker",
            "own",
            "--storage",
            sqlite_url,
            "--threads",
            "1",
        ],
        env={**os.environ, "OMP_NUM_THREADS": "4,2", "OPENBLAS_NUM_THREADS": "2"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (record,) = study.records()
    assert (record.metrics["granted"], record.metrics["most"]) == (1, 1), record.reason
    study._opened.db.close()
