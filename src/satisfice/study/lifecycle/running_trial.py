"""A running trial, as the worker and the session see it: claim, lease, and unsent reports."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from satisfice.errors import BadReport
from satisfice.search.history import rungs
from satisfice.spec.metric import CURVES, updated
from satisfice.spec.standard_error import check_errors
from satisfice.study.lifecycle.checkpoint import Checkpoints, kept_model, save_model
from satisfice.study.lifecycle.held_lease import HeldLease
from satisfice.study.lifecycle.reported import as_floats, is_step, step_hint

if TYPE_CHECKING:
    from pathlib import Path

    from satisfice.spec.influences import Influences
    from satisfice.store.ledger.study_rows import StepReport
    from satisfice.store.ledger.types import Claim
    from satisfice.study.lifecycle.session import Session

_FLUSH_S = 2.0  # reports wait at most so long before others can see them


class RunningTrial:
    """A trial that this process holds the lease of.

    Training never waits for a database that is away: reports wait instead, and no decision is taken. They go
    into the next checkpoint, so that they are not lost with this process. Only `tell` has to wait.

    Attributes:
        session: That it belongs to.
        claim: The slot with its trial.
        number: As in Optuna.
        params: Active parameters only.
        metrics: Known so far: those from before training, then what was reported last; with standard errors.
        replicate_of: Number of the trial that it repeats.
        measured_on: Fingerprint of the host that its timings are from.
        lease: Whether the trial is still this process's own.
        stop_reason: Why it should be pruned; None: it should not.
        reason: Why it was pruned or failed, once it is told.
        model_path: Where its model is kept.
        influences: Of the rows that it was scored on; None: nobody told.
        sending: Held by whoever stores what is unsent.
        unsent: Reports that are not stored yet.
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
        self.session = session
        self.claim = claim
        self.number: int = claim.number
        self.params: Mapping[str, Any] = dict(params)
        self.metrics = dict(known)
        self.replicate_of = replicate_of
        self.measured_on = measured_on
        self.lease = HeldLease(session.ledger.leases, claim, self.number)
        self.stop_reason: str | None = None
        self.reason: str | None = None
        self.model_path = kept_model(session.artefacts, self.number, claim.attempt)  # of an earlier attempt
        self.influences: Influences | None = None
        self._last_step = claim.last_step
        self._reached = claim.last_step  # by the report before the last one
        self._flushed_at = time.monotonic()
        self._checkpoints = Checkpoints(session.artefacts, self.number, claim.attempt)
        self.sending = threading.Lock()
        self.unsent = self._checkpoints.reports(after=claim.last_step)
        self._recovered = {step for step, _ in self.unsent}  # of earlier attempts, stored meanwhile or not

    # -- reports and pruning --------------------------------------------------------------------------------

    def report(self, step: Any, metrics: Mapping[str, Any]) -> None:
        """See `Trial.report`."""
        if not is_step(step):
            raise BadReport(f"step = {step!r:.80} is no step", hint=step_hint(step))
        values = as_floats(metrics)
        check_errors(values, known=self.metrics, named=self.session.spec.metric_names)
        if self.session.spec.folds is None:  # a mean over some of the folds is none of the trial's metrics
            self.metrics = updated(self.metrics, self._of_the_model(values))
        # Judged where a step that trials are judged at is reached, or passed by since the report before.
        again = int(step) == self._last_step
        reached, self._last_step = max(self._reached, self._last_step), int(step)
        if self._last_step != reached:
            self._reached = reached
        self.unsent.append((int(step), values))
        # At the steps where trials are judged, whoever judges must see this report.
        judged = self._is_rung() if again else self._is_decision_step()
        if judged or (self.is_due and not self.lease.kept):
            self.lease.attempt(self.flush)

    def _of_the_model(self, values: Mapping[str, float]) -> Mapping[str, float]:
        """Without what a built-in family reports to judge the training by."""
        if self.session.spec.model is None:
            return values
        return {name: value for name, value in values.items() if name not in CURVES}

    def should_prune(self) -> bool:
        """See `Trial.should_prune`."""
        if self.stop_reason is None and self.replicate_of is None and self._is_decision_step():
            self.lease.attempt(self._decide)
        return self.stop_reason is not None

    def _decide(self) -> None:
        self.flush()
        decision = self.session.decide(self.number)
        if decision.stop:
            self.stop_reason = decision.reason or f"pruned at step {self._last_step}"

    def _is_rung(self) -> bool:
        """Whether trials are judged at the last step itself."""
        return self._last_step > 0 and self.session.search.is_decision_step(self._last_step)

    def _is_decision_step(self) -> bool:
        search = self.session.search
        passed = (step for step in rungs(search.max_steps) if self._reached < step < self._last_step)
        return self._is_rung() or (self._last_step > 0 and any(map(search.is_decision_step, passed)))

    # -- sending --------------------------------------------------------------------------------------------

    @property
    def is_due(self) -> bool:
        """Whether reports have waited long enough."""
        return bool(self.unsent) and time.monotonic() - self._flushed_at > _FLUSH_S

    def flush(self) -> None:
        """Make reports visible to all workers; renews the lease.

        Raises:
            LeaseLost: Another worker has the trial.
            StorageLost: The database does not answer now; the reports wait.
        """
        if self.unsent:
            self.session.flush(self)

    def send(self) -> tuple[int, list[StepReport]]:
        """Store the unsent reports, from whichever thread; the study's revision, and what was stored.

        It is tried once: whoever calls it says how long to wait.

        Raises:
            LeaseLost: Another worker has the trial.
        """
        with self.sending:
            body = list(self.unsent)
            revision = self.session.ledger.leases.once.flush(self.claim, body) if body else 0
            del self.unsent[: len(body)]
            if body:
                self._flushed_at = time.monotonic()
                self.lease.renewed()
            return revision, body

    # -- files ----------------------------------------------------------------------------------------------

    def save_checkpoint(self, state: Any) -> None:
        """See `Trial.save_checkpoint`. Who goes on from here does not report again what came before."""
        self._checkpoints.save(state, list(self.unsent))

    def load_checkpoint(self) -> Any:
        """See `Trial.load_checkpoint`."""
        state = self._checkpoints.load()
        # Perhaps by one that was asleep when this attempt began: what it had to report came with it.
        late = self._checkpoints.reports(after=max(self.claim.last_step, self._last_step))
        new = [(step, metrics) for step, metrics in late if step not in self._recovered]
        self._recovered.update(step for step, _ in new)
        # At the end: another thread may be storing those at the front, which it then takes away.
        self.unsent.extend(new)
        return state

    def discard_checkpoints(self) -> None:
        """Remove the trial's checkpoints."""
        self._checkpoints.discard()

    def save_model(self, model: Any, weights: Path | None = None) -> None:
        """See `Trial.save_model`."""
        session = self.session
        self.model_path = save_model(
            session.artefacts,
            self.number,
            self.claim.attempt,
            model,
            task=session.task,
            params=self.params,
            weights=weights,
        )
