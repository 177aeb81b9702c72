"""One running trial, as a task and as a person with ask and tell see it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, overload

from satisfice.errors import BadReport, InputError, LeaseLost, StorageLost, TrialFinished
from satisfice.search.history import rungs
from satisfice.spec.metric import updated
from satisfice.study.lifecycle.checkpoint import Checkpoints, kept_model, save_model
from satisfice.study.optuna_api.trial import OptunaTrial, report_of

if TYPE_CHECKING:
    from satisfice.store.ledger.study_rows import StepReport
    from satisfice.store.ledger.types import Claim
    from satisfice.study.lifecycle.session import Session

_FLUSH_S = 2.0  # reports wait at most so long before others can see them
_LAST_STEP = 2**63 - 1  # that every database counts to
_AWAY_S = 5.0  # between tries to reach a database that is away


class Preempted(BaseException):
    """The worker was asked to stop: the trial is given back. No `Exception`: a task must not swallow it."""


class Trial(OptunaTrial):
    """A trial that this process holds the lease of.

    Training never waits for a database that is away: reports wait instead, and no decision is taken. They go
    into the next checkpoint, so that they are not lost with this process. Only `tell` has to wait.

    Attributes:
        number: As in Optuna.
        params: Active parameters only.
        metrics: Known so far: those from before training, then what was reported last.
        seed: Of the trial's own random stream.
        max_epochs: Epochs that the budget allows it.
        threads: CPU threads this worker may use.
    """

    def __init__(
        self,
        session: Session,
        claim: Claim,
        *,
        params: Mapping[str, Any],
        known: Mapping[str, float],
        replicate_of: int | None,
        measured_on: str | None = None,
    ) -> None:
        assert claim.number is not None
        self.number: int = claim.number
        self.params: Mapping[str, Any] = dict(params)
        self.seed = claim.seed
        self.max_epochs = claim.max_epochs
        self.threads = session.threads
        self.known = dict(known)
        self.metrics = dict(known)
        self.replicate_of = replicate_of
        self.measured_on = measured_on  # host that its timings are from
        self.claim = claim
        self.stop_reason: str | None = None
        self.reason: str | None = None  # why it was pruned or failed, once it is told
        self.model_path = kept_model(session.artefacts, self.number, claim.attempt)  # of an earlier attempt
        self.stop: threading.Event | None = None
        self.lost = threading.Event()
        self.finished = False
        self.kept = False  # whether a thread of the worker renews the lease and sends reports
        self.sending = threading.Lock()  # held by whoever stores what is pending
        self._session = session
        self._last_step = claim.last_step
        self._reached = claim.last_step  # by the report before the last one
        self._flushed_at = self._checked_at = self.renewed_at = time.monotonic()
        self._away_until = 0.0  # no other try before
        self._slept = False  # past its lease, and has not heard since whether the trial is still its own
        self._checkpoints = Checkpoints(session.artefacts, self.number, claim.attempt)
        self.pending = self._checkpoints.reports(after=claim.last_step)
        self._recovered = {step for step, _ in self.pending}  # of earlier attempts, stored meanwhile or not

    def __repr__(self) -> str:
        """Number and parameters, and the metrics known so far."""
        return f"Trial(number={self.number}, params={dict(self.params)!r}, metrics={self.metrics!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        """No copy of a trial can exist: this process holds its lease.

        Raises:
            InputError: Always; says what to hand on instead.
        """
        raise InputError(
            f"trial {self.number} cannot be pickled or copied, because this process holds its lease",
            hint="hand on trial.number and trial.params, and report and tell here; "
            "or pickle the study, and ask in the other process",
        )

    @overload
    def report(self, step: int, metrics: Mapping[str, float]) -> None: ...

    @overload
    def report(self, value: float, step: int) -> None: ...

    def report(self, *args: Any, **given: Any) -> None:
        """StepReport metrics after ``step`` epochs (1-based); several objectives are welcome.

        As in Optuna, ``report(value, step)`` is understood where there is one objective.

        Raises:
            BadReport: A metric is no number, or the step is none.
            LeaseLost: Another worker has the trial.
            TrialFinished: It was told.
        """
        self._check()
        step, metrics = report_of(args, given, self.objective_names)
        if not is_step(step):
            raise BadReport(f"step = {step!r:.80} is no step", hint=_step_hint(step))
        values = as_floats(metrics)
        self.metrics = updated(self.metrics, values)
        # Judged where a step that trials are judged at is reached, or passed by since the report before.
        again = int(step) == self._last_step
        reached, self._last_step = max(self._reached, self._last_step), int(step)
        if self._last_step != reached:
            self._reached = reached
        self.pending.append((int(step), values))
        # At the steps where trials are judged, whoever judges must see this report.
        judged = self._is_rung() if again else self._is_decision_step()
        if judged or (self.is_due and not self.kept):
            self._try(self.flush)
        self._session.quiet.batch_end()

    def should_prune(self) -> bool:
        """Whether the trial cannot matter any more, by all objectives and constraints; decided at few steps.

        Raises:
            LeaseLost: Another worker has the trial.
        """
        self._check()
        if self.stop_reason is None and self.replicate_of is None and self._is_decision_step():
            self._try(self._decide)
        return self.stop_reason is not None

    def _decide(self) -> None:
        self.flush()
        decision = self._session.decide(self.number)
        if decision.stop:
            self.stop_reason = decision.reason or f"pruned at step {self._last_step}"

    def _is_rung(self) -> bool:
        """Whether trials are judged at the last step itself."""
        session = self._session
        return self._last_step > 0 and session.pruner.is_decision_step(self._last_step, session.max_steps)

    def _is_decision_step(self) -> bool:
        is_one, most = self._session.pruner.is_decision_step, self._session.max_steps
        passed = (step for step in rungs(most) if self._reached < step < self._last_step)
        return self._is_rung() or (self._last_step > 0 and any(is_one(step, most) for step in passed))

    @property
    def is_due(self) -> bool:
        """Whether reports have waited long enough."""
        return bool(self.pending) and time.monotonic() - self._flushed_at > _FLUSH_S

    def flush(self) -> None:
        """Make reports visible to all workers; renews the lease.

        Raises:
            LeaseLost: Another worker has the trial.
            StorageLost: The database does not answer now; the reports wait.
        """
        if self.pending:
            self._session.flush(self)

    def send(self) -> tuple[int, list[StepReport]]:
        """Store the reports that wait, from whichever thread; the study's revision, and what was stored.

        Raises:
            LeaseLost: Another worker has the trial.
        """
        with self.sending:
            body = list(self.pending)
            revision = self._session.ledger.flush(self.claim, body) if body else 0
            del self.pending[: len(body)]
            if body:
                self._flushed_at = self.renewed_at = time.monotonic()
            return revision, body

    def _try(self, action: Callable[[], None]) -> None:
        """Do it if the database answers. Else training goes on, and there is another try later."""
        if time.monotonic() < self._away_until:
            return
        try:
            action()
        except StorageLost:
            self._away_until = time.monotonic() + _AWAY_S

    def keep_alive(self) -> None:
        """Renew the lease, for long stretches without a report.

        Raises:
            LeaseLost: Another worker has the trial.
        """
        self._check()
        self._try(self._renew)

    def _renew(self) -> None:
        self._session.db.promptly(lambda: self._session.ledger.renew(self.claim))
        self._renewed()

    def _renewed(self) -> None:
        self.renewed_at = time.monotonic()
        self._slept = False

    def batch_end(self) -> None:
        """Call between batches: lets a latency measurement have the host's quiet for a short while."""
        self._check()
        self._session.quiet.batch_end()

    def save_checkpoint(self, state: Any) -> None:
        """Keep a state to go on from: a path, bytes, JSON content, or tensors."""
        self._check()
        # Who goes on from here does not report again what came before.
        self._checkpoints.save(state, list(self.pending))

    def load_checkpoint(self) -> Any:
        """The state saved last, by whichever worker, or None."""
        state = self._checkpoints.load()
        # Perhaps by one that was asleep when this attempt began: what it had to report came with it.
        late = self._checkpoints.reports(after=max(self.claim.last_step, self._last_step))
        new = [(step, metrics) for step, metrics in late if step not in self._recovered]
        self._recovered.update(step for step, _ in new)
        # At the end: another thread may be storing those at the front, which it then takes away.
        self.pending.extend(new)
        return state

    def discard_checkpoints(self) -> None:
        """Remove the trial's checkpoints."""
        self._checkpoints.discard()

    def save_model(self, model: Any) -> None:
        """Keep the model that scored: a torch module, a state dict, or the path of a file (copied).

        Raises:
            InputError: It could not be loaded again: there is no such file, its tensors are not those of the
                task's ``build(params)``, or it holds something else than tensors.
        """
        self._check()
        session = self._session
        self.model_path = save_model(
            session.artefacts,
            self.number,
            self.claim.attempt,
            model,
            task=session.task,
            params=self.params,
        )

    def _check(self) -> None:
        if self.finished:
            raise TrialFinished(f"trial {self.number} was told already")
        if self.lost.is_set():
            raise LeaseLost(f"trial {self.number} was taken over by another worker")
        if self.stop is not None and self.stop.is_set():
            raise Preempted
        now, lease_s = time.monotonic(), self._session.lease_s
        # Where a thread tries all the time, an old lease means that the database is away, or that this
        # process was stopped or asleep. Only then may the trial have got lost without a word.
        if now - self._checked_at > lease_s:
            self._slept = True
        self._checked_at = now
        if now - self.renewed_at <= lease_s:
            return
        if self._slept:  # no answer is no yes: it is waited for, lest a trial that was told is trained again
            self._session.db.retrying(lambda: self._session.ledger.renew(self.claim))
            self._renewed()
        elif not self.kept:
            self._try(self._renew)


def _step_hint(step: Any) -> str:
    if isinstance(step, int) and step > _LAST_STEP:
        return f"steps end at {_LAST_STEP}"
    return "count epochs, or steps of your own, by whole numbers from 1"


def is_step(step: Any) -> bool:
    """Whether a database can count it."""
    try:
        return not isinstance(step, bool) and int(step) == step and 0 <= step <= _LAST_STEP
    except (TypeError, ValueError, OverflowError):
        return False


def as_floats(metrics: Mapping[str, Any], example: str = "accuracy") -> dict[str, float]:
    """Metrics as training code gave them, as floats.

    Args:
        metrics: What it gave.
        example: A metric that it might give, for the error.

    Raises:
        BadReport: One is no number, or they are no dict with names.
    """
    if not isinstance(metrics, Mapping):
        raise BadReport(f"metrics = {_shown(metrics)} is no dict", hint=f'give {{"{example}": 0.9}}')
    out = {}
    for name, value in metrics.items():
        if not isinstance(name, str):
            raise BadReport(f"{_shown(name)} is no metric's name", hint="name metrics by strings")
        number = _number(value)
        if number is None:
            raise BadReport(f"metric {name} = {_shown(value)} is no number", hint="return floats")
        out[name] = number
    return out


def _number(value: Any) -> float | None:
    """The value as a float, or None; a text that looks like a number is none."""
    if isinstance(value, str | bytes):
        return None
    try:
        return float(value.item() if hasattr(value, "item") else value)
    except Exception:  # noqa: BLE001  # arrays and tensors of other packages raise what they like
        return None


def _shown(value: Any) -> str:
    """A value in one short line."""
    return " ".join(f"{value!r:.200}".split())


def diverged(metrics: Mapping[str, float], names: tuple[str, ...]) -> str | None:
    """The first of ``names`` that is NaN or infinite."""
    return next((name for name in names if not math.isfinite(metrics.get(name, 0.0))), None)
