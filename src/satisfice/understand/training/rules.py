"""The rules of the diagnosis: each looks at one training beside its neighbours and finds one thing or none.

Losses are in units of a guess (see `curves`). The thresholds were set on one half of the trainings of
``benchmarks/diagnosis.py`` and judged on the other; docs/diagnosis.md has the table.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from satisfice.spec.trial import TrialState
from satisfice.understand.training.curves import Curves
from satisfice.understand.training.labels import TrainingFinding
from satisfice.understand.training.neighbours import ROLES, Neighbourhood, Suspect, blamed, shortfall

Floats = NDArray[np.float64]

WORSE_THAN_A_GUESS = 1.5  # a loss that ends there has exploded
NOTHING_LEARNT = 0.9  # a training loss that never falls below
BEHIND = 0.1  # shortfall against the best neighbour from which a training has a fault
FAR_BEHIND = 0.2
UPWARDS = 0.008  # of a guess, by which a training loss rises per step, falls between left aside
UPWARDS_SHARE = 0.02  # of its level
RISE = 0.08  # of a guess, by which the validation loss rises after its best
MEMORISED = 0.02  # a training loss below
GAP = {"networks": 0.09, "trees": 0.15}  # between the losses where the training rows are memorised
SMALL_GAP = 0.12  # between the losses of a training that learns too little
PROMISE = 0.15  # of the way to perfect, that the end of a curve promises for half as many steps again
SAME = 0.05  # shortfall at which two trainings are alike


@dataclass(frozen=True, kw_only=True)
class Case:
    """One training among its neighbours."""

    curves: Curves
    among: Neighbourhood
    limit: int | None  # steps that the budget allows
    trees: bool  # whether it grows trees
    in_bag: bool  # whether the training loss is of rows that each tree has seen (forests)

    @property
    def last(self) -> int:
        """The last step."""
        return int(self.curves.steps[-1])

    @property
    def whole(self) -> bool:
        """Whether the training ended by itself: it was neither pruned, nor is it running."""
        return self.curves.record.state == TrialState.COMPLETE

    @cached_property
    def rivals(self) -> list[Curves]:
        """Other trainings that did better, the best first; of one that was stopped: at the same step."""
        c = self.curves
        if self.whole:
            return self.among.better(c, BEHIND)
        ahead = [(shortfall(c.best, o.until(self.last)), o) for o in self.among.ranked[:50] if o is not c]
        return [o for far, o in sorted(ahead, key=lambda pair: -pair[0]) if far >= BEHIND][:10]

    @cached_property
    def behind(self) -> float:
        """Shortfall against the best rival; 0 where there is none."""
        if not self.rivals:
            return 0.0
        best = self.rivals[0]
        return shortfall(self.curves.best, best.best if self.whole else best.until(self.last))

    @cached_property
    def alone(self) -> bool:
        """Whether there is no other training to compare with."""
        return self.among.best_other(self.curves) is None

    @cached_property
    def fits_worse(self) -> bool:
        """Whether it learns the training rows less well than the best rival, too."""
        if not self.rivals:
            return False
        best = self.rivals[0]
        theirs = best.learnt(None if self.whole else self.last)
        return shortfall(self.curves.learnt(), theirs) >= BEHIND

    def at(self, i: int) -> int:
        """The step of a report by its index."""
        return int(self.curves.steps[i])


def diverged(case: Case) -> TrainingFinding | None:
    """A loss that is no number, or ends far above that of a guess."""
    c = case.curves
    reason = c.record.reason or ""
    sound = [o for o in case.among.ranked[:11] if o is not c and o.broken is None]
    suspects = case.among.suspects(c, [("step", "high")], sound)
    if reason.startswith("diverged"):
        said = reason.removeprefix("diverged").removeprefix(": ").split(" (")[0] or "its loss is not a number"
    elif c.broken is not None:
        said = f"a loss is not a finite number at step {c.broken}"
    elif min(c.fit[-1], c.valid[-1]) >= WORSE_THAN_A_GUESS or c.best >= WORSE_THAN_A_GUESS:
        said = (
            f"{c.source.valid} is {c.said(c.valid[-1])} at step {case.last}, where a guess has {c.said(1.0)}"
        )
    else:
        return None
    return _found("diverged", said, suspects, (case.at(0), case.last))


def oscillating(case: Case) -> TrainingFinding | None:
    """A loss that goes up and down where it should fall."""
    c = case.curves
    start = len(c.steps) // 4
    values = c.fit[start:]
    if len(values) < 4 or not np.isfinite(values).all():
        return None
    if not case.alone and case.behind < SAME:
        return None
    changes = np.diff(values)
    upwards = float(np.maximum(changes, 0.0).sum()) / len(changes)
    if c.train is None:  # a validation loss that rises and falls back, since overfitting makes it rise alone
        upwards = min(upwards, float(np.maximum(-changes, 0.0).sum()) / len(changes)) / 2
    if upwards < max(UPWARDS, UPWARDS_SHARE * float(np.median(values))):
        return None
    ups = int((changes > 0).sum())
    said = (
        f"{_fit_name(c)} rises at {ups} of {len(changes)} steps from {case.at(start)} to {case.last}, "
        f"between {c.said(values.min())} and {c.said(values.max())}"
    )
    suspects = case.among.suspects(c, [("step", "high"), ("batch", "low")], case.rivals)
    return _found("oscillating", said, suspects, (case.at(start), case.last))


def overfitting(case: Case) -> TrainingFinding | None:
    """The validation loss rises while the training loss falls, or the training rows are memorised."""
    c = case.curves
    at, end = c.best_at, len(c.steps) - 1
    if not math.isfinite(c.valid[end]):
        return None
    rise = c.valid[end] - c.best
    falls = c.train is None or case.in_bag or c.train[end] <= c.train[at] + 1e-9
    suspects = case.among.suspects(
        c, [("penalty", "low"), ("capacity", "high"), ("patience", "high")], case.rivals
    )
    if rise >= RISE and falls and end > at:
        said = (
            f"{c.source.valid} goes from {c.said(c.best)} at step {case.at(at)} to {c.said(c.valid[end])} at "
            f"step {case.last}"
        )
        if c.train is not None:
            said += f", while {c.source.train} goes from {c.said(c.train[at])} to {c.said(c.train[end])}"
        return _found("overfitting", said, suspects, (case.at(at), case.last))
    gap = 0.0 if c.train is None else c.valid[end] - c.train[end]
    if (
        c.train is not None
        and not case.in_bag
        and c.train[end] <= MEMORISED
        and gap >= GAP["trees" if case.trees else "networks"]
    ):
        said = (
            f"the training rows are learnt by heart: at step {case.last} {c.source.train} is "
            f"{c.said(c.train[end])} and {c.source.valid} {c.said(c.valid[end])}"
        )
        begun = int(np.flatnonzero(c.train <= MEMORISED)[0])
        return _found("overfitting", said, suspects, (case.at(begun), case.last))
    return None


def slow_or_held_back(case: Case) -> TrainingFinding | None:
    """Far behind in training rows too, with steps that are too small or penalties that are too strong."""
    c = case.curves
    learnt = c.learnt()
    stuck = learnt >= NOTHING_LEARNT and (len(c.steps) > 2 or case.whole)
    if not stuck and not (case.behind >= BEHIND and case.fits_worse):
        return None
    small = case.among.suspects(c, [("step", "low")], case.rivals)
    strong = case.among.suspects(c, [("penalty", "high")], case.rivals)
    stretch = (case.at(0), case.last)
    said = f"{_fit_name(c)} falls from {c.said(c.fit[0])} to {c.said(learnt)} in {len(c.steps)} reports"
    if case.rivals:
        rival = case.rivals[0]
        said += f", where trial {rival.record.number} reaches {c.said(rival.learnt())}"
    else:
        said += f", where a guess has {c.said(1.0)}"
    if strong and (not small or strong[0].far >= small[0].far):
        return _found("over_regularised", said + _shrunk(c), strong, stretch)
    if small:
        return _found("no_progress", said, small, stretch)
    if stuck:
        large = case.among.suspects(c, [("step", "high")], case.rivals)
        return _found("no_progress", said, large, stretch)
    return None


def ended_too_early(case: Case) -> list[TrainingFinding]:
    """Still improving when the epochs or the patience ended."""
    c = case.curves
    if not case.whole or len(c.steps) < 2:
        return []
    full = case.limit is not None and case.last >= case.limit
    promise = _promise(c)
    alike = [b for b in case.rivals if shortfall(c.best, b.until(case.last)) < SAME and b.at_best > case.last]
    suspects = case.among.suspects(c, [("patience", "low"), ("length", "low")], case.rivals)
    impatient = bool(suspects) and suspects[0].name in ROLES["patience"] and c.best_at >= len(c.steps) - 2
    cut = (bool(alike) and len(alike) * 2 >= len(case.rivals)) or (impatient and bool(case.rivals))
    if not (promise >= PROMISE or (cut and not full)) or c.valid[-1] - c.best >= RISE / 2:
        return []
    back = max(len(c.steps) - max(3, len(c.steps) // 3), 0)
    stretch = (case.at(back), case.last)
    said = (
        f"{c.source.valid} still falls from {c.said(c.valid[back])} at step {stretch[0]} to "
        f"{c.said(c.valid[-1])} at step {case.last}, the last one"
    )
    if cut:
        b = (alike or case.rivals)[0]
        said = (
            f"it ends at step {case.last} with {c.source.valid} {c.said(c.best)}; trial {b.record.number} "
            f"has {c.said(b.until(case.last))} there and goes on to {c.said(b.best)} at step {b.at_best}"
        )
    found = [_found("stopped_early", said, suspects, stretch)]
    if full:
        said = (
            f"{c.source.valid} still falls at step {case.last}, where the budget of {case.limit} steps ends"
        )
        found.append(_found("budget_limited", said, suspects, stretch))
    return found


def underfitting(case: Case) -> TrainingFinding | None:
    """Far behind in training rows as in validation rows, and no longer improving."""
    c = case.curves
    if not case.whole or case.behind < FAR_BEHIND or not case.fits_worse:
        return None
    gap = c.valid[c.best_at] - c.fit[c.best_at]
    if gap >= SMALL_GAP:
        return None
    rival = case.rivals[0]
    said = (
        f"{c.source.valid} stays at {c.said(c.best)}"
        + ("" if c.train is None else f" and {c.source.train} at {c.said(c.learnt())}")
        + f", where trial {rival.record.number} reaches {c.said(rival.best)}"
    )
    suspects = case.among.suspects(
        c, [("capacity", "low"), ("penalty", "high"), ("step", "low")], case.rivals
    )
    return _found("underfitting", said, suspects, (case.at(c.best_at), case.last))


def healthy(case: Case) -> TrainingFinding:
    """Nothing is amiss."""
    c = case.curves
    said = f"{c.source.valid} is {c.said(c.best)} at step {case.at(c.best_at)} of {case.last}"
    if c.train is not None and math.isfinite(c.train[c.best_at]):
        said += f", {c.source.train} {c.said(c.train[c.best_at])}"
    return _found("healthy", f"{said}; no sign of a fault", (), (case.at(0), case.last))


def _promise(c: Curves) -> float:
    """By how much the loss would fall in half as many steps again, at the slope of the last third.

    A share of the way to perfect, by logarithms.
    """
    k = max(3, len(c.steps) // 3)
    tail, at = np.log(c.valid[-k:]), c.steps[-k:].astype(float)
    if len(tail) < 2 or not np.isfinite(tail).all() or c.valid[-1] >= 1.0:
        return 0.0
    slope = float(np.polyfit(at, tail, 1)[0])
    ahead = (c.steps[-1] - c.steps[0] + 1) / 2
    return -slope * float(ahead) / max(-math.log(c.best), 0.1)


def _fit_name(c: Curves) -> str:
    return c.source.valid if c.train is None else str(c.source.train)


def _shrunk(c: Curves) -> str:
    """That the weights shrank, where they were reported and did."""
    norms = [c.record.reports[int(s)].get("weight_norm", math.nan) for s in c.steps]
    if len(norms) > 1 and norms[-1] < 0.5 * norms[0]:
        return f", and weight_norm shrinks from {norms[0]:.3g} to {norms[-1]:.3g}"
    return ""


def _found(label: str, said: str, suspects: Sequence[Suspect], steps: tuple[int, int]) -> TrainingFinding:
    why = blamed(suspects)
    return TrainingFinding(
        label=label,  # type: ignore[arg-type]  # a literal of this module
        evidence=f"{said}; {why}" if why else said,
        steps=steps,
        params=tuple(s.name for s in suspects),
    )
