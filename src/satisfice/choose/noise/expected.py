"""The score to expect of a chosen trial on new data: its own score flatters, since the luckiest are chosen.

The rows are drawn again many times; each time the choice is made on the rows drawn, and what it chose is
scored on the rows not drawn. The mean of these scores is what a choice made so is worth, and their 2.5 and
97.5 percentiles the interval (bootstrap bias corrected, Tsamardinos, Greasidou and Borboudakis 2018). Scores
of drawn rows follow from influence values, so nothing is scored anew.

Where trials have no influence values but standard errors, the same is done with independent normal errors:
the score on rows not drawn is then ``value - e + r``, with ``e`` the error that the choice saw, and ``r`` of
the variance that the fewer rows bring.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from satisfice.choose.noise.difference import Noise
from satisfice.choose.trial_group import TrialGroup
from satisfice.spec.metric import METRICS
from satisfice.spec.study import Objective

_DRAWS = 400
_ENDS = (2.5, 97.5)
_LEFT_OUT = math.exp(-1)  # share of the rows that a bootstrap sample leaves out

Floats = NDArray[np.float64]
Choice = Callable[[Floats], NDArray[np.intp]]


@dataclass(frozen=True, kw_only=True)
class Expected:
    """The score to expect on new data."""

    metric: str
    value: float
    low: float  # ends of the 95% interval
    high: float
    observed: float  # the score that it was chosen by
    candidates: int  # that it was chosen from
    paired: bool  # from scores on the same rows


def expected_score(
    chosen: TrialGroup,
    candidates: Sequence[TrialGroup],
    goal: Objective,
    noise: Noise,
    *,
    choice: Choice | None = None,
    seed: int = 0,
) -> Expected | None:
    """What the choice is worth on new data; None where the noise of its score is not known.

    Args:
        chosen: The one that was chosen.
        candidates: Those it was chosen from, itself included, as `with_known_noise` gives them.
        goal: The metric chosen by.
        noise: Of the study.
        choice: From losses (draws, candidates) to the index chosen in each draw; None: the least loss.
        seed: Of the draws.
    """
    metric = goal.metric
    observed, own = chosen.mean(metric), noise.error(chosen, metric)
    if own is None or not math.isfinite(observed) or own == 0.0:
        return None
    values = np.array([g.mean(metric) for g in candidates])
    rows = [noise.values(g, metric) for g in candidates]
    shape = next((r.shape for r in rows if r is not None), None)
    paired = shape is not None and all(r is not None and r.shape == shape for r in rows)
    draw = np.random.default_rng(seed)
    pick = choice or (lambda losses: losses.argmin(axis=1))
    if paired:
        scores = _on_rows(values, np.array(rows), goal.sign, pick, draw)
    else:
        errors = np.array([noise.error(g, metric) or 0.0 for g in candidates])
        scores = _independent(values, errors, goal.sign, pick, draw)
    low, high = np.percentile(scores, _ENDS).tolist()
    known = METRICS.get(metric)
    floor, ceiling = (-math.inf, math.inf) if known is None else (known.lower, known.upper)
    return Expected(
        metric=metric,
        value=float(np.clip(scores.mean(), floor, ceiling)),
        low=max(low, floor),
        high=min(high, ceiling),
        observed=observed,
        candidates=len(candidates),
        paired=paired,
    )


def with_known_noise(groups: Sequence[TrialGroup], metric: str, noise: Noise) -> list[TrialGroup]:
    """Those with a finite value of the metric and a known standard error."""
    return [g for g in groups if math.isfinite(g.mean(metric)) and noise.error(g, metric) is not None]


def _on_rows(
    values: Floats, influence: Floats, sign: float, pick: Choice, draw: np.random.Generator
) -> Floats:
    """Scores on the groups of rows not drawn, of what was chosen on those drawn.

    Args:
        values: Shape (t,).
        influence: Shape (t, g).
        sign: Makes a value a loss.
        pick: See `expected_score`.
        draw: The source of chance.
    """
    g = influence.shape[1]
    counts = draw.multinomial(g, np.full(g, 1.0 / g), size=_DRAWS)
    drawn = values + (counts - 1.0) @ influence.T
    at = pick(sign * drawn)
    out = counts == 0
    left = np.maximum(out.sum(axis=1), 1)
    return np.asarray(values[at] + (out * influence[at]).sum(axis=1) * g / left)


def _independent(
    values: Floats, errors: Floats, sign: float, pick: Choice, draw: np.random.Generator
) -> Floats:
    """The same from standard errors alone, of values (t,) and errors (t,)."""
    seen = draw.normal(size=(_DRAWS, len(values))) * errors
    at = pick(sign * (values + seen))
    every = np.arange(_DRAWS)
    rest = draw.normal(size=_DRAWS) * errors[at] * math.sqrt(1 / _LEFT_OUT - 1)
    return np.asarray(values[at] - seen[every, at] + rest)
