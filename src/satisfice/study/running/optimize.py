"""`Study.optimize`, in our words and in Optuna's."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from satisfice.errors import InputError
from satisfice.study.opening import Opened, can_be_replaced
from satisfice.study.optuna_api.objective import ObjectiveTask
from satisfice.study.optuna_api.study import OptunaStudy
from satisfice.study.running.one_call import Bar, allowance, as_callback, run_here, threads_of
from satisfice.study.running.parallel import run_workers

if TYPE_CHECKING:
    from satisfice.launch import Launcher
    from satisfice.results.status import Counts, Status
    from satisfice.study.lifecycle.session import Session
    from satisfice.study.running.allowance import Allowance


class Optimizes(OptunaStudy):
    """The part of `Study` that works."""

    if TYPE_CHECKING:
        _opened: Opened
        _running: list[Allowance]  # of the calls under way

        @property
        def _session(self) -> Session: ...
        def _new_session(self, label: str | None) -> Session: ...
        def status(self) -> Status:
            """See `Study`."""

        def counts(self) -> Counts:
            """See `Study`."""

    def optimize(
        self,
        workers: int | Callable[[Any], Any] = 1,
        n_trials: int | None = None,
        timeout: float | None = None,
        n_jobs: int | None = None,
        catch: object = (),
        callbacks: Sequence[Callable[[Any, Any], Any]] | None = None,
        gc_after_trial: bool = False,
        show_progress_bar: bool = False,
        *,
        func: Callable[[Any], Any] | None = None,
        engine: str | Launcher = "local",
        progress: Callable[[Counts], None] | None = None,
        timeout_s: float | None = None,
    ) -> None:
        """Work until the budget is spent, or until this call has done what it may.

        Args:
            workers: 1 runs in this process; more are started by the engine. Or, as in Optuna, the objective:
                a function of the trial, for a study that has no training code of its own.
            n_trials: At most so many further trials in this call, within the budget.
            timeout: Begin no further trial after so many seconds; what runs is finished.
            n_jobs: As ``workers`` where other processes can do the work, else threads of this one.
            catch: Accepted and not needed: an exception of training fails its trial alone.
            callbacks: Called with each trial and its state, or with the study and Optuna's trial: see
                `satisfice.study.running.one_call.as_callback` (in this process only).
            gc_after_trial: Collect garbage after each trial.
            show_progress_bar: On standard error.
            func: The objective, by Optuna's name for it.
            engine: "local", "ray", "slurm", or a launcher.
            progress: Called with the counts of `status` now and then.
            timeout_s: Stop after so long; what runs is given back.

        Raises:
            InputError: Several workers on a study in memory, or with a task that no other process can import.
        """
        del catch
        objective = workers if callable(workers) else func
        if objective is not None:
            self._train_by(objective)
        processes, threads = self._seats(
            1 if callable(workers) else workers,
            n_jobs,
            alone=engine == "local"
            and (bool(callbacks) or (n_trials, timeout) != (None, None) or gc_after_trial),
        )
        if processes > 1 or engine != "local":
            if (n_trials, timeout) != (None, None):
                raise InputError(
                    "n_trials and timeout bound the trials of this process, and other processes are to work",
                    hint="use n_jobs=, timeout_s=, or study.change(budget={'trials': ...})",
                )
            if callbacks:
                raise InputError(
                    "callbacks are called in this process, and other processes are to work",
                    hint="give progress=, or n_jobs= for threads of this process",
                )
            self._session  # noqa: B018  # enqueues the first trials before workers race for it
            run_workers(
                self._opened, processes, engine, progress=progress, status=self.counts, timeout_s=timeout_s
            )
            return
        may = allowance(n_trials, timeout)
        told = [as_callback(callback, self) for callback in callbacks or ()]
        if progress is not None:
            told.append(lambda _trial, _state: progress(self.counts()))
        sessions = [self._session, *(self._new_session(None) for _ in range(threads - 1))]
        self._running.append(may)
        try:
            with contextlib.ExitStack() as stack:
                if show_progress_bar:
                    told.append(stack.enter_context(Bar(self._left(n_trials))))
                run_here(sessions, told, may, stop_after_s=timeout_s, collect=gc_after_trial)
        finally:
            self._running.remove(may)

    def _seats(self, workers: int, n_jobs: int | None, *, alone: bool) -> tuple[int, int]:
        """How many processes are to work, or how many threads of this one.

        Args:
            workers: Processes.
            n_jobs: As Optuna says it.
            alone: Whether it must be this process.
        """
        if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
            raise InputError(f"workers = {workers!r}", hint="at least 1")
        threads = threads_of(n_jobs)
        if threads == 1:
            return workers, 1
        if workers > 1:
            raise InputError("both workers and n_jobs are given", hint="give workers")
        o = self._opened
        importable = o.spec.model is not None or o.spec.task is not None
        return (1, threads) if alone or o.db.in_memory or not importable else (threads, 1)

    def _train_by(self, objective: Callable[[Any], Any]) -> None:
        """Train by a function from now on.

        Raises:
            InputError: The study has training code of its own.
        """
        own = "[task]" if self.spec.task is not None else "[model]" if self.spec.model is not None else None
        if own is None and not can_be_replaced(self._opened.task):
            own = "a task object"
        if own is not None:
            raise InputError(
                f"the study trains by {own}, and an objective was given",
                hint="call study.optimize() without it; for a function of your own: "
                "create_study({...}, task=objective)",
            )
        task = ObjectiveTask(objective)
        self._opened = replace(self._opened, make_task=lambda: task)
        self.__dict__.pop("_session", None)

    def _left(self, n_trials: int | None) -> int:
        budget = self.counts()["budget"]
        left: int = max(0, budget["trials"] - budget["used"])
        return left if n_trials is None else min(left, n_trials)

    def stop(self) -> None:
        """Begin no further trial in the running `optimize`; called in a callback or in training code.

        Raises:
            InputError: None runs in this process.
        """
        if not self._running:
            raise InputError(
                "stop() works while optimize runs in this process",
                hint="call it in a callback or in training; workers elsewhere end by SIGTERM",
            )
        for may in self._running:
            may.stop()
