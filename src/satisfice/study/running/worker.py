"""The worker loop: claim, train, tell, again until the budget is spent or somebody says stop."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import traceback as traceback_module
from collections.abc import Callable, Sequence
from typing import Any

import optuna
from optuna.trial import TrialState

from satisfice.errors import (
    AcceleratorLost,
    BadReport,
    BudgetSpent,
    CannotWrite,
    Diverged,
    InputError,
    LeaseLost,
    NoFeasibleProposal,
    SatisficeError,
    StorageLost,
)
from satisfice.launch.worker_process import WORKER_VARIABLE
from satisfice.store import capacity
from satisfice.store import workers as presence
from satisfice.store.atomic_files import disk_full
from satisfice.store.tables import storable
from satisfice.study.lifecycle.held_lease import Preempted
from satisfice.study.lifecycle.reported import as_floats
from satisfice.study.lifecycle.running_trial import RunningTrial
from satisfice.study.lifecycle.session import Session
from satisfice.study.lifecycle.trial import Trial
from satisfice.study.running.allowance import Allowance
from satisfice.study.running.deferred_timing import DeferredTimer
from satisfice.study.running.lease_keeper import LeaseKeeper
from satisfice.study.running.same_failure import SameFailure
from satisfice.study.running.surroundings import Surroundings

logger = logging.getLogger(__name__)

Callback = Callable[[Trial, TrialState], None]

_POLL_S = (0.2, 3.0)  # between looks at slots that others hold


class Worker:
    """One worker on one study.

    Args:
        session: Its connection.
        label: For `[measure] on`.
        stop: Set from outside to give the trial back and leave.
        callbacks: Called after each trial that this worker told.
        allowance: How much it may do; None: all of the budget.
    """

    def __init__(
        self,
        session: Session,
        *,
        label: str | None = None,
        stop: threading.Event | None = None,
        callbacks: Sequence[Callback] = (),
        allowance: Allowance | None = None,
    ) -> None:
        self._allowance = allowance or Allowance()
        self._session = session
        self._label = label
        self._stop = stop or threading.Event()
        self._callbacks = callbacks
        self._broken: Exception | None = None  # what the GPU said last in this process
        self._keeper = LeaseKeeper(session)
        self._surroundings: Surroundings
        self._verdicts = DeferredTimer(session)
        self._same_failure = SameFailure(session.db, session.reader)

    def run(self) -> str:
        """Work to the end; returns why it ended.

        Raises:
            NoFeasibleProposal: Nothing that fits was found and no trial could be begun.
            TrialsFailAlike: The first trials all failed in the same way.
            AcceleratorLost: A trial failed on the GPU, and all others of this process would.
        """
        session = self._session
        reason = "it was interrupted"
        if not session.db.in_memory and self._join():
            # What its earlier life held is free.
            session.ledger.leases.expire(session.ledger.worker, blame=None)
        self._keeper.start()
        self._surroundings = Surroundings()
        try:
            self._same_failure.begin(self._stop, anew=WORKER_VARIABLE not in os.environ)
            reason = self._loop()
        except SatisficeError as error:
            reason = str(error)
            raise
        finally:
            self._surroundings.close()
            self._keeper.stop()
            if not session.db.in_memory:
                self._leave(reason)
        return reason

    def _join(self) -> bool:
        s = self._session
        capacity.check_label(s.db, self._label)
        return presence.join(s.db, s.ledger.worker, s.ledger.uuid, s.host, self._label)

    def _loop(self) -> str:
        pause = _POLL_S[0]
        while not self._stop.is_set():
            self._verdicts.settle(self._stop)
            if not self._allowance.take():
                return "it did what it was asked for"
            try:
                with self._surroundings:
                    trial = self._session.ask()
            except BudgetSpent as spent:
                self._allowance.give_back()
                if not spent.others_hold:
                    self._verdicts.settle(self._stop)  # what was told since
                    return spent.message
                self._stop.wait(pause)  # a trial that another worker holds may come back
                pause = min(pause * 1.5, _POLL_S[1])
                continue
            except LeaseLost:
                self._allowance.give_back()
                continue
            except NoFeasibleProposal:
                self._verdicts.settle(self._stop)
                raise
            pause = _POLL_S[0]
            state = self._one(trial)
            if state is None:
                self._allowance.give_back()
            if self._broken is not None:
                said = str(self._broken).partition("\n")[0]
                raise AcceleratorLost(
                    f"the GPU failed in trial {trial.number} ({said}), and this process can use it no more",
                    hint="a new process goes on: run the command again",
                ) from self._broken
            if state is TrialState.FAIL:
                self._same_failure.look(trial.number, self._stop)
        return "it was asked to stop"

    def _one(self, trial: RunningTrial) -> TrialState | None:
        trial.lease.stop = self._stop
        trial.lease.kept = not self._session.db.in_memory
        self._keeper.trial = trial
        shown = Trial(trial)
        try:
            with self._session.quiet.training():
                state = self._train(trial, shown)
        except LeaseLost as lost:
            logger.warning("%s; what this worker did for it is dropped", lost)
            return None
        finally:
            self._keeper.trial = None
        if state is not None:
            for callback in self._callbacks:
                callback(shown, state)
        return state

    def _train(self, trial: RunningTrial, shown: Trial) -> TrialState | None:
        session = self._session
        try:
            with self._surroundings:
                metrics = session.task.train(dict(trial.params), shown)  # a copy: it may change
            return self._finish(trial, metrics)
        except (Diverged, optuna.TrialPruned) as error:
            return session.tell(trial, state=TrialState.PRUNED, reason=_why_pruned(error))
        except Preempted:
            self._give_back(trial)
            return None
        except (LeaseLost, StorageLost):  # nothing can be given back
            raise
        except BadReport as error:  # what its training code handed over is its own fault
            return self._failed(trial, error)
        except SatisficeError as error:
            own = session.spec.model is None  # a person's own code may raise any of them
            if own and not isinstance(error, CannotWrite):  # the next trial would meet the same full disk
                return self._failed(trial, error)
            self._give_back(trial)
            raise
        except MemoryError:
            return self._died(trial, "out of memory")
        except Exception as error:  # noqa: BLE001  # whatever a person's training code raises fails this trial only
            return self._raised(trial, error)
        except BaseException:  # an interrupt, an exit: not the trial's fault
            self._give_back(trial)
            raise

    def _finish(self, trial: RunningTrial, metrics: Any) -> TrialState:
        """Tell what training returned."""
        session, stopped = self._session, trial.stop_reason is not None
        after = {} if stopped else self._after(trial)
        returned = {} if metrics is None else as_floats(metrics, session.spec.objectives[0].metric)
        told = TrialState.PRUNED if stopped else TrialState.COMPLETE
        state = session.tell(trial, {**returned, **after}, state=told)
        if state is TrialState.FAIL:
            logger.warning("trial %d failed: %s", trial.number, trial.reason)
        return state

    def _raised(self, trial: RunningTrial, error: Exception) -> TrialState | None:
        """Training code raised; called while the error is handled.

        Raises:
            CannotWrite: The disk is full: the trial is given back, since the next one would meet the same.
        """
        full = disk_full(error)
        if full is not None:
            self._give_back(trial)
            raise full from error
        if type(error).__name__ == "OutOfMemoryError":  # torch's; torch need not be imported
            return self._died(trial, "out of memory")
        if type(error).__name__ == "AcceleratorError":  # torch's: CUDA refuses all that follows
            self._broken = error
        return self._failed(trial, error)

    def _failed(self, trial: RunningTrial, error: Exception) -> TrialState:
        """The trial alone fails; called while the error is handled."""
        text = traceback_module.format_exc()
        reason = (
            _in_words(error)
            if isinstance(error, InputError)
            else f"{type(error).__name__}: {_in_words(error)}"
        )
        logger.warning("trial %d failed: %.1000s", trial.number, storable(reason))
        return self._session.tell(trial, state=TrialState.FAIL, reason=reason, traceback=text)

    def _after(self, trial: RunningTrial) -> dict[str, float]:
        """Timings known only after fitting."""
        session = self._session
        wanted = [m for m in session.spec.metric_names if m not in trial.metrics]
        load = getattr(session.task, "load_model", None)
        if not wanted or load is None or trial.model_path is None:
            return {}
        found = session.evaluator.after(trial.params, load(trial.params, trial.model_path))
        if found:
            trial.measured_on = session.host
        return found

    def _died(self, trial: RunningTrial, reason: str) -> TrialState | None:
        session = self._session
        again = session.ledger.leases.died(trial.claim, reason)
        if again:
            trial.lease.finished = True
            return None
        return session.tell(trial, state=TrialState.FAIL, reason=reason)

    def _give_back(self, trial: RunningTrial) -> None:
        session = self._session
        with trial.sending:
            with contextlib.suppress(LeaseLost):  # somebody has it already
                session.ledger.leases.give_back(trial.claim, trial.unsent, "asked to stop")
            trial.unsent = []
            trial.lease.finished = True

    def _leave(self, reason: str) -> None:
        try:
            presence.leave(self._session.db, self._session.ledger.worker, reason)
        except Exception as error:  # noqa: BLE001  # a worker that cannot say goodbye is found by its silence
            logger.info("could not sign off: %s", type(error).__name__)


def _in_words(error: Exception) -> str:
    """What an error says, if it can say it."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001  # a stranger's __str__ may raise anything
        return "(it does not say)"


def _why_pruned(error: Diverged | optuna.TrialPruned) -> str:
    if isinstance(error, Diverged):
        return f"diverged: {error}"
    return str(error) or "its own code pruned it"
