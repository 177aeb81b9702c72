"""What `Study.confirm` returns, and keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from satisfice.results.result import Result, left_out_where_none


@dataclass(frozen=True, kw_only=True, eq=False)
class Dropped(Result):
    """A trial that was chosen and no longer fits when it is measured again."""

    number: int
    violates: Sequence[str]  # keys of constraints
    metrics: Mapping[str, float]  # measured again


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored(Result):
    """The default configuration on the test split."""

    number: int
    test: Mapping[str, float]  # empty where it was not scored
    untested: str | None = left_out_where_none()  # why there is no test score
    standard_errors: Mapping[str, float] | None = left_out_where_none()  # of `test`, by metric


@dataclass(frozen=True, kw_only=True, eq=False)
class Confirmation(Result):
    """The trial to ship, measured again and scored on the test split."""

    number: int | None  # None: no trial fits any more
    test: Mapping[str, float]  # empty where it was not scored
    measured_again: Mapping[str, float]
    dropped: Sequence[Dropped]
    untested: str | None = left_out_where_none()  # why there is no test score although there is a test split
    standard_errors: Mapping[str, float] | None = left_out_where_none()  # of `test`, by metric
    default: Scored | None = None  # None: no default configuration was trained

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """What was kept of an earlier call; studies of older versions lack keys."""
        default = content.get("default")
        return cls(
            number=content["number"],
            test=content.get("test", {}),
            measured_again=content.get("measured_again", {}),
            dropped=[Dropped(**each) for each in content.get("dropped", ())],
            untested=content.get("untested"),
            standard_errors=content.get("standard_errors"),
            default=None if default is None else Scored(**default),
        )

    def scored(self, number: int | None) -> Confirmation | Scored | None:
        """The result for the trial of that number; None where it was neither chosen nor the default."""
        both = (self, self.default)
        return next((e for e in both if e is not None and number is not None and e.number == number), None)
