"""One running trial, as a task and as a person with ask and tell see it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from satisfice.errors import InputError, LeaseLost, TrialFinished
from satisfice.study.checkpoint import Checkpoints, save_model

if TYPE_CHECKING:
    from satisfice.store.claim import Claim
    from satisfice.study.session import Session

_FLUSH_S = 2.0  # reports wait at most so long before others can see them


class Preempted(BaseException):
    """The worker was asked to stop: the trial is given back. No `Exception`: a task must not swallow it."""


class Trial:
    """A trial that this process holds the lease of.

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
        self.model_path: Path | None = None
        self.stop: threading.Event | None = None
        self.lost = threading.Event()
        self.finished = False
        self.pending: list[tuple[int, dict[str, float]]] = []
        self._session = session
        self._last_step = claim.last_step
        self._flushed_at = self.renewed_at = time.monotonic()
        self._checkpoints = Checkpoints(session.artefacts, self.number, claim.attempt)

    def report(self, step: int, metrics: Mapping[str, float]) -> None:
        """Report metrics after ``step`` epochs (1-based); several objectives are welcome.

        Raises:
            LeaseLost: Another worker has the trial.
            TrialFinished: It was told.
        """
        self._check()
        if isinstance(step, bool) or int(step) != step or step < 0:
            raise InputError(f"step = {step!r} is no step", hint="count epochs from 1")
        values = {name: float(value) for name, value in metrics.items()}
        self.metrics.update(values)
        self._last_step = int(step)
        self.pending.append((int(step), values))
        # At the steps where trials are judged, whoever judges must see this report.
        if self._is_decision_step() or time.monotonic() - self._flushed_at > _FLUSH_S:
            self.flush()
        self._session.quiet.batch_end()

    def should_prune(self) -> bool:
        """Whether the trial cannot matter any more, by all objectives and constraints; decided at few steps.

        Raises:
            LeaseLost: Another worker has the trial.
        """
        self._check()
        if self.stop_reason is None and self.replicate_of is None and self._is_decision_step():
            self.flush()
            decision = self._session.decide(self.number)
            if decision.stop:
                self.stop_reason = decision.reason or f"pruned at step {self._last_step}"
        return self.stop_reason is not None

    def _is_decision_step(self) -> bool:
        session = self._session
        return self._last_step > 0 and session.pruner.is_decision_step(self._last_step, session.max_steps)

    def flush(self) -> None:
        """Make reports visible to all workers; renews the lease."""
        if not self.pending:
            return
        body, self.pending = self.pending, []
        try:
            self._session.flush(self.claim, body)
        except BaseException:
            self.pending = body + self.pending
            raise
        self._flushed_at = self.renewed_at = time.monotonic()

    def keep_alive(self) -> None:
        """Renew the lease, for long stretches without a report.

        Raises:
            LeaseLost: Another worker has the trial.
        """
        self._check()
        self._renew()

    def _renew(self) -> None:
        self._session.db.retrying(lambda: self._session.ledger.renew(self.claim))
        self.renewed_at = time.monotonic()

    def batch_end(self) -> None:
        """Call between batches: lets a latency measurement have the host's quiet for a short while."""
        self._check()
        self._session.quiet.batch_end()

    def save_checkpoint(self, state: Any) -> None:
        """Keep a state to go on from: a path, bytes, JSON content, or tensors."""
        self._check()
        self.flush()  # who goes on from here does not report again what came before
        self._checkpoints.save(state)

    def load_checkpoint(self) -> Any:
        """The state saved last, by whichever worker, or None."""
        return self._checkpoints.load()

    def discard_checkpoints(self) -> None:
        """Remove the trial's checkpoints."""
        self._checkpoints.discard()

    def save_model(self, model: Any) -> None:
        """Keep the model that scored: a torch module, a state dict, or the path of a file (copied)."""
        self._check()
        self.model_path = save_model(self._session.artefacts, self.number, model)

    def _check(self) -> None:
        if self.finished:
            raise TrialFinished(f"trial {self.number} was told already")
        if self.lost.is_set():
            raise LeaseLost(f"trial {self.number} was taken over by another worker")
        if self.stop is not None and self.stop.is_set():
            raise Preempted
        if time.monotonic() - self.renewed_at > self._session.lease_s:
            self._renew()  # stopped or asleep past its lease: is the trial still ours?


def diverged(metrics: Mapping[str, float], names: tuple[str, ...]) -> str | None:
    """The first of ``names`` that is NaN."""
    return next((name for name in names if math.isnan(metrics.get(name, 0.0))), None)
