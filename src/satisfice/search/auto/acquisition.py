"""What a candidate promises: expected hypervolume improvement, by models or by what a screen has told.

While no trial meets the constraints that training decides, there is nothing to improve on: what counts then
is the probability of meeting them (Gelbart et al. 2014, arXiv:1403.5607, section 3.1).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from satisfice.search.auto.surrogates import Surrogates
from satisfice.search.expected_improvement import Improvement, normal_nodes
from satisfice.search.protocol import Screened
from satisfice.search.screening import ScreeningModel
from satisfice.surrogate.encoding import Array
from satisfice.surrogate.metric_model import MetricModel

_COARSE, _FINE = (8, 40), (16, 128)  # samples of each modelled objective, directions


class Scorer:
    """Expected improvement times the probability of fitting, of unit rows.

    Args:
        surrogates: What the trials say.
        screening: What screens have said; it may learn more while candidates are scored.

    Attributes:
        boldness: Factor of the models' standard deviations.
    """

    def __init__(self, surrogates: Surrogates, screening: ScreeningModel) -> None:
        self._surrogates, self._screening, self.boldness = surrogates, screening, 1.0
        self.refresh()
        ideal, reference = surrogates.box({n: screening.fitting_range(n) for n in surrogates.static})
        self._coarse = Improvement(surrogates.front, ideal, reference, count=_COARSE[1])
        self._fine = Improvement(surrogates.front, ideal, reference, count=_FINE[1])

    def refresh(self) -> None:
        """Take in what screens have said since."""
        self._static: Mapping[str, MetricModel] = self._screening.models()

    def coarse(self, unit: Array) -> Array:
        """A quick estimate for whole pools."""
        return self._score(unit, None, self._coarse, _COARSE[0])

    def __call__(self, unit: Array, answer: Screened | None = None) -> Array:
        """The estimate that decides; with a screen's answer, for what is exact by it."""
        return self._score(unit, answer, self._fine, _FINE[0])

    def _score(self, unit: Array, answer: Screened | None, improvement: Improvement, count: int) -> Array:
        surrogates = self._surrogates
        feasible = surrogates.probability_feasible(unit)
        if surrogates.seeks_feasible:
            return feasible if answer is not None else feasible * self._screening.probability_fits(unit)
        modelled = [name for name in surrogates.names if name in surrogates.models]
        nodes, weights = normal_nodes(count, len(modelled))
        samples = np.empty((len(weights), len(unit), len(surrogates.names)))
        for j, name in enumerate(surrogates.names):
            sign = surrogates.signs[j]
            if answer is not None and name in answer.metrics:
                samples[:, :, j] = sign * answer.metrics[name]
            elif name in surrogates.models:
                model = surrogates.models[name]
                mean, sd = model.predict(unit)
                samples[:, :, j] = model.values(
                    mean + self.boldness * sd * nodes[:, modelled.index(name), None]
                )
            elif name in self._static:
                model = self._static[name]
                samples[:, :, j] = sign * model.within_seen(model.predict(unit)[0])
            else:
                samples[:, :, j] = surrogates.typical[j]
        gain = improvement.expected(samples, weights) * feasible
        return gain if answer is not None else gain * self._screening.probability_fits(unit)
