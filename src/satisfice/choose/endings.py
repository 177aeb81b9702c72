"""How trials ended early, told in groups: "7 trials diverged: loss was NaN at epoch 1 to 3"."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from satisfice.choose.bounds import number_text
from satisfice.spec.trial import TrialRecord, TrialState

Kind = Literal["failed", "diverged", "stopped early"]

# A number by itself: neither part of a name (f1, size_mb2) nor of a shape (32x64).
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?!\w)")
# What differs between errors that are alike: numbers wherever they stand, addresses in memory.
_VARYING = re.compile(r"0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_DIVERGED = "diverged"
_LEARNING_RATES = ("learning_rate", "lr", "eta", "step_size")
_SEPARATES = 0.8  # probability that a diverged trial has the larger (or smaller) value, to be worth a word
_SURPRISING = 2.5  # standard deviations that the ranks must differ by
_NAMED = 4  # trials, and groups of one kind, that are named one by one


@dataclass(frozen=True, kw_only=True)
class Ending:
    """Trials that ended alike."""

    kind: Kind
    numbers: tuple[int, ...]  # of the trials
    reason: str  # what they share, with the range of each number in it
    sentence: str  # without a full stop


def endings(records: Sequence[TrialRecord]) -> list[Ending]:
    """Trials that failed, diverged or were stopped early, grouped by reason: each kind's largest group first.

    Reasons that differ in their numbers only are one group.

    Args:
        records: All trials of the study.
    """
    groups: dict[tuple[Kind, str], list[TrialRecord]] = {}
    for r in records:
        kind = kind_of(r)
        if kind is not None:
            groups.setdefault((kind, _template(kind, _told(r, kind))), []).append(r)
    order: list[Kind] = ["failed", "diverged", "stopped early"]
    ranked = sorted(groups.items(), key=lambda g: (order.index(g[0][0]), -len(g[1]), g[1][0].number))
    return [_ending(kind, members, records) for (kind, _), members in ranked]


def kind_of(record: TrialRecord) -> Kind | None:
    """How a trial ended, where it did not complete; None of one that did, or has not ended."""
    if record.state == TrialState.FAIL:
        return "failed"
    if record.state == TrialState.PRUNED:
        return "diverged" if (record.reason or "").startswith(_DIVERGED) else "stopped early"
    return None


def trials_named(numbers: Sequence[int]) -> str:
    """``trial 3``, ``trials 3 and 5``, ``trials 3, 5, 6, 8 and 12 more``."""
    if len(numbers) == 1:
        return f"trial {numbers[0]}"
    shown = [str(n) for n in numbers[:_NAMED]]
    more = len(numbers) - len(shown)
    return "trials " + joined([*shown, f"{more} more"] if more else shown)


def joined(parts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _told(record: TrialRecord, kind: Kind) -> str:
    """The part of a reason by which trials are grouped."""
    reason = (record.reason or "").strip()
    if kind == "failed":
        return reason or "no reason was recorded"
    if kind == "stopped early":
        return reason.partition(": ")[0] or "no reason was recorded"
    said = reason.removeprefix(_DIVERGED).removeprefix(": ") or "its loss is not a number"
    said = re.sub(r"\bnan\b", "NaN", re.sub(r"\binf\b", "infinite", said))
    said = re.sub(r" \(lower the learning rate\)$", "", said)
    if record.steps > 0 and not re.search(r"\b(epoch|step)\b", said):
        said += f" at step {record.steps}"
    return said


def _template(kind: Kind, text: str) -> str:
    return (_VARYING if kind == "failed" else _NUMBER).sub("\0", text)


def _ending(kind: Kind, members: Sequence[TrialRecord], records: Sequence[TrialRecord]) -> Ending:
    texts = [_told(m, kind) for m in members]
    numbers = tuple(m.number for m in members)
    trials = "1 trial" if len(members) == 1 else f"{len(members)} trials"
    if kind == "failed":
        reason = texts[-1]
        if len(set(texts)) == 1:
            sentence = f"{trials} failed ({trials_named(numbers)}): {reason}"
        else:
            sentence = f"{trials} failed alike ({trials_named(numbers)}), the last one by {reason}"
    elif kind == "diverged":
        reason = _ranged(texts)
        where = _where(members, records)
        sentence = f"{trials} diverged: {reason.replace(' is ', ' was ', 1)}{f', {where}' if where else ''}"
    else:
        reason = _ranged(texts)
        sentence = f"{trials} {'was' if len(members) == 1 else 'were'} stopped early: {reason}"
    return Ending(kind=kind, numbers=numbers, reason=reason, sentence=sentence)


def _ranged(texts: Sequence[str]) -> str:
    """One text for several that differ in their numbers only: ``3`` and ``1`` become ``1 to 3``."""
    columns = list(zip(*(_NUMBER.findall(text) for text in texts), strict=True))
    slots = iter(columns)

    def span(_: re.Match[str]) -> str:
        low, *_rest, high = sorted([*next(slots)] * 2, key=float)
        return low if float(low) == float(high) else f"{low} to {high}"

    return _NUMBER.sub(span, texts[0])


def _where(members: Sequence[TrialRecord], records: Sequence[TrialRecord]) -> str:
    """The range of the parameter that sets trials which diverged apart; empty where none does."""
    names = {name for m in members for name in m.params}
    values = {name: found for name in names if (found := _numbers(members, name)) is not None}
    others = [r for r in records if r.state.is_finished() and kind_of(r) != "diverged"]
    named = next((name for name in _LEARNING_RATES if name in values), None)
    if named is None:
        apart = {name: _apart(found, _present(others, name)) for name, found in values.items()}
        named = max(sorted(apart), key=apart.__getitem__, default=None)
        if named is None or apart[named] < _SEPARATES:
            return ""
    low, high = number_text(min(values[named])), number_text(max(values[named]))
    return f"{named} {low}" if low == high else f"{named} {low} to {high}"


def _numbers(members: Sequence[TrialRecord], name: str) -> list[float] | None:
    """A numeric parameter's values, where every one of the trials has one."""
    found = _present(members, name)
    return found if len(found) == len(members) else None


def _present(records: Sequence[TrialRecord], name: str) -> list[float]:
    values = (r.params.get(name) for r in records)
    return [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]


def _apart(inside: Sequence[float], outside: Sequence[float]) -> float:
    """Probability that a value of the one group lies beyond one of the other, on the better side.

    -inf where chance would do as much in one of some eighty parameters (the rank-sum test of Mann and Whitney
    1947, by its normal approximation).
    """
    n, m = len(inside), len(outside)
    if not n or not m:
        return -math.inf
    rest = np.sort(outside)
    below = np.searchsorted(rest, inside, side="left") + np.searchsorted(rest, inside, side="right")
    above = float(below.mean()) / (2 * m)
    surprise = abs(above - 0.5) * math.sqrt(12 * n * m / (n + m + 1))
    return max(above, 1 - above) if surprise > _SURPRISING else -math.inf


def grouped(records: Sequence[TrialRecord], kind: Kind) -> str:
    """The reasons of one kind in a few words: ``4 dominated at step 3 to 9 and 2 behind at step 1``."""
    found: Mapping[str, int] = {e.reason: len(e.numbers) for e in endings(records) if e.kind == kind}
    if len(found) == 1:
        return next(iter(found))
    counted = list(found.items())
    parts = [f"{n} {reason}" for reason, n in counted[:_NAMED]]
    rest = sum(n for _, n in counted[_NAMED:])
    return joined([*parts, f"{rest} for other reasons"] if rest else parts) if parts else ""
