"""A study, workers on it in processes of their own, and what must be true in the end however they died."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

import satisfice
from satisfice.store.database.engine import Database
from satisfice.store.database.url import resolve
from satisfice.store.tables import attempts, slots

TASK = Path(__file__).parent / "chaos_task.py"
CHECKPOINT_EVERY = 2
_CLOCK_S = 0.05  # between the database's clock and the one of the log, on one machine


class Epoch(NamedTuple):
    """One line of the log."""

    at: float  # seconds since 1970
    pid: int
    number: int
    epoch: int


@dataclass
class Harm:
    """What was done to a run, and what came of it: the summary line."""

    kills: int = 0
    stops: int = 0
    terms: int = 0
    restarts: int = 0
    attempts_lost: int = 0
    attempts_given_back: int = 0
    trials_with_a_takeover: int = 0
    epochs: int = 0
    epochs_twice: int = 0
    seconds: int = 0

    def __str__(self) -> str:
        return ", ".join(f"{getattr(self, f.name)} {f.name.replace('_', ' ')}" for f in fields(self))


class Crew:
    """Workers of one study.

    Args:
        folder: Of the test.
        url: The storage.
        trials: The budget.
        pause_s: How long an epoch takes.
        epochs: Of one trial.
        lease_s: How long a silent worker keeps its trial.
        through: The storage as the workers reach it, where that is another way.
    """

    def __init__(
        self,
        folder: Path,
        url: str,
        *,
        trials: int,
        pause_s: float,
        epochs: int = 8,
        lease_s: float = 4.0,
        through: str | None = None,
    ) -> None:
        self.folder, self.url, self.trials, self.epochs_each = folder, url, trials, epochs
        self.through = through or url
        self.log = folder / "epochs.log"
        self.harm = Harm()
        self.workers: list[subprocess.Popen[bytes]] = []
        self._killed: set[int] = set()
        self._asked: set[int] = set()
        self._told: dict[int, str] = {}
        self._began = time.monotonic()
        self._environment = os.environ | {
            "SATISFICE_LEASE_SECONDS": str(lease_s),
            "SATISFICE_ARTEFACTS": str(folder / "artefacts"),
            "OMP_NUM_THREADS": "1",
        }
        shutil.copy(TASK, folder)
        self.study_file = folder / "chaos.toml"
        self.study_file.write_text(
            f"""
name = "chaos"
seed = 4
[task]
entry = "chaos_task:Chaotic"
log = "{self.log}"
epochs = {epochs}
pause_s = {pause_s}
[objectives]
accuracy = "maximize"
size_mb = "minimize"
[constraints]
size_mb = "<= 1.0"
[space]
rate = {{ low = 0.0, high = 1.0 }}
width = {{ low = 1, high = 20 }}
[budget]
trials = {trials}
epochs = {epochs}
[search]
sampler = "random"
pruner = "none"
"""
        )

    def define(self) -> None:
        satisfice.create_study(self.study_file, storage=self.url)._opened.db.close()

    # -- workers --------------------------------------------------------------------------------------------

    def start(self) -> subprocess.Popen[bytes]:
        """One more worker."""
        with (self.folder / "workers.log").open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "satisfice.cli.main", "worker", "chaos"],
                cwd=self.folder,
                env=self._environment | {"SATISFICE_STORAGE": self.through},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.workers.append(worker)
        return worker

    def alive(self) -> list[subprocess.Popen[bytes]]:
        return [w for w in self.workers if w.poll() is None]

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        """SIGKILL."""
        self._killed.add(worker.pid)
        worker.kill()
        worker.wait()
        self.harm.kills += 1

    def stop(self, worker: subprocess.Popen[bytes]) -> None:
        """SIGSTOP: it will be taken for dead."""
        worker.send_signal(signal.SIGSTOP)
        self.harm.stops += 1

    def wake(self, worker: subprocess.Popen[bytes]) -> None:
        """SIGCONT."""
        worker.send_signal(signal.SIGCONT)

    def ask_to_leave(self, worker: subprocess.Popen[bytes]) -> None:
        """SIGTERM; it must be gone after ten seconds."""
        self._asked.add(worker.pid)
        worker.terminate()
        worker.wait(timeout=10)
        self.harm.terms += 1

    def wait(self, deadline: float) -> None:
        """Until all workers have left of themselves."""
        while self.alive():
            assert time.monotonic() < deadline, f"{self.finished()} of {self.trials} after all this time"
            self.finished()
            time.sleep(0.5)
        self.harm.seconds = round(time.monotonic() - self._began)

    def end(self) -> None:
        for worker in self.alive():
            worker.kill()
            worker.wait()

    # -- what is there --------------------------------------------------------------------------------------

    def finished(self) -> int:
        """How many trials were told. What was told before must still be there, as it was."""
        db = Database(resolve(self.url))
        try:
            with db.read() as connection:
                query = sa.select(slots.c.number, slots.c.metrics).where(slots.c.phase == "done")
                told = {int(number): str(metrics) for number, metrics in connection.execute(query)}
        finally:
            db.close()
        assert told.items() >= self._told.items()
        self._told = told
        return len(told)

    def epochs(self) -> list[Epoch]:
        """Every epoch that was trained, in order."""
        written = self.log.read_text() if self.log.exists() else ""
        lines = (line.split() for line in written.splitlines())
        return sorted(Epoch(float(at), int(pid), int(n), int(epoch)) for at, pid, n, epoch in lines)

    # -- what must be true ----------------------------------------------------------------------------------

    def assert_nothing_lost(self) -> None:
        """What the issue and README promise. Fills in the summary."""
        assert self.finished() == self.trials
        study = satisfice.load_study("chaos", storage=self.url)
        try:
            self._assert_all_told(study)
            with study._opened.db.read() as connection:
                query = sa.select(attempts).order_by(attempts.c.number, attempts.c.attempt)
                rows = connection.execute(query).mappings().all()
        finally:
            study._opened.db.close()
        self._assert_none_trained_twice(rows)
        self._assert_workers_left_as_they_should()

    def _assert_all_told(self, study: satisfice.Study) -> None:
        words = (self.folder / "workers.log").read_text()[-3000:]
        records, trials = study.records(with_reports=True), study.optuna_study.trials
        # Exactly the budget, each trained to its end, none RUNNING.
        assert Counter(t.state.name for t in trials) == {"COMPLETE": self.trials}, words
        assert [t.number for t in trials] == [r.number for r in records] == list(range(self.trials))
        for record, trial in zip(records, trials, strict=True):
            # Went on from where it was: each epoch counts once in the score, whoever trained it.
            assert abs(record.metrics["accuracy"] - (1 - (record.params["rate"] - 0.3) ** 2)) < 1e-9
            assert trial.values == [record.metrics["accuracy"], record.metrics["size_mb"]]
            assert trial.constraints == dict(record.violations)
            assert record.metrics["size_mb"] <= 1.0
            assert record.steps == self.epochs_each
            assert sorted(record.reports) == list(range(1, self.epochs_each + 1))
        found = {(r.metrics["accuracy"], r.metrics["size_mb"]) for r in study.pareto_front()}
        points = [(r.metrics["accuracy"], r.metrics["size_mb"]) for r in records]
        assert found == {
            p for p in points if not any(q[0] >= p[0] and q[1] <= p[1] and q != p for q in points)
        }

    def _assert_none_trained_twice(self, rows: Sequence[Mapping[Any, Any]]) -> None:
        outcomes: dict[int, list[str | None]] = {}
        for row in rows:
            outcomes.setdefault(row["number"], []).append(row["outcome"])
        assert sorted(outcomes) == list(range(self.trials))
        for attempted in outcomes.values():  # lost, preempted, ..., and then told, once
            assert attempted[-1] == "told"
            assert set(attempted[:-1]) <= {"lost", "preempted"}
        # By our own tables: MariaDB keeps Optuna's times in whole seconds only.
        told_at = {row["number"]: float(row["ended_at"]) for row in rows if row["outcome"] == "told"}
        trained = self.epochs()
        late = [e for e in trained if e.at > told_at[e.number] + _CLOCK_S]
        assert not late, late

        done = Counter((e.number, e.epoch) for e in trained)
        assert set(done) == {(n, e) for n in range(self.trials) for e in range(1, self.epochs_each + 1)}
        twice: Counter[int] = Counter()
        for (number, _), times in done.items():
            twice[number] += times - 1
        for number, attempted in outcomes.items():
            assert twice[number] <= CHECKPOINT_EVERY * (len(attempted) - 1), (number, attempted)
        lost = sum(attempted.count("lost") for attempted in outcomes.values())
        assert lost <= self.harm.kills + self.harm.stops  # nobody else lost a trial
        assert sum(twice.values()) <= CHECKPOINT_EVERY * (lost + self.harm.terms)
        self.harm.attempts_lost = lost
        self.harm.attempts_given_back = sum(a.count("preempted") for a in outcomes.values())
        self.harm.trials_with_a_takeover = sum(len(a) > 1 for a in outcomes.values())
        self.harm.epochs, self.harm.epochs_twice = len(trained), sum(twice.values())

    def _assert_workers_left_as_they_should(self) -> None:
        words = (self.folder / "workers.log").read_text()[-3000:]
        for worker in self.workers:
            if worker.pid in self._killed:
                expected = {-signal.SIGKILL}
            elif worker.pid in self._asked:
                # Before its handlers were there, the signal itself ended it.
                expected = {128 + signal.SIGTERM, -signal.SIGTERM}
            else:
                expected = {0}
            assert worker.returncode in expected, words
