"""Target sampling: proposals at a sampled value of an objective that is known before training.

Expected improvement may ignore most of the front if the first large models happen to be bad, or if none was
trained: an untuned configuration does not show what a tuned one of the same size reaches.
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

_UNVISITED = 0.5  # probability of using a target with no trial near it
_STOPPED = 0.15  # least probability of using a target, times the share of trials that are stopped
_WITHIN = 1.0 / 12.0  # share of the range within which a trial counts as near a target
_WINDOW = 0.15  # share of the candidates, nearest to the target, that is kept
_MAY_FIT = 0.15  # least probability of fitting of a candidate
_REFINED = 500  # candidates of the second round


@dataclass(frozen=True)
class SampledTarget:
    """A value of an objective that is known before training."""

    metric: str
    value: float  # in the metric's own units
    probability: float  # of proposing at this target; higher with fewer trials near it


def draw_target(
    history: History, surrogates: Surrogates, screening: ScreeningModel, rng: np.random.Generator
) -> SampledTarget | None:
    """Draw a target uniformly over the attainable values; None if no objective is known before training."""
    static, encoder = screening.models(), history.encoder
    fitting = {name: screening.fitting_range(name) for name in surrogates.names if name in static}
    known = [(name, ends) for name, ends in fitting.items() if ends is not None]
    if not known or not any(name in surrogates.models for name in surrogates.names):
        return None
    metric, (low, high) = known[rng.integers(len(known))]
    # Configurations outside the range screened so far may fit, too.
    anywhere = encoder.scaled(encoder.raw_from_quantiles(encoder.draw(ANYWHERE, rng)))
    there = static[metric].within_seen(static[metric].predict(anywhere)[0])
    there = there[screening.probability_fits(anywhere) >= _MAY_FIT]
    there = np.r_[low, high, there]
    low, high = there.min(), there.max()
    # Some values are unattainable, such as sizes between one layer and two: take the nearest attainable one.
    value = float(there[np.argmin(np.abs(there - rng.uniform(low, high)))])
    rows = history.rows(TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
    tried = history.metrics[rows, history.metric_column[metric]]
    near = int((np.abs(tried - value) <= _WITHIN * (high - low)).sum())
    return SampledTarget(metric, value, max(_UNVISITED / (1.0 + near), _STOPPED * surrogates.stopped))


def most_promising(
    history: History,
    surrogates: Surrogates,
    screening: ScreeningModel,
    target: SampledTarget,
    rng: np.random.Generator,
) -> Array:
    """Quantile rows near the target, by the lower confidence bound of randomly weighted objectives."""
    encoder, static = history.encoder, screening.models()[target.metric]
    trained = [name for name in surrogates.names if name in surrogates.models]
    weights = rng.dirichlet(np.ones(len(trained)))
    starts = encoder.quantiles(surrogates.local_starts, encoder.draw(len(surrogates.local_starts), rng))
    quantiles = pool(encoder, starts, encoder.draw(ANYWHERE, rng), rng)

    def best_there(quantiles: Array) -> Array:
        scaled = encoder.scaled(encoder.raw_from_quantiles(quantiles))
        chance = screening.probability_fits(scaled)
        off = np.abs(static.within_seen(static.predict(scaled)[0]) - target.value)
        may_fit = chance >= _MAY_FIT * chance.max()
        farthest = off[may_fit].max()  # where few may fit, all of them are near
        inside = may_fit & (off <= np.quantile(np.where(may_fit, off, farthest), _WINDOW))
        best_case = np.zeros(len(quantiles))
        for weight, name in zip(weights, trained, strict=True):
            mean, sd = surrogates.models[name].predict(scaled)
            best_case += weight * (mean - sd)
        return quantiles[np.argsort(np.where(inside, best_case, np.inf), kind="stable")[: int(inside.sum())]]

    first = best_there(quantiles)
    return best_there(np.vstack([first, around(encoder, first, _REFINED, rng)]))
