"""A model of one metric over the space: a transform of its values and a Gaussian process on them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from satisfice.surrogate import gaussian_process as gaussian
from satisfice.surrogate.encoding import Array, Layout
from satisfice.surrogate.fitting import fit
from satisfice.surrogate.transform import Ranks, TailLog

MAX_POINTS = 240  # of a Gaussian process: solving is cubic
_MAX_FIT = 110  # points that hyperparameters are fitted on
_FIT_GROWTH = 1.15  # hyperparameters are refitted when the data has grown by this factor


class Transform(Protocol):
    """An increasing map from a metric's scale to a model's."""

    def forward(self, values: Array) -> Array:
        """To the model's scale."""

    def inverse(self, z: Array) -> Array:
        """Back to the metric's scale."""


MakeTransform = Callable[[Array], Transform]
TRAINED: MakeTransform = TailLog
EXACT: MakeTransform = Ranks


def spread_out(n: int, count: int) -> NDArray[np.int_]:
    """``count`` indices below ``n``, evenly spread, ascending."""
    return np.unique(np.linspace(0, n - 1, min(n, count)).round().astype(int))


def fit_size(n: int) -> int:
    """The largest size of a growing schedule that is at most ``n``: when hyperparameters are refitted."""
    size = 1
    while True:
        grown = max(size + 1, int(size * _FIT_GROWTH))
        if grown > n:
            return size
        size = grown


class HyperparameterCache:
    """Hyperparameters by what they were fitted on, so that proposals between two sizes share a fit.

    They depend on the data alone (the first points, in the order given), never on what this process fitted
    before: any worker arrives at the same model.
    """

    def __init__(self) -> None:
        self._kept: dict[bytes, gaussian.KernelParameters] = {}

    def get(
        self,
        x: Array,
        values: Array,
        layout: Layout,
        transform: MakeTransform,
        *,
        noise_prior: float,
        roughness: float = 1.0,
    ) -> gaussian.KernelParameters:
        """Fitted on the first points.

        Args:
            x: Scaled rows, shape [n, d].
            values: The metric, shape [n], free of additional noise.
            layout: Of the rows.
            transform: Scale on which to model.
            noise_prior: Most plausible noise variance, targets being standardised.
            roughness: See `gaussian.KernelParameters.rougher`.
        """
        rows = spread_out(fit_size(len(x)), _MAX_FIT)
        x, values = np.ascontiguousarray(x[rows]), values[rows]
        key = x.tobytes() + values.tobytes()
        if key not in self._kept:
            if len(self._kept) >= 64:
                self._kept.clear()
            z = transform(values).forward(values)
            z = (z - z.mean()) / (float(z.std()) or 1.0)
            self._kept[key] = fit(x, z, np.zeros(len(z)), layout, noise_prior=noise_prior)
        return self._kept[key].rougher(roughness)


class MetricModel:
    """Posterior of one metric, in the units of the metric through samples and probabilities.

    Args:
        x: Scaled rows, shape [n, d].
        values: The metric, shape [n]; finite. With ``reports``: on the transform's scale.
        extra: Additional noise variance on the model's scale, shape [n].
        layout: Of the rows.
        transform: Scale on which to model.
        hyperparameters: Of the process on the standardised scale.
        reports: Which values were predicted from reports; None: all were observed.
    """

    def __init__(
        self,
        x: Array,
        values: Array,
        extra: Array,
        layout: Layout,
        *,
        transform: Transform,
        hyperparameters: gaussian.KernelParameters,
        reports: gaussian.Reports | None = None,
    ) -> None:
        self.transform = transform
        if reports is None:
            self.range = float(values.min()), float(values.max())
            z = transform.forward(values)
            self._mean, self._sd = float(z.mean()), float(z.std()) or 1.0
        else:
            z, self._mean, self._sd = values, 0.0, 1.0
        self.process = gaussian.GaussianProcess(
            x, (z - self._mean) / self._sd, extra, layout, hyperparameters, reports
        )

    def rescaled(self, values: Array, transform: Transform) -> MetricModel:
        """The same process, read on another scale: for a metric with the same ranks."""
        other = copy.copy(self)
        other.transform = transform
        other.range = float(values.min()), float(values.max())
        return other

    def condition(self, x: Array, z: Array) -> None:
        """Add points as if they had been observed, on the transform's scale."""
        self.process = self.process.conditioned(x, (z - self._mean) / self._sd)

    def predict(self, x: Array) -> tuple[Array, Array]:
        """Mean and standard deviation on the transform's scale, each of shape [q]."""
        mean, sd = self.process.predict(x)
        return self._mean + self._sd * mean, self._sd * sd

    def finish(self, x: Array, ahead: float, z: float, extra: float) -> tuple[float, float]:
        """Mean and standard deviation of the finish of a training at ``x`` whose report predicts ``z``."""
        return self.process.finish(x, ahead, z, extra)

    def without(self, rows: NDArray[np.int_]) -> tuple[float, float]:
        """Mean and standard deviation of the first of ``rows``, given all points outside ``rows``."""
        return self.process.without(rows)

    def values(self, z: Array) -> Array:
        """From the transform's scale to the metric's."""
        return self.transform.inverse(z)

    def within_seen(self, z: Array) -> Array:
        """The same, clipped to the range of the observed values."""
        return np.clip(self.transform.inverse(z), self.range[0], self.range[1])

    def probability_below(self, x: Array, bound: float) -> Array:
        """Probability that the metric is at most ``bound``, shape [q]."""
        mean, sd = self.predict(x)
        return np.asarray(ndtr((float(self.transform.forward(np.array([bound]))[0]) - mean) / sd))
