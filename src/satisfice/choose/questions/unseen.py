"""Where nothing was trained: what a question admits and the screen turned away."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from satisfice.choose.endings import joined
from satisfice.errors import InputError
from satisfice.spec.constraint import Constraint, parse_clause, violated
from satisfice.spec.metric import METRICS
from satisfice.spec.trial import TrialRecord, TrialState

_OUT_OF_REACH = re.compile(r"cannot meet (.+?) at step ")  # the reason that a pruner gives


@dataclass(frozen=True, kw_only=True)
class Refusals:
    """What one `ask` turned away before training."""

    proposals: int
    by_constraint: Mapping[str, int]  # proposals by the key of each bound that they miss; also by errors

    def missing_only(self, keys: Iterable[str]) -> tuple[int, int]:
        """At least and at most how many of the proposals miss bounds of these keys and no other.

        A proposal that misses two bounds is counted under both, so the counts alone leave a range.
        """
        own = set(keys)
        at_most = min(self.proposals, sum(n for key, n in self.by_constraint.items() if key in own))
        elsewhere = sum(n for key, n in self.by_constraint.items() if key not in own)
        return max(0, min(at_most, self.proposals - elsewhere)), at_most

    def under(self, keys: Iterable[str]) -> Refusals:
        """The refusals without other bounds, where each proposal was refused by one of these keys too.

        With profiles, a proposal is turned away if it misses bounds of each of them: those of the others say
        nothing about what fits the one.
        """
        own = {key: n for key, n in self.by_constraint.items() if key in set(keys)}
        return replace(self, by_constraint=own) if sum(own.values()) >= self.proposals else self


@dataclass(frozen=True, kw_only=True)
class Unseen:
    """Configurations beyond one bound, of which nothing, or not all, is known."""

    constraint: Constraint  # that was enforced when they were proposed
    turned_away: int  # proposals; never trained
    stopped: int  # trials that ended early because they cannot meet the bound

    @property
    def sentence(self) -> str:
        """``unknown: 29 proposals were turned away at size_mb <= 0.5``."""
        parts = [
            f"{count:,} {noun}{' was' if count == 1 else 's were'} {what}"
            for count, noun, what in (
                (self.turned_away, "proposal", "turned away"),
                (self.stopped, "trial", "stopped"),
            )
            if count
        ]
        return f"unknown: {joined(parts)} at {self.constraint.key}"


def beyond_bounds(records: Sequence[TrialRecord], refusals: Sequence[Refusals]) -> list[Unseen]:
    """Every bound that turned proposals away or stopped trials, present or former, in order of appearance.

    Args:
        records: All trials of the study.
        refusals: Of all its asks.
    """
    away: dict[str, int] = {}
    for each in refusals:
        for key, count in each.by_constraint.items():
            away[key] = away.get(key, 0) + count
    stopped: dict[str, int] = {}
    for record in records:
        for key in _stopped_at(record):
            stopped[key] = stopped.get(key, 0) + 1
    bounds = ((key, constraint_of(key)) for key in dict.fromkeys([*away, *stopped]))
    return [
        Unseen(constraint=constraint, turned_away=away.get(key, 0), stopped=stopped.get(key, 0))
        for key, constraint in bounds
        if constraint is not None
    ]


def same_side(one: Constraint, other: Constraint) -> bool:
    """Whether both bound one quantity from the same side, whatever their units."""
    return _quantity(one.metric)[0] == _quantity(other.metric)[0] and one.is_upper == other.is_upper


def as_tight(one: Constraint, other: Constraint) -> bool:
    """Whether everything that meets the one bound meets the other, on the same quantity and side."""
    if not same_side(one, other) or one.key == other.key:
        return one.key == other.key  # a key has fewer digits than its bound may have
    here, there = (c.bound * _quantity(c.metric)[1] for c in (one, other))
    if here == there:
        return one.operator in ("<", ">") or other.operator in ("<=", ">=")
    return here < there if one.is_upper else here > there


def _quantity(metric: str) -> tuple[str, float]:
    known = METRICS.get(metric)
    return (metric, 1.0) if known is None else (known.quantity, known.scale)


def constraint_of(key: str) -> Constraint | None:
    """The bound of a key; None of an error of the task's code, which is counted beside the bounds."""
    try:
        return parse_clause(key)
    except InputError:
        return None


def _stopped_at(record: TrialRecord) -> set[str]:
    """Keys of the bounds that ended a trial early: missed when it was measured, or out of its reach."""
    if record.state != TrialState.PRUNED:
        return set()
    named = _OUT_OF_REACH.match(record.reason or "")
    return {*violated(record.violations), *([named[1]] if named else [])}
