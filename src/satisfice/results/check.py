"""What `Study.check` returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from satisfice.results.result import Result


@dataclass(frozen=True, kw_only=True, eq=False)
class ConstraintShare(Result):
    """One constraint."""

    constraint: str  # its key
    share: float | None  # of the space that fits; None: it is not known, see `unknown`
    driver: str | None  # the parameter that decides most
    samples: int  # configurations that the share is from
    low: float | None = None  # of the share's 95% interval (Wilson's); None where the share is
    high: float | None = None
    unknown: str | None = None  # why there is no share
    measured: bool = False  # the configurations were timed, or their memory was measured
    at_most: bool = False  # before training only sure misses are known (trees, forests): the share is a bound


@dataclass(frozen=True, kw_only=True, eq=False)
class ProfileShare(Result):
    """One profile, with the study's constraints, which always hold."""

    profile: str
    constraints: Sequence[str]  # keys of its own bounds
    chosen_by: str  # its order of preference, in words
    share: float  # of the space that fits, as far as is known before training
    low: float  # of the share's 95% interval
    high: float
    at_most: bool  # more is known only after training, or was not measured: the share is a bound
    idle: Sequence[str] = ()  # keys of its bounds that one of the study's makes superfluous


@dataclass(frozen=True, kw_only=True, eq=False)
class CheckResult(Result):
    """The space against the constraints."""

    samples: int
    together: float  # share that fits every constraint, as far as is known before training
    at_most: bool  # more is known only after training: the share is a bound
    constraints: Sequence[ConstraintShare]
    low: float  # of the 95% interval of `together`; where something was measured, a wide one
    high: float
    broken: int = 0  # configurations for which the task's code raised; they fit nothing
    broken_by: str | None = None  # what it raised first
    profiles: Sequence[ProfileShare] = ()
