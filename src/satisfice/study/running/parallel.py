"""Several workers: a launcher starts them, and dead ones give their leases back at once."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from satisfice.errors import InputError, StorageLost, WorkersFailed
from satisfice.launch import Death, Job, Launcher, make_launcher
from satisfice.results.status import Counts
from satisfice.store.database.engine import Database
from satisfice.store.database.url import address
from satisfice.store.ledger.ledger import Ledger
from satisfice.store.reader import Reader
from satisfice.study.opening import Opened, ledger_of
from satisfice.study.running.same_failure import SameFailure

_PROGRESS_S = 1.0


def run_workers(
    opened: Opened,
    workers: int,
    engine: str | Launcher,
    *,
    progress: Callable[[Counts], None] | None,
    status: Callable[[], Counts],
    timeout_s: float | None,
) -> None:
    """Run workers in other processes to the end of the budget.

    Raises:
        InputError: The study lives in memory, or its task cannot be imported by another process.
        TrialsFailAlike: The first trials all failed in the same way.
    """
    if opened.db.in_memory:
        raise InputError(
            "a study in memory lives in this process only", hint="give a storage, or use workers=1"
        )
    if opened.spec.model is None and opened.spec.task is None:
        raise InputError(
            "the task is an object of this process",
            hint="name it in the study by [task] entry, or use workers=1",
        )
    launcher = make_launcher(engine) if isinstance(engine, str) else engine
    job = Job(
        study=opened.spec.name,
        storage=address(opened.db.url),
        workers=workers,
        timeout_s=timeout_s,
    )
    ledger = ledger_of(opened)
    tick, bury = _ticker(opened.db, progress, status), _undertaker(opened, ledger)
    same_failure = SameFailure(opened.db, Reader(opened.db, opened.rows, opened.row["uuid"], opened.spec))
    same_failure.begin(anew=True)
    try:
        launcher.run(job, on_tick=tick, on_death=bury)
    except WorkersFailed:
        same_failure.check()  # then that is why
        raise
    same_failure.check()


def _ticker(
    db: Database, progress: Callable[[Counts], None] | None, status: Callable[[], Counts]
) -> Callable[[], None] | None:
    if progress is None:
        return None
    last = [0.0]

    def tick() -> None:
        if time.monotonic() - last[0] > _PROGRESS_S:
            last[0] = time.monotonic()
            with contextlib.suppress(StorageLost):  # the workers wait for it too
                progress(db.promptly(status))

    return tick


def _undertaker(opened: Opened, ledger: Ledger) -> Callable[[Death], None]:
    def bury(death: Death) -> None:
        blame = death.ended.words if death.ended.cause.blames_trial else None
        ledger.leases.expire(death.worker, blame=blame)

    return bury
