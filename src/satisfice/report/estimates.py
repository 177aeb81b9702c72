"""What a surrogate says of a metric anywhere in the space.

Where the study is at hand, the surrogate is its search's, see `satisfice.search.metric_models`. Else it comes
from finished trials alone, by the same transform and kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from satisfice.report.context import StudyView, finite, is_early
from satisfice.report.importance import FEWEST
from satisfice.spec.metric import METRICS
from satisfice.spec.trial import TrialRecord
from satisfice.surrogate.encoding import Encoder
from satisfice.threads import one_blas_thread

if TYPE_CHECKING:
    from satisfice.surrogate.metric_model import MetricModel

Floats = NDArray[np.float64]

# The search's model of a metric with the metric's sign on its scale; None where it has none.
ModelSource = Callable[[str], "tuple[MetricModel, float] | None"]

_DRAWN = 512  # configurations by which is judged how unsure the surrogate can be
_NOISE_PRIOR = 0.01


@dataclass(frozen=True, kw_only=True)
class SurfaceEstimate:
    """A surrogate of one metric."""

    model: MetricModel
    sign: float  # of the metric on the model's scale
    seen: tuple[float, float]  # lowest and highest value of finished trials
    farthest: float  # the model's standard deviation where no trial is near
    trials: int  # finished ones

    def at(self, scaled: Floats) -> tuple[Floats, Floats]:
        """Values within the range seen, and how sure they are from 0 to 1, each of shape [q]."""
        if not len(scaled):
            return np.zeros(0), np.zeros(0)
        with one_blas_thread():
            mean, sd = self.model.predict(scaled)
        values = self.sign * self.model.values(mean)
        return np.clip(values, *self.seen), np.clip(1.0 - sd / self.farthest, 0.0, 1.0)


class SurfaceEstimates:
    """Surrogates of a study's metrics.

    Args:
        view: The study.
        models: The search's, of metrics that training decides; None: made here.
    """

    def __init__(self, view: StudyView, models: ModelSource | None = None) -> None:
        self._view = view
        self._models = models

    @cached_property
    def _encoder(self) -> Encoder:
        return Encoder(self._view.space)

    def of(self, metric: str) -> SurfaceEstimate | int:
        """The surrogate of a metric, or how many trials have a value where they are too few."""
        rows = self._view.measured(metric)
        if len(rows) < FEWEST:
            return len(rows)
        values = np.array([finite(r, metric) for r in rows], dtype=float)
        found = None
        if self._models is not None and not is_early(metric):
            found = self._models(metric)
        model, sign = found if found is not None else self._fitted(metric, rows, values)
        with one_blas_thread():
            draws = self._encoder.draw(_DRAWN, np.random.default_rng(0))
            _, sd = model.predict(self._encoder.scaled(self._encoder.raw_from_quantiles(draws)))
        return SurfaceEstimate(
            model=model,
            sign=sign,
            seen=(float(values.min()), float(values.max())),
            farthest=float(sd.max()) or 1.0,
            trials=len(rows),
        )

    def _fitted(self, metric: str, rows: Sequence[TrialRecord], values: Floats) -> tuple[MetricModel, float]:
        # Half a second to import; its BLAS must be there to be held to one thread.
        from satisfice.surrogate.metric_model import (
            MAX_POINTS,
            TRAINED,
            HyperparameterCache,
            MetricModel,
            spread_out,
        )
        from satisfice.surrogate.transform import fenced

        sign = self._sign(metric)
        keep = spread_out(len(rows), MAX_POINTS)
        raw = np.array([self._encoder.raw(rows[i].params) for i in keep])
        x, y, layout = self._encoder.scaled(raw), sign * fenced(values[keep]), self._encoder.layout
        with one_blas_thread():
            fitted = HyperparameterCache().get(x, y, layout, TRAINED, noise_prior=_NOISE_PRIOR)
            none = np.zeros(len(y))
            model = MetricModel(x, y, none, layout, transform=TRAINED(y), hyperparameters=fitted)
        return model, sign

    def _sign(self, metric: str) -> float:
        own = next((o for o in self._view.objectives if o.metric == metric), None)
        if own is not None:
            return float(own.sign)
        known = METRICS.get(metric)
        return -1.0 if known is not None and known.direction == "maximize" else 1.0
