"""A cache of screening answers, and models that predict which configurations pass the screen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from satisfice.search.protocol import Screen, Screened, SearchProblem
from satisfice.spec.constraint import violated
from satisfice.surrogate.encoding import Array, Encoder, keys
from satisfice.surrogate.metric_model import EXACT, MAX_POINTS, HyperparameterCache, MetricModel, spread_out

_MIN_POINTS = 6
_MAX_READ = 1_000  # latest answers that models are made from


class ScreeningModel:
    """Screens each configuration once, and learns metrics known before training from the answers.

    The models only order candidates: the screen itself accepts or refuses each one. The models of the
    objectives do not use configurations that were turned away.
    """

    def __init__(self, problem: SearchProblem, encoder: Encoder) -> None:
        self._problem, self._encoder = problem, encoder
        self._answers: dict[bytes, Screened] = {}
        self._rows: list[Array] = []
        self._refused: list[Array] = []  # rows that were turned away
        self._cache = HyperparameterCache()
        self._models: tuple[int, dict[str, MetricModel]] = (-1, {})
        self._answered: list[Screened] = []
        self._fitting: dict[str, tuple[float, float]] = {}  # least and greatest value over what fits
        self._violations: Counter[str] = Counter()  # by constraint key
        self._fits = 0
        self.known: set[str] = set()  # metrics that a screen has given

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: bytes) -> bool:
        return key in self._answers

    def screen(self, raw: Array, screen: Screen) -> Screened:
        """Screen one raw row. The answer is cached."""
        key = keys(raw[None])[0]
        if key not in self._answers:
            self.add(raw, screen(self._encoder.params(raw)), key)
        return self._answers[key]

    def add(self, raw: Array, answer: Screened, key: bytes | None = None) -> None:
        """Add an answer to the cache."""
        key = keys(raw[None])[0] if key is None else key
        if key not in self._answers:
            self._answers[key] = answer
            self._rows.append(raw)
            self._answered.append(answer)
            self._fits += answer.fits
            if not answer.fits:
                self._refused.append(raw)
            self.known.update(answer.metrics)
            self._violations.update(violated(answer.violations))
            for name, value in answer.metrics.items() if answer.fits else ():
                low, high = self._fitting.get(name, (value, value))
                self._fitting[name] = min(low, value), max(high, value)

    def refused(self, key: bytes) -> bool:
        """Whether the configuration with this key was turned away."""
        answer = self._answers.get(key)
        return answer is not None and not answer.fits

    def refused_rows(self) -> Array:
        """Raw rows of the configurations that were turned away, shape [n, d]."""
        return np.array(self._refused).reshape(-1, len(self._encoder.parameters))

    def share_that_fits(self) -> float:
        """Share of the screened configurations that fitted."""
        return self._fits / len(self._answered) if self._answered else 1.0

    def most_violated(self) -> str | None:
        """Key of the constraint violated most often, or None."""
        return max(self._violations, key=lambda key: self._violations[key], default=None)

    def fitting_range(self, metric: str) -> tuple[float, float] | None:
        """Least and greatest value of a metric over all screened configurations that fit."""
        return self._fitting.get(metric)

    # -- models --------------------------------------------------------------------------------------------
    def models(self) -> Mapping[str, MetricModel]:
        """One model per metric that is known before training and varies."""
        if self._models[0] != len(self._rows):
            self._models = (len(self._rows), self._fit())
        return self._models[1]

    def _fit(self) -> dict[str, MetricModel]:
        answers = self._answered[-_MAX_READ:]
        models: dict[str, MetricModel] = {}
        if len(answers) < _MIN_POINTS or len(self._encoder.free) == 0:
            return models
        x = self._encoder.scaled(np.array(self._rows[-_MAX_READ:]))
        # Choice counts help the models of objectives; here they made searches of cells worse.
        layout = replace(self._encoder.layout, shared_choices=())
        same: dict[bytes, MetricModel] = {}
        for name in self._wanted():
            values = np.array([a.metrics.get(name, np.nan) for a in answers], dtype=float)
            finite = np.flatnonzero(np.isfinite(values))
            if len(finite) < _MIN_POINTS or np.ptp(values[finite]) == 0:
                continue
            ranks = np.unique(values[finite], return_inverse=True)[1].tobytes() + finite.tobytes()
            rows = _subset(finite)
            if (
                ranks in same
            ):  # an increasing function of another metric: the same process on the scale of ranks
                models[name] = same[ranks].rescaled(values[rows], EXACT(values[rows]))
                continue
            models[name] = same[ranks] = MetricModel(
                x[rows],
                values[rows],
                np.zeros(len(rows)),
                layout,
                transform=EXACT(values[rows]),
                hyperparameters=self._cache.get(x[finite], values[finite], layout, EXACT, noise_prior=1e-3),
            )
        return models

    def _wanted(self) -> list[str]:
        bounds = (*self._problem.constraints, *self._problem.screened)
        names = [o.metric for o in self._problem.objectives] + [c.metric for c in bounds]
        return [name for name in dict.fromkeys(names) if name in self.known]

    def probability_fits(self, scaled: Array) -> Array:
        """Predicted probability that each scaled row passes the screen. Shape [q]."""
        out = np.ones(len(scaled))
        models = self.models()
        for constraint in (*self._problem.constraints, *self._problem.screened):
            model = models.get(constraint.metric)
            if model is None or not self._violations[constraint.key]:
                continue
            below = model.probability_below(scaled, constraint.bound)
            out *= below if constraint.is_upper else 1.0 - below
        return out


def _subset(rows: NDArray[np.int_]) -> NDArray[np.int_]:
    """At most `MAX_POINTS` rows: half the latest ones, the others spread over the rest."""
    if len(rows) <= MAX_POINTS:
        return rows
    half = MAX_POINTS // 2
    older, recent = rows[:-half], rows[-half:]
    return np.concatenate([older[spread_out(len(older), half)], recent])
