"""One call of ``optimize`` in this process: how much it may do, in how many threads, and whom it tells."""

from __future__ import annotations

import gc
import inspect
import os
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from optuna.trial import TrialState

from satisfice.errors import InputError
from satisfice.study.lifecycle.trial import Trial
from satisfice.study.running.allowance import Allowance
from satisfice.study.running.worker import Callback, Worker

if TYPE_CHECKING:
    from satisfice.study.lifecycle.session import Session
    from satisfice.study.optuna_api.study import OptunaStudy


def threads_of(n_jobs: int | None) -> int:
    """Optuna's count of jobs; -1 stands for the processors.

    Raises:
        InputError: It is none.
    """
    if n_jobs is None:
        return 1
    if n_jobs == -1:
        return os.cpu_count() or 1
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, int) or n_jobs < 1:
        raise InputError(f"n_jobs = {n_jobs!r} is no count", hint="at least 1, or -1 for every processor")
    return n_jobs


def allowance(n_trials: int | None, timeout: float | None) -> Allowance:
    """What one call may do.

    Raises:
        InputError: An argument is no count, or no time.
    """
    if n_trials is not None and (isinstance(n_trials, bool) or not isinstance(n_trials, int) or n_trials < 0):
        raise InputError(f"n_trials = {n_trials!r} is no count", hint="a whole number, or None")
    if timeout is not None and (isinstance(timeout, bool) or not timeout >= 0):
        raise InputError(f"timeout = {timeout!r} is no time", hint="seconds, or None")
    return Allowance(trials=n_trials, timeout_s=timeout)


def as_callback(callback: Callable[[Any, Any], Any], study: OptunaStudy) -> Callback:
    """A callback of ours, ``(trial, state)``, or of Optuna's, ``(study, trial)``, told by parameter names.

    One whose first parameter is called ``study``, or is annotated as one, is Optuna's; so is one called ``s``
    beside another called ``t``.
    """
    if not _is_optunas(callback):
        return callback

    def told(trial: Trial, _state: TrialState) -> None:
        callback(study, study.get_trials(deepcopy=False)[trial.number])

    return told


def _is_optunas(callback: Callable[..., Any]) -> bool:
    try:
        parameters = list(inspect.signature(callback).parameters.values())[:2]
    except (TypeError, ValueError):  # of a built-in
        return False
    names = [p.name.strip("_").lower() for p in parameters]
    if len(names) < 2:
        return False
    annotated = [str(getattr(p.annotation, "__name__", p.annotation)) for p in parameters]
    is_study = names[0].endswith("study") or annotated[0].rpartition(".")[2] == "Study"
    return is_study or names[0] == "s" or names[1] in ("frozen_trial", "frozentrial")


def run_here(
    sessions: Iterable[Session],
    callbacks: Iterable[Callback],
    may: Allowance,
    *,
    stop_after_s: float | None,
    collect: bool,
) -> None:
    """Work in this process: one worker a session, each in a thread where there are several.

    Args:
        sessions: One a worker.
        callbacks: Called after each trial.
        may: How much is to be done.
        stop_after_s: Stop then; what runs is given back.
        collect: Collect garbage after each trial.
    """
    stop = threading.Event()
    told = [*callbacks, *([_collect] if collect else [])]
    timer = threading.Timer(stop_after_s, stop.set) if stop_after_s is not None else None
    if timer is not None:
        timer.daemon = True
        timer.start()
    try:
        workers = [Worker(session, stop=stop, callbacks=told, allowance=may) for session in sessions]
        if len(workers) == 1:
            workers[0].run()
            return
        with ThreadPoolExecutor(len(workers)) as pool:
            running = [pool.submit(worker.run) for worker in workers]
            try:
                for each in running:
                    each.result()
            except BaseException:
                stop.set()
                raise
    finally:
        if timer is not None:
            timer.cancel()


def _collect(_trial: Trial, _state: TrialState) -> None:
    gc.collect()


class Bar:
    """A progress bar on standard error.

    Args:
        total: How many trials there are to come.
    """

    def __init__(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import Progress

        self._progress = Progress(console=Console(stderr=True))
        self._total = total
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        """Show it."""
        self._progress.start()
        self._task = self._progress.add_task("trials", total=self._total)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave it where it is."""
        self._progress.stop()

    def __call__(self, _trial: Trial, _state: TrialState) -> None:
        """One more."""
        self._progress.advance(self._task)
