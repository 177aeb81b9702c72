"""What the health of a study is judged by."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from satisfice.choose.bounds import metric_value
from satisfice.spec.metric import METRICS
from satisfice.spec.study import Objective, StudySpec
from satisfice.spec.trial import TrialRecord, TrialState
from satisfice.understand.training.labels import Diagnosis

if TYPE_CHECKING:  # it needs pandas, which whoever only asks a study does not load
    from satisfice.data.facts import DataFacts

Floats = NDArray[np.float64]
Kind = Literal[
    "range_edge",
    "idle_parameter",
    "never_binding",
    "too_tight",
    "noise_limited",
    "budget_short",
    "budget_long",
    "few_epochs",
    "small_validation",
    "leak",
    "duplicate_column",
    "missing_class",
    "unbounded_production",
]


# Squares of larger penalties, and sums of those, would overflow.
_HUGE = 1e145


@dataclass(frozen=True, kw_only=True)
class HealthFinding:
    """One thing that is wrong with a study."""

    finding: Kind
    subject: str  # a parameter, a bound, a column, a key of the study file
    evidence: str  # a sentence without a full stop
    remedy: str  # a piece of study file: its keys stand in place of those of the study


@dataclass(frozen=True, kw_only=True)
class StudyState:
    """A study as it stands."""

    spec: StudySpec
    records: Sequence[TrialRecord]  # all trials
    diagnoses: Sequence[Diagnosis] = ()
    turned_away: Mapping[str, int] = field(default_factory=dict)  # proposals by constraint key
    turned_away_in_all: int = 0
    limits: Mapping[str, tuple[float, float]] = field(
        default_factory=dict
    )  # that a hyperparameter makes sense in
    facts: DataFacts | None = None  # None: own training code, or data that are not on this machine

    @cached_property
    def objective(self) -> Objective:
        """The first objective."""
        return self.spec.objectives[0]

    @cached_property
    def finished(self) -> list[TrialRecord]:
        """Complete trials with a finite value of the first objective, by number."""
        name = self.objective.metric
        found = (r for r in self.records if r.state == TrialState.COMPLETE)
        return [r for r in found if math.isfinite(_value(r, name))]

    @cached_property
    def ended(self) -> list[TrialRecord]:
        """Trials that completed or were pruned."""
        return [r for r in self.records if r.state in (TrialState.COMPLETE, TrialState.PRUNED)]

    @cached_property
    def losses(self) -> Floats:
        """The first objective of `finished`, to minimise, shape (n,), within `_HUGE`."""
        name = self.objective.metric
        values = np.array([_value(r, name) for r in self.finished]) * self.objective.sign
        return np.clip(values, -_HUGE, _HUGE)

    @cached_property
    def order(self) -> NDArray[np.intp]:
        """Indices into `finished`, the best first; trials that fit before those that do not."""
        misses = np.array([r.feasible is False for r in self.finished], dtype=bool)
        return np.lexsort((self.losses, misses))

    @cached_property
    def row_error(self) -> float | None:
        """The standard error of the best value that the validation rows leave.

        Known for shares of rows (accuracy and its like) only: sqrt(p (1 - p) / n).
        """
        known = METRICS.get(self.objective.metric)
        if self.facts is None or not len(self.losses) or known is None:
            return None
        if known.task != "classification" or known.upper != 1.0:
            return None
        share = min(max(abs(float(self.losses[self.order[0]])), 0.0), 1.0)
        n = self.facts.rows.get("valid", self.facts.rows["train"])  # with folds each row validates once
        share = min(max(share, 1 / (n + 2)), 1 - 1 / (n + 2))
        return math.sqrt(share * (1 - share) / n)

    @cached_property
    def seed_error(self) -> float | None:
        """The standard deviation between seeds: of replicates, or as own training code reports it."""
        name = self.objective.metric
        if self.spec.model is None:
            said = [r.standard_errors[name] for r in self.finished if name in r.standard_errors]
            if said:
                return float(np.median(said))
        groups: dict[int, list[float]] = {}
        for r in self.finished:
            groups.setdefault(r.number if r.replicate_of is None else r.replicate_of, []).append(
                _value(r, name)
            )
        several = [np.array(g) for g in groups.values() if len(g) > 1]
        freedom = sum(len(g) - 1 for g in several)
        if freedom < 2:
            return None
        return math.sqrt(sum(float(((g - g.mean()) ** 2).sum()) for g in several) / freedom)

    @cached_property
    def spread(self) -> float:
        """Between the best value and the median one."""
        return float(np.median(self.losses) - self.losses.min()) if len(self.losses) else 0.0

    def column(self, name: str, rows: Sequence[TrialRecord]) -> list[Any]:
        """A parameter's values, of trials where it is active."""
        return [r.params[name] for r in rows if name in r.params]


def _value(record: TrialRecord, name: str) -> float:
    found = metric_value(record, name)
    return math.nan if found is None else float(found)
