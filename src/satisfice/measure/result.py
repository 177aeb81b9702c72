"""What a measurement says: a value, an interval, how it was taken, and the verdict on a constraint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Literal

from satisfice.errors import InputError
from satisfice.spec.constraint import Constraint
from satisfice.spec.metric import METRICS

Quality = Literal["quick", "precise"]


class Verdict(Enum):
    """What a measured interval says about a bound."""

    FITS = "fits"  # every value of the interval meets the bound
    DOES_NOT_FIT = "does not fit"  # none does
    TOO_CLOSE = "too close to call"  # the bound lies inside the interval


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One measured metric of one architecture on one host."""

    metric: str  # for instance "latency_ms"; value and interval are in its unit
    value: float
    low: float  # ends of the 95% interval, low <= value <= high
    high: float
    samples: int  # timed calls
    seconds: float  # spent on measuring: warm-up, reference model and gaps included
    p95: float | None = None  # 95th percentile of the calls, same unit; None where it makes no sense
    host: str  # fingerprint of the host
    threads: int
    batch: int  # items a call
    quality: Quality  # "precise": measured as long as it ever is, or until more would not help
    measured_at: datetime  # UTC
    estimated: bool = False  # computed from something else: energy from processor time

    def __post_init__(self) -> None:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"{self.metric}: {self.value} is outside its interval [{self.low}, {self.high}]")

    @property
    def relative_error(self) -> float:
        """Half the interval's width as a share of the value (0 for a value of 0)."""
        return (self.high - self.low) / 2 / abs(self.value) if self.value else 0.0

    def to_unit(self, metric: str) -> Measurement:
        """The same measurement in another unit of its quantity: "latency_us" of "latency_ms".

        Raises:
            InputError: ``metric`` is no unit of the same quantity.
        """
        if metric == self.metric:
            return self
        mine, other = METRICS.get(self.metric), METRICS.get(metric)
        if mine is None or other is None or mine.quantity != other.quantity:
            raise InputError(f"a measurement of {self.metric} says nothing about {metric}")
        factor = mine.scale / other.scale
        return replace(
            self,
            metric=metric,
            value=self.value * factor,
            low=self.low * factor,
            high=self.high * factor,
            p95=None if self.p95 is None else self.p95 * factor,
        )

    def verdict(self, constraint: Constraint) -> Verdict:
        """Whether the interval meets the bound; units of one quantity are converted.

        Meeting a bound is monotone in the value, so the interval's two ends decide.

        Raises:
            InputError: The constraint is on another quantity.
        """
        mine = self.to_unit(constraint.metric)
        ends = {constraint.satisfied(mine.low), constraint.satisfied(mine.high)}
        if len(ends) == 2:
            return Verdict.TOO_CLOSE
        return Verdict.FITS if ends == {True} else Verdict.DOES_NOT_FIT

    def is_clear(self, constraints: Iterable[Constraint]) -> bool:
        """Whether no verdict on ``constraints`` is too close to call."""
        return all(self.verdict(c) is not Verdict.TOO_CLOSE for c in constraints)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able content; `from_dict` reads it."""
        out = {f.name: getattr(self, f.name) for f in fields(self)}
        out["measured_at"] = self.measured_at.isoformat()
        if not self.estimated:
            del out["estimated"]
        return out

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Measurement:
        """The measurement that `to_dict` wrote."""
        measured_at = datetime.fromisoformat(content["measured_at"])
        if measured_at.tzinfo is None:  # databases without time zones hand back naive UTC
            measured_at = measured_at.replace(tzinfo=UTC)
        return cls(**{**content, "measured_at": measured_at})


def meets_bound(measurement: Measurement, constraint: Constraint) -> bool:
    """Whether the measured model counts as meeting the bound.

    The rule: a clear verdict stands. What is still too close to call after the longest measuring is judged by
    its value, the single most probable latency: a bound is not made stricter or looser by our uncertainty.
    Whoever wants a margin writes it into the bound; the final confirmation of the winners measures again,
    freshly.
    """
    verdict = measurement.verdict(constraint)
    if verdict is Verdict.TOO_CLOSE:
        return constraint.satisfied(measurement.to_unit(constraint.metric).value)
    return verdict is Verdict.FITS
