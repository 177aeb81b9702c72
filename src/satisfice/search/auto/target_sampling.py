"""Looking where an objective that is known before training has a drawn value.

What large models can do is not learnt from what untuned ones did: left to expected improvement, the first few
that were bad, or that there were none, may keep a search away from most of the front.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from optuna.trial import TrialState

from satisfice.search.auto.candidates import ANYWHERE, around, pool
from satisfice.search.auto.surrogates import Surrogates
from satisfice.search.history import History
from satisfice.search.screening import ScreeningModel
from satisfice.surrogate.encoding import Array

_FIRST = 0.5  # probability of looking where no trial has been
_STOPPED = 0.15  # probability of looking anywhere, times the share of trainings that is stopped early
_WITHIN = 1.0 / 12.0  # of the range: trials so near to a value have been there
_WINDOW = 0.15  # share of the candidates that are nearest to what was drawn
_MAY_FIT = 0.15  # probability of fitting from which on a region is looked at
_REFINED = 500  # candidates of the second round


@dataclass(frozen=True)
class Target:
    """A value of an objective that is known before training."""

    metric: str
    value: float  # in the metric's own units
    probability: float  # that looking there is worth a trial: the fewer have been there, the higher


def draw_target(
    history: History, surrogates: Surrogates, screening: ScreeningModel, rng: np.random.Generator
) -> Target | None:
    """A value that can be had, evenly over their range; None where no objective is known before training."""
    static, encoder = screening.models(), history.encoder
    fitting = {name: screening.fitting_range(name) for name in surrogates.names if name in static}
    known = [(name, ends) for name, ends in fitting.items() if ends is not None]
    if not known or not any(name in surrogates.models for name in surrogates.names):
        return None
    metric, (low, high) = known[rng.integers(len(known))]
    # What was screened so far need not reach as far as what fits.
    anywhere = encoder.unit(encoder.raw_from_quantiles(encoder.draw(ANYWHERE, rng)))
    there = static[metric].within_seen(static[metric].predict(anywhere)[0])
    there = there[screening.probability_fits(anywhere) >= _MAY_FIT]
    there = np.r_[low, high, there]
    low, high = there.min(), there.max()
    # Between the sizes of one layer and of two there may be nothing.
    value = float(there[np.argmin(np.abs(there - rng.uniform(low, high)))])
    rows = history.rows(TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
    tried = history.metrics[rows, history.metric_column[metric]]
    near = int((np.abs(tried - value) <= _WITHIN * (high - low)).sum())
    return Target(metric, value, max(_FIRST / (1.0 + near), _STOPPED * surrogates.stopped))


def most_promising(
    history: History, surrogates: Surrogates, screening: ScreeningModel, aim: Target, rng: np.random.Generator
) -> Array:
    """Quantile rows near the aim, the most hopeful first, by randomly weighted objectives."""
    encoder, static = history.encoder, screening.models()[aim.metric]
    trained = [name for name in surrogates.names if name in surrogates.models]
    weights = rng.dirichlet(np.ones(len(trained)))
    parents = encoder.quantiles(surrogates.parents, encoder.draw(len(surrogates.parents), rng))
    q = pool(encoder, parents, encoder.draw(ANYWHERE, rng), rng)

    def best_there(q: Array) -> Array:
        unit = encoder.unit(encoder.raw_from_quantiles(q))
        chance = screening.probability_fits(unit)
        off = np.abs(static.within_seen(static.predict(unit)[0]) - aim.value)
        may_fit = chance >= _MAY_FIT * chance.max()
        farthest = off[may_fit].max()  # where few may fit, all of them are near
        inside = may_fit & (off <= np.quantile(np.where(may_fit, off, farthest), _WINDOW))
        best_case = np.zeros(len(q))
        for weight, name in zip(weights, trained, strict=True):
            mean, sd = surrogates.models[name].predict(unit)
            best_case += weight * (mean - sd)
        return q[np.argsort(np.where(inside, best_case, np.inf), kind="stable")[: int(inside.sum())]]

    first = best_there(q)
    return best_there(np.vstack([first, around(encoder, first, _REFINED, rng)]))
