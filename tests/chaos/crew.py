"""A study, workers on it in processes of their own, and what must be true in the end however they died."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import sqlalchemy as sa

import satisfice
from satisfice.store.engine import Database
from satisfice.store.tables import attempts, slots
from satisfice.store.url import resolve

TASK = Path(__file__).parent / "chaos_task.py"
EPOCHS = 8
CHECKPOINT_EVERY = 2


class Crew:
    """Workers of one study.

    Args:
        folder: Of the test.
        url: The storage.
        trials: The budget.
        pause_s: How long an epoch takes.
        lease_s: How long a silent worker keeps its trial.
    """

    def __init__(self, folder: Path, url: str, *, trials: int, pause_s: float, lease_s: float = 4.0) -> None:
        self.folder, self.url, self.trials = folder, url, trials
        self.log = folder / "epochs.log"
        self.kills = 0
        self.workers: list[subprocess.Popen[bytes]] = []
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
epochs = {EPOCHS}
[search]
sampler = "random"
pruner = "none"
"""
        )

    def define(self) -> None:
        satisfice.create_study(self.study_file, storage=self.url)._opened.db.close()

    def start(self) -> subprocess.Popen[bytes]:
        """One more worker."""
        with (self.folder / "workers.log").open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "satisfice.cli.main", "worker", "chaos", "--storage", self.url],
                cwd=self.folder,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.workers.append(worker)
        return worker

    def alive(self) -> list[subprocess.Popen[bytes]]:
        return [w for w in self.workers if w.poll() is None]

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        self.kills += 1

    def finished(self) -> int:
        """Trials that were told."""
        db = Database(resolve(self.url))
        try:
            with db.read() as connection:
                query = sa.select(sa.func.count()).where(slots.c.phase == "done")
                return int(connection.execute(query).scalar_one())
        finally:
            db.close()

    def wait(self, deadline: float) -> None:
        """Until all workers have left of themselves."""
        while self.alive():
            assert time.monotonic() < deadline, f"{self.finished()} of {self.trials} after all this time"
            time.sleep(0.2)

    def end(self) -> None:
        for worker in self.alive():
            worker.kill()
            worker.wait()

    def epochs(self) -> list[tuple[float, int, int]]:
        """When which trial trained which epoch."""
        lines = (line.split() for line in self.log.read_text().splitlines())
        return sorted((float(at), int(number), int(epoch)) for at, _pid, number, epoch in lines)

    def assert_nothing_lost(self) -> None:
        """What issue and README promise."""
        study = satisfice.load_study("chaos", storage=self.url)
        try:
            self._assert_on(study)
        finally:
            study._opened.db.close()

    def _assert_on(self, study: satisfice.Study) -> None:
        records = study.records()
        trials = study.optuna_study.trials
        words = (self.folder / "workers.log").read_text()[-3000:]
        assert Counter(t.state.name for t in trials) == {"COMPLETE": self.trials}, words
        assert [t.number for t in trials] == list(range(self.trials))
        with study._opened.db.read() as connection:
            phases = Counter(connection.execute(sa.select(slots.c.phase)).scalars())
            query = sa.select(attempts.c.number, attempts.c.ended_at).where(attempts.c.outcome == "told")
            ends = [(number, float(at)) for number, at in connection.execute(query)]
        told, told_at = Counter(number for number, _ in ends), dict(ends)
        assert phases == {"done": self.trials}
        assert told == dict.fromkeys(range(self.trials), 1)  # every result told, each once

        trained = self.epochs()
        # By our own tables: MariaDB keeps Optuna's times in whole seconds only.
        assert all(at <= told_at[number] + 0.5 for at, number, _ in trained)
        for record, trial in zip(records, trials, strict=True):
            score = sum([(1 - (record.params["rate"] - 0.3) ** 2) / EPOCHS] * EPOCHS)
            assert abs(record.metrics["accuracy"] - score) < 1e-9  # went on from where it was
            assert trial.values == [record.metrics["accuracy"], record.metrics["size_mb"]]
            assert trial.constraints == dict(record.violations)
            assert record.metrics["size_mb"] <= 1.0
            assert record.steps == EPOCHS
        done = Counter((number, epoch) for _, number, epoch in trained)
        assert set(done) == {(n, e) for n in range(self.trials) for e in range(1, EPOCHS + 1)}
        twice = sum(times - 1 for times in done.values())
        assert twice <= CHECKPOINT_EVERY * self.kills
        front = study.pareto_front()
        assert front
        feasible = [r.metrics for r in records]
        for r in front:
            assert not any(
                m["accuracy"] > r.metrics["accuracy"] and m["size_mb"] <= r.metrics["size_mb"]
                for m in feasible
            )
