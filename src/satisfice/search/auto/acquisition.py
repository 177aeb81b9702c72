"""What a candidate promises: expected hypervolume improvement, by models or by what a screen has told.

While no trial meets the constraints that training decides, there is nothing to improve on: what counts then
is the probability of meeting them (Gelbart et al. 2014, arXiv:1403.5607, section 3.1).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from satisfice.search.auto.surrogates import Evidence
from satisfice.search.expected_improvement import Improvement, normal_nodes
from satisfice.search.protocol import Screened
from satisfice.search.screening import ScreenMemory
from satisfice.surrogate.encoding import Array
from satisfice.surrogate.metric_model import MetricModel

_COARSE, _FINE = (8, 40), (16, 128)  # samples of each modelled objective, directions


class Scorer:
    """Expected improvement times the probability of fitting, of unit rows.

    Args:
        evidence: What the trials say.
        memory: What screens have said; it may learn more while candidates are scored.

    Attributes:
        boldness: Factor of the models' standard deviations.
    """

    def __init__(self, evidence: Evidence, memory: ScreenMemory) -> None:
        self._evidence, self._memory, self.boldness = evidence, memory, 1.0
        self.refresh()
        ideal, reference = evidence.box({n: memory.fitting_range(n) for n in evidence.static})
        self._coarse = Improvement(evidence.front, ideal, reference, count=_COARSE[1])
        self._fine = Improvement(evidence.front, ideal, reference, count=_FINE[1])

    def refresh(self) -> None:
        """Take in what screens have said since."""
        self._static: Mapping[str, MetricModel] = self._memory.models()

    def coarse(self, unit: Array) -> Array:
        """A quick estimate for whole pools."""
        return self._score(unit, None, self._coarse, _COARSE[0])

    def __call__(self, unit: Array, answer: Screened | None = None) -> Array:
        """The estimate that decides; with a screen's answer, for what is exact by it."""
        return self._score(unit, answer, self._fine, _FINE[0])

    def _score(self, unit: Array, answer: Screened | None, improvement: Improvement, count: int) -> Array:
        evidence = self._evidence
        feasible = evidence.probability_feasible(unit)
        if evidence.seeks_feasible:
            return feasible if answer is not None else feasible * self._memory.probability_fits(unit)
        modelled = [name for name in evidence.names if name in evidence.models]
        nodes, weights = normal_nodes(count, len(modelled))
        samples = np.empty((len(weights), len(unit), len(evidence.names)))
        for j, name in enumerate(evidence.names):
            sign = evidence.signs[j]
            if answer is not None and name in answer.metrics:
                samples[:, :, j] = sign * answer.metrics[name]
            elif name in evidence.models:
                model = evidence.models[name]
                mean, sd = model.predict(unit)
                samples[:, :, j] = model.values(
                    mean + self.boldness * sd * nodes[:, modelled.index(name), None]
                )
            elif name in self._static:
                model = self._static[name]
                samples[:, :, j] = sign * model.within_seen(model.predict(unit)[0])
            else:
                samples[:, :, j] = evidence.typical[j]
        gain = improvement.expected(samples, weights) * feasible
        return gain if answer is not None else gain * self._memory.probability_fits(unit)
