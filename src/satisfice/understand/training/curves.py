"""From a trial's reports to its curves: the loss of validation rows, and of training rows where it is known.

Losses are divided by that of a guess, so that 1 is as good as knowing nothing and 0 is perfect. Built-in
families report the guess; otherwise it is the median of what the study's trials reported first. A score
becomes a loss: one that ends at 1 is taken from 1; any other is measured from the best value of the study.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from satisfice.spec.metric import METRICS
from satisfice.spec.study import Objective
from satisfice.spec.trial import TrialRecord

Floats = NDArray[np.float64]

_LOSS = re.compile(r"loss|error|nll|perplexity|entropy|mse|rmse|mae|deviance", re.IGNORECASE)
_SCORE = re.compile(r"acc|f1|auc|r2|score|precision|recall|reward|return|iou|dice|bleu|map", re.IGNORECASE)
_TRAIN = re.compile(r"(?:^|[_./])(?:train|training|trn)(?:[_./]|$)", re.IGNORECASE)
_VALID = re.compile(r"(?:^|[_./])(?:val|valid|validation|eval|dev|test)(?:[_./]|$)", re.IGNORECASE)
_LARGEST = 1e12  # of a loss in units of a guess: what is larger is drawn here
_FLOOR = 1e-3  # of a loss in units of a guess: below, differences tell nothing


@dataclass(frozen=True, kw_only=True)
class Source:
    """Which reported metrics the curves are made of."""

    valid: str
    train: str | None  # of the same kind
    maximize: bool
    guess: float  # what stands for 1, in the metric's unit
    best: float  # what stands for 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Curves:
    """One training. Arrays are by report, shape (n,), n >= 1."""

    record: TrialRecord
    source: Source
    steps: NDArray[np.int64]
    valid: Floats  # NaN where it was not finite
    train: Floats | None  # likewise; None: not reported
    broken: int | None  # first step at which one of them was not finite

    @cached_property
    def best_at(self) -> int:
        """Index of the lowest validation loss."""
        return int(np.nanargmin(self.valid)) if np.isfinite(self.valid).any() else 0

    @property
    def best(self) -> float:
        """The lowest validation loss."""
        return float(self.valid[self.best_at])

    @property
    def at_best(self) -> int:
        """The step of the lowest validation loss."""
        return int(self.steps[self.best_at])

    @cached_property
    def fit(self) -> Floats:
        """The training loss, else what is nearest to it: the validation loss."""
        return self.valid if self.train is None else self.train

    def learnt(self, until: int | None = None) -> float:
        """The lowest training loss, up to a step if one is given; without any, the best validation loss."""
        seen = self.fit if until is None else self.fit[self.steps <= until]
        seen = seen[np.isfinite(seen)]
        return float(seen.min()) if len(seen) else self.best

    def until(self, step: int) -> float:
        """The lowest validation loss up to a step; infinite where nothing was reported so early."""
        seen = self.valid[self.steps <= step]
        seen = seen[np.isfinite(seen)]
        return float(seen.min()) if len(seen) else math.inf

    def said(self, value: float) -> str:
        """A loss in the unit of its metric."""
        s = self.source
        return f"{s.guess + (value - 1.0) * (s.guess - s.best):.3g}"


def source_of(records: Sequence[TrialRecord], objectives: Sequence[Objective]) -> Source | None:
    """What the trials' curves are made of; None where they report nothing that is a loss or a score.

    A loss is preferred to a score, and what is reported of training rows too to what is not.

    Args:
        records: All trials of the study, with their reports.
        objectives: The study's.
    """
    names = dict.fromkeys(name for r in records for m in _some(r) for name in m)
    valid = _valid_name(names, objectives)
    if valid is None:
        return None
    maximize = _is_score(valid, objectives)
    train = _train_name(valid, names)
    values = [v for r in records for m in r.reports.values() if math.isfinite(v := m.get(valid, math.nan))]
    if not values:
        return None
    best, guess = _ends(valid, maximize, values, records)
    return Source(valid=valid, train=train, maximize=maximize, guess=guess, best=best)


def _some(record: TrialRecord) -> Iterable[Mapping[str, float]]:
    """The first and the last report: whatever is reported at all is in one of them."""
    if record.reports:
        yield record.reports[min(record.reports)]
        yield record.reports[max(record.reports)]


def _valid_name(names: Iterable[str], objectives: Sequence[Objective]) -> str | None:
    known = [n for n in names if n not in ("guess_loss", "batch_loss") and not _TRAIN.search(n)]
    losses = [n for n in known if _LOSS.search(n) and n not in METRICS]
    ranked = [n for n in losses if _VALID.search(n)] + losses
    ranked += [n for n in known if n in METRICS and _LOSS.search(n)]
    ranked += [o.metric for o in objectives if o.metric in known]
    ranked += [n for n in known if _SCORE.search(n)]
    return ranked[0] if ranked else None


def _is_score(name: str, objectives: Sequence[Objective]) -> bool:
    """Whether more of it is better."""
    for o in objectives:
        if o.metric == name:
            return o.direction == "maximize"
    if name in METRICS:
        return METRICS[name].direction == "maximize"
    return not _LOSS.search(name)


def _train_name(valid: str, names: Iterable[str]) -> str | None:
    """The metric of training rows that is of the same kind."""

    def bare(name: str) -> str:
        return re.sub(r"[_./]+", "", _VALID.sub("_", _TRAIN.sub("_", name))).lower()

    return next((n for n in names if _TRAIN.search(n) and bare(n) == bare(valid)), None)


def _ends(
    valid: str, maximize: bool, values: Sequence[float], records: Sequence[TrialRecord]
) -> tuple[float, float]:
    """The values that stand for a perfect model and for a guess."""
    guesses = [m["guess_loss"] for r in records for m in _some(r) if "guess_loss" in m]
    if valid == "validation_loss" and guesses:
        return 0.0, float(np.median(guesses))
    firsts = [r.reports[min(r.reports)].get(valid, math.nan) for r in records if r.reports]
    first = float(np.quantile([v for v in firsts if math.isfinite(v)] or values, 0.5, method="lower"))
    ordered = sorted(values, reverse=maximize)
    best, worst = ordered[0], ordered[-1]
    if maximize and best <= 1.0 and min(values) > -1.0:
        best = 1.0
    elif not maximize and min(values) >= 0.0:
        best = 0.0
    if (first - best) * (1 if maximize else -1) >= 0:  # it began with the best value
        first = worst
    return (best, first) if first != best else (best, best + (-1.0 if maximize else 1.0))


def curves_of(record: TrialRecord, source: Source) -> Curves | None:
    """The curves of a trial; None where it reported none of them."""
    steps = [s for s in sorted(record.reports) if source.valid in record.reports[s]]
    if not steps:
        return None
    valid = _scaled([record.reports[s][source.valid] for s in steps], source)
    train = None
    if source.train is not None:
        said = [record.reports[s].get(source.train, math.nan) for s in steps]
        train = None if all(source.train not in record.reports[s] for s in steps) else _scaled(said, source)
    bad = ~np.isfinite(valid) if train is None else ~(np.isfinite(valid) & np.isfinite(train))
    return Curves(
        record=record,
        source=source,
        steps=np.array(steps),
        valid=valid,
        train=train,
        broken=int(np.array(steps)[bad][0]) if bad.any() else None,
    )


def _scaled(values: Sequence[float], source: Source) -> Floats:
    with np.errstate(all="ignore"):
        out = (np.array(values, float) - source.best) / (source.guess - source.best)
    out[~np.isfinite(out)] = np.nan
    return np.clip(out, _FLOOR, _LARGEST)
