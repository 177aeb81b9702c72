"""The acquisition function: expected hypervolume improvement, by surrogates or by a screen's exact answer.

While no trial meets the constraints on metrics known only after training, there is no front to improve. The
acquisition is then the probability of meeting these constraints (Gelbart et al. 2014, arXiv:1403.5607,
section 3.1).
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


class Acquisition:
    """Expected hypervolume improvement times the probability of being feasible, for scaled rows.

    Args:
        surrogates: Models of the metrics known only after training.
        screening: Models of the metrics known before training. They may change while candidates are scored.

    Attributes:
        sd_factor: Factor by which the standard deviations of the models are multiplied.
    """

    def __init__(self, surrogates: Surrogates, screening: ScreeningModel) -> None:
        self._surrogates, self._screening, self.sd_factor = surrogates, screening, 1.0
        self.refresh()
        ideal, reference = surrogates.box({n: screening.fitting_range(n) for n in surrogates.static})
        self._coarse = Improvement(surrogates.front, ideal, reference, count=_COARSE[1])
        self._fine = Improvement(surrogates.front, ideal, reference, count=_FINE[1])

    def refresh(self) -> None:
        """Update the models of the metrics known before training."""
        self._static: Mapping[str, MetricModel] = self._screening.models()

    def coarse(self, scaled: Array) -> Array:
        """A quick estimate for whole pools."""
        return self._score(scaled, None, self._coarse, _COARSE[0])

    def __call__(self, scaled: Array, answer: Screened | None = None) -> Array:
        """A precise estimate. The exact metrics of ``answer``, if given, replace predicted ones."""
        return self._score(scaled, answer, self._fine, _FINE[0])

    def _score(self, scaled: Array, answer: Screened | None, improvement: Improvement, count: int) -> Array:
        surrogates = self._surrogates
        feasible = surrogates.probability_feasible(scaled)
        if surrogates.seeks_feasible:
            return feasible if answer is not None else feasible * self._screening.probability_fits(scaled)
        modelled = [name for name in surrogates.names if name in surrogates.models]
        nodes, weights = normal_nodes(count, len(modelled))
        samples = np.empty((len(weights), len(scaled), len(surrogates.names)))
        for j, name in enumerate(surrogates.names):
            sign = surrogates.signs[j]
            if answer is not None and name in answer.metrics:
                samples[:, :, j] = sign * answer.metrics[name]
            elif name in surrogates.models:
                model = surrogates.models[name]
                mean, sd = model.predict(scaled)
                samples[:, :, j] = model.values(
                    mean + self.sd_factor * sd * nodes[:, modelled.index(name), None]
                )
            elif name in self._static:
                model = self._static[name]
                samples[:, :, j] = sign * model.within_seen(model.predict(scaled)[0])
            else:
                samples[:, :, j] = surrogates.typical[j]
        gain = improvement.expected(samples, weights) * feasible
        return gain if answer is not None else gain * self._screening.probability_fits(scaled)
