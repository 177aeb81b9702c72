"""Training one stored trial again, alone."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna

from satisfice.results.rehearsal import Replay
from satisfice.spec.influences import Influences
from satisfice.spec.metric import updated
from satisfice.spec.standard_error import split
from satisfice.spec.trial import TrialRecord, TrialState
from satisfice.study.lifecycle.session import Session

# What a clock says is never the same twice.
_TIMED = ("latency", "pipeline_latency", "throughput", "seconds", "memory")


class _Rehearsal:
    """A trial that reports to nobody, and stops where the stored one stopped."""

    def __init__(self, session: Session, record: TrialRecord) -> None:
        self.number = record.number
        self.params: Mapping[str, Any] = dict(record.params)
        self.seed = record.seed
        # The budget may have granted it fewer than others, or have been changed since.
        most = session.spec.budget.epochs
        most = None if most is None else most * session.spec.trainings
        self.max_epochs = record.proposal.get("epochs", most)
        self.threads = session.threads
        self._folds = session.spec.folds
        self.metrics: dict[str, float] = {}
        self._last = record.steps if record.state is not TrialState.COMPLETE else None
        self._step = 0

    def report(self, step: int, metrics: Mapping[str, float]) -> None:
        self._step = step
        if not self._folds:  # what is reported of folds is none of the trial's metrics
            self.metrics.update(metrics)

    def should_prune(self) -> bool:
        return self._last is not None and self._step >= self._last

    def keep_alive(self) -> None:
        return None

    def batch_end(self) -> None:
        return None

    def save_checkpoint(self, state: Any) -> None:
        del state

    def load_checkpoint(self) -> Any:
        return None

    def save_model(self, model: Any, weights: Path | None = None) -> None:
        del model, weights

    def save_influences(self, influences: Influences) -> None:
        del influences


def replay(session: Session, record: TrialRecord) -> Replay:
    """Train it again, and say whether its metrics are the same to the bit.

    Figures that a clock or the process's memory gave are left out of the comparison.
    """
    trial = _Rehearsal(session, record)
    returned: Mapping[str, float] | None = None
    with contextlib.suppress(optuna.TrialPruned):
        returned = session.task.train(dict(record.params), trial)
    names = session.spec.metric_names
    again = split(updated(trial.metrics, dict(returned or {}), names), names)[0]
    compared = {
        name: value
        for name, value in record.metrics.items()
        if name in again and not any(word in name for word in _TIMED)
    }
    return Replay(
        number=record.number,
        stored=compared,
        metrics=again,
        same=all(_equal(again[name], value) for name, value in compared.items()),
    )


def _equal(again: float, stored: float) -> bool:
    return again == stored or (math.isnan(again) and math.isnan(stored))
