"""Standard errors of configurations, and of the difference between two of them.

Rules (mirrored by the report's page, which is held to the same test vectors):

- The error of one trial is the one recorded with it. An exact metric, such as a size, has an error of 0; any
  other metric without a recorded error has none, and nothing can be told of it.
- Two trials with influence values of the same rows are compared on those rows: with ``d`` the difference of
  their values by group of rows, the variance is ``sum(d**2) + 2 * sum(d**4) / sum(d**2)``. The second term
  makes it that of two more rows that differ, one in each direction, where few do: for accuracy it is the
  interval of Bonett and Price (2012), which holds where five rows of 262 differ and Wald's does not.
- Otherwise the errors are taken as independent: the variance is the sum of both.
- A configuration trained with several seeds has the mean of its trials' values and influences; the variance
  of that mean over the seeds is added.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from satisfice.choose.bounds import metric_value
from satisfice.choose.trial_group import TrialGroup
from satisfice.spec.influences import Influences
from satisfice.spec.standard_error import NORMAL_95, in_every_unit, is_exact
from satisfice.spec.trial import TrialRecord

Floats = NDArray[np.float64]

_SLACK = 1e-9  # share of an error: what is exactly at a limit counts as noise, whatever the last bits


@dataclass(frozen=True, kw_only=True)
class Difference:
    """``a - b`` of one metric."""

    value: float  # in the metric's unit
    error: float | None  # standard error; None: not known
    paired: bool  # on the same rows

    @property
    def low(self) -> float | None:
        """Lower end of the 95% interval."""
        return None if self.error is None else self.value - NORMAL_95 * self.error

    @property
    def high(self) -> float | None:
        """Upper end of the 95% interval."""
        return None if self.error is None else self.value + NORMAL_95 * self.error

    def is_noise(self, errors: float = NORMAL_95) -> bool:
        """Whether the value is at most so many standard errors from 0; equal values always are."""
        return self.value == 0.0 or (
            self.error is not None and abs(self.value) <= errors * self.error * (1 + _SLACK)
        )


@dataclass(frozen=True, kw_only=True)
class Noise:
    """What is known of the noise in a study's trials."""

    influences: Mapping[int, Influences] = field(default_factory=dict)  # by trial number; some may lack

    def error(self, group: TrialGroup, metric: str) -> float | None:
        """Standard error of the group's mean; None where it is not known."""
        if len(group.members) == 1:
            return recorded_error(group.trial, metric)
        values = self.values(group, metric)
        if values is not None:
            rows = norm(values)
        else:
            errors = [recorded_error(m, metric) for m in group.members]
            known = [e for e in errors if e is not None]
            if len(known) < len(errors):
                return None
            rows = math.fsum(known) / len(known)  # the rows are the same, so the errors move together
        return math.hypot(rows, over_seeds(group, metric))

    def values(self, group: TrialGroup, metric: str) -> Floats | None:
        """Influence values of the group's mean, (g,); None where a member lacks them."""
        found = [self.influences.get(m.number) for m in group.members]
        values = [i.values[metric] for i in found if i is not None and metric in i.values]
        rows = {i.rows for i in found if i is not None}
        if len(values) < len(found) or len(rows) != 1:
            return None
        return values[0] if len(values) == 1 else np.asarray(np.mean(values, axis=0))

    def difference(self, a: TrialGroup, b: TrialGroup, metric: str) -> Difference:
        """``a - b``; its value is NaN where a group has none."""
        here, there = a.mean(metric), b.mean(metric)
        value = 0.0 if here == there else here - there
        mine, theirs = self.values(a, metric), self.values(b, metric)
        if mine is not None and theirs is not None and mine.shape == theirs.shape:
            error = math.hypot(paired_error(mine - theirs), over_seeds(a, metric), over_seeds(b, metric))
            return Difference(value=value, error=error, paired=True)
        one, other = self.error(a, metric), self.error(b, metric)
        if one is None or other is None:
            return Difference(value=value, error=None, paired=False)
        return Difference(value=value, error=math.hypot(one, other), paired=False)


def recorded_error(record: TrialRecord, metric: str) -> float | None:
    """The standard error of a trial's metric; 0 where it is exact, None where nobody knows.

    A recorded error stands, whatever the metric; one of ``latency_ms`` serves ``latency_us``.
    """
    error = record.standard_errors.get(metric)
    if error is None and record.standard_errors:
        error = in_every_unit([metric], record.standard_errors).get(metric)
    return 0.0 if error is None and is_exact(metric) else error


def paired_error(d: Floats) -> float:
    """The standard error of a difference, from its influence values by group of rows.

    Args:
        d: Shape (g,), in any unit: nothing is squared that could overflow.
    """
    largest = float(np.abs(d).max(initial=0.0))
    if largest == 0:
        return 0.0
    squares = (d / largest) ** 2
    total = float(squares.sum())
    return largest * math.sqrt(total + 2.0 * float((squares * squares).sum()) / total)


def norm(values: Floats) -> float:
    """The root of the sum of squares, in any unit."""
    largest = float(np.abs(values).max(initial=0.0))
    return largest * math.sqrt(float(((values / largest) ** 2).sum())) if largest else 0.0


def over_seeds(group: TrialGroup, metric: str) -> float:
    """The standard error of the group's mean over the seeds it was trained with; 0 for a single one."""
    known = (metric_value(m, metric) for m in group.members)
    values = [v for v in known if v is not None and math.isfinite(v)]
    if len(values) < 2:
        return 0.0
    mean = group.mean(metric)
    return math.hypot(*(v - mean for v in values)) / math.sqrt((len(values) - 1) * len(values))
