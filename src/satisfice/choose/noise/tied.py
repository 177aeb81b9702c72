"""Which configurations cannot be told from a chosen one on one metric."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

from satisfice.choose.noise.difference import Noise
from satisfice.choose.trial_group import TrialGroup
from satisfice.spec.standard_error import NORMAL_95

_WRONG = 0.1  # probability that the truly best is left out, at most


def errors_apart(candidates: int) -> float:
    """How many standard errors of a difference are noise, where the best of so many was chosen.

    The best by value is partly the luckiest, so that one comparison at 95% leaves the truly best out far too
    often: in three of four studies of 100 near-equal trials. With one-sided comparisons at 10% over the
    number of rivals (Bonferroni) it is among the tied with a probability of at least 90%, whatever the true
    values (subset selection, Gupta 1965; comparisons with the best, Hsu 1984). It is never less than the
    1.96 of a 95% interval, which it is for up to five candidates.

    >>> round(errors_apart(2), 2), round(errors_apart(30), 2), round(errors_apart(1000), 2)
    (1.96, 2.7, 3.72)
    """
    rivals = candidates - 1
    if rivals < 1:
        return NORMAL_95
    return max(NORMAL_95, -NormalDist().inv_cdf(_WRONG / rivals))


def tied_with(
    chosen: TrialGroup, candidates: Sequence[TrialGroup], metric: str, noise: Noise
) -> list[TrialGroup]:
    """The candidates, without the chosen one, whose difference from it on the metric is within noise.

    Args:
        chosen: One of the candidates.
        candidates: Feasible configurations.
        metric: On which it was chosen.
        noise: Of the study.
    """
    scored = [c for c in candidates if not math.isnan(c.mean(metric))]
    apart = errors_apart(len(scored))
    return [
        c
        for c in scored
        if c.trial.number != chosen.trial.number and noise.difference(chosen, c, metric).is_noise(apart)
    ]


def may_be_tied(
    chosen: TrialGroup, candidates: Sequence[TrialGroup], metric: str, noise: Noise
) -> list[TrialGroup]:
    """The candidates that influence values could still tie: the cheap test before those are read.

    The error of a difference is at most the sum of both errors, and its correction for few rows at most
    makes it twice that.

    Args:
        chosen: One of the candidates.
        candidates: Feasible configurations.
        metric: On which it was chosen.
        noise: Without influence values.
    """
    most = 2.0 * errors_apart(len(candidates))
    here, error = chosen.mean(metric), noise.error(chosen, metric)
    if error is None:
        return []
    found = []
    for c in candidates:
        theirs = noise.error(c, metric)
        if theirs is not None and abs(c.mean(metric) - here) <= most * (error + theirs):
            found.append(c)
    return found
