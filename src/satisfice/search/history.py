"""A columnar cache of the trials, shared by sampler and pruner.

Row i is trial number i. With d parameters, k metrics (those that objectives and constraints name), g
rungs and t targets (objectives, and what constraints want small or large) a trial takes about
``8 d + 8 k + 8 g t + 4 g + 30`` bytes, with K folds ``8 K t`` more.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from optuna.trial import TrialState

from satisfice.search.protocol import SearchProblem
from satisfice.spec.constraint import Constraint
from satisfice.spec.trial import FOLD, TrialRecord
from satisfice.surrogate.encoding import Array, Encoder

ABSENT = -1
_LARGEST_REPORT = 1e150  # of a report, so that it can be squared: a larger or infinite one is ignored
_LAST = 10**13  # where the number of steps is unknown: they may be those of an environment, or tokens
_SQUARABLE = 1e150
_RATIO = 1.5  # each rung comes at least this much later than the one before


def _squarable(value: float) -> float:
    """The value; beyond 1e150 one in the same order whose square is finite. NaN and infinity stay."""
    size = abs(value)
    if not _SQUARABLE < size < math.inf:
        return value
    return math.copysign(_SQUARABLE * (1.0 + math.log10(size / _SQUARABLE)), value)


def rungs(max_steps: int | None) -> tuple[int, ...]:
    """Steps at which reports are kept and trials may be stopped: geometric, all before the last step.

    >>> rungs(30)
    (1, 2, 4, 6, 9, 14, 21)
    """
    end = _LAST if max_steps is None else max_steps
    out: list[int] = []
    step = 1
    while step < end:
        out.append(step)
        step = max(step + 1, math.ceil(step * _RATIO)) if step > 2 else step * 2
    return tuple(out)


@dataclass(frozen=True)
class SignedMetric:
    """A metric that may be predicted from reports, and the factor that makes it one to minimise."""

    metric: str
    sign: float


def _wanted(constraint: Constraint) -> SignedMetric:
    return SignedMetric(constraint.metric, 1.0 if constraint.is_upper else -1.0)


class History:
    """All trials, as arrays. The cost of `update` and `report` depends on the change, not on the size."""

    def __init__(self, problem: SearchProblem) -> None:
        self.problem = problem
        self.encoder = Encoder(problem.space)
        names = [o.metric for o in problem.objectives] + [c.metric for c in problem.constraints]
        self.metric_names = tuple(dict.fromkeys(names))
        self.metric_column = {name: j for j, name in enumerate(self.metric_names)}
        folds = problem.folds
        self.rungs = rungs(problem.max_steps) if folds is None else tuple(range(1, folds))
        self.objective_names = tuple(o.metric for o in problem.objectives)
        # The objectives, in their order, and then what constraints want small or large beside them.
        objectives = (SignedMetric(o.metric, o.sign) for o in problem.objectives)
        self.targets = tuple(dict.fromkeys([*objectives, *map(_wanted, problem.constraints)]))
        self._n = 0
        self._allocate(64)

    def _allocate(self, capacity: int) -> None:
        d, k = len(self.encoder.parameters), len(self.metric_names)
        g, t, folds = len(self.rungs), len(self.targets), self.problem.folds or 0
        fresh = {
            "state": np.full(capacity, ABSENT, dtype=np.int8),
            "raw": np.full((capacity, d), np.nan),
            "metrics": np.full((capacity, k), np.nan),
            "feasible": np.full(capacity, -1, dtype=np.int8),  # 1, 0, or -1: not known
            "steps": np.zeros(capacity, dtype=np.int64),
            "curves": np.full((capacity, g, t), np.nan),
            "curve_step": np.zeros((capacity, g), dtype=np.int64),
            "fold_values": np.full((capacity, folds, t), np.nan),
        }
        for name, array in fresh.items():
            if self._n:
                array[: self._n] = getattr(self, "_" + name)[: self._n]
            setattr(self, "_" + name, array)

    _state: NDArray[np.int8]
    _raw: Array
    _metrics: Array
    _feasible: NDArray[np.int8]
    _steps: NDArray[np.int64]
    _curves: Array
    _curve_step: NDArray[np.int64]
    _fold_values: Array

    def _row(self, number: int) -> int:
        if number >= len(self._state):
            self._allocate(max(number + 1, 2 * len(self._state)))
        self._n = max(self._n, number + 1)
        return number

    # -- writing ---------------------------------------------------------------------------------------------
    def update(self, records: Iterable[TrialRecord]) -> None:
        """Take in trials that are new or have changed. Repeating a record changes nothing."""
        for record in records:
            i = self._row(record.number)
            if self._state[i] == ABSENT or record.params:
                self._raw[i] = self.encoder.raw(record.params)
            self._state[i] = int(record.state)
            for name, value in record.metrics.items():
                column = self.metric_column.get(name)
                if column is not None:
                    self._metrics[i, column] = _squarable(value)
            self._feasible[i] = -1 if record.feasible is None else int(record.feasible)
            self._steps[i] = max(self._steps[i], record.steps)
            for step, metrics in record.reports.items():
                self.report(record.number, int(step), metrics)

    def report(self, number: int, step: int, metrics: Mapping[str, float]) -> None:
        """Take in one intermediate report. Any order; repeating one changes nothing.

        Between two rungs only the latest report is kept.
        """
        i = self._row(number)
        self._steps[i] = max(self._steps[i], step)
        if 1 <= step <= self._fold_values.shape[1]:
            for j, target in enumerate(self.targets):
                value = metrics.get(target.metric + FOLD, math.nan)
                signed = value * target.sign
                self._fold_values[i, step - 1, j] = signed if abs(value) <= _LARGEST_REPORT else np.nan
        g = bisect_left(self.rungs, step)
        if g >= len(self.rungs) or step < self._curve_step[i, g]:
            return
        self._curve_step[i, g] = step
        for j, target in enumerate(self.targets):
            if target.metric in metrics:
                value = metrics[target.metric]
                self._curves[i, g, j] = value if abs(value) <= _LARGEST_REPORT else np.nan

    # -- reading: views on the first `len(self)` rows ------------------------------------------------------
    def __len__(self) -> int:
        """One more than the highest trial number."""
        return self._n

    @property
    def state(self) -> NDArray[np.int8]:
        """`TrialState` value by trial number, -1 where the number is unknown. Shape [n]."""
        return self._state[: self._n]

    @property
    def raw(self) -> Array:
        """Raw parameter rows (see `encoding`), shape [n, d]."""
        return self._raw[: self._n]

    @property
    def metrics(self) -> Array:
        """Final or pre-training metrics by `metric_column`, NaN where unknown. Shape [n, k]."""
        return self._metrics[: self._n]

    @property
    def feasible(self) -> NDArray[np.int8]:
        """1 feasible, 0 infeasible, -1 not known yet. Shape [n]."""
        return self._feasible[: self._n]

    @property
    def steps(self) -> NDArray[np.int64]:
        """Last reported step. Shape [n]."""
        return self._steps[: self._n]

    @property
    def curves(self) -> Array:
        """Targets as last reported up to each rung (and after the one before), shape [n, g, t]."""
        return self._curves[: self._n]

    @property
    def curve_step(self) -> NDArray[np.int64]:
        """Step of the report that `curves` holds, 0 where there is none. Shape [n, g]."""
        return self._curve_step[: self._n]

    @property
    def fold_values(self) -> Array:
        """Targets on each of K folds, to minimise, NaN where unknown; shape [n, K, t]."""
        return self._fold_values[: self._n]

    def rows(self, *states: TrialState) -> NDArray[np.int_]:
        """Numbers of the trials in any of the states, ascending."""
        found = np.zeros(len(self), dtype=bool)
        for state in states:
            found |= self.state == int(state)
        return np.flatnonzero(found)

    def objectives(self, rows: NDArray[np.int_] | None = None) -> Array:
        """Objectives to minimise, NaN where unknown; of all trials or of ``rows``. Shape [n, m]."""
        metrics = self.metrics if rows is None else self.metrics[rows]
        return metrics[:, [self.metric_column[name] for name in self.objective_names]] * self.signs

    def target_of(self, constraint: Constraint) -> int:
        """Index into `targets` of what a constraint bounds."""
        return self.targets.index(_wanted(constraint))

    def target(self, j: int, rows: NDArray[np.int_]) -> Array:
        """One target's final or pre-training values, to minimise, NaN where unknown. Shape [n]."""
        target = self.targets[j]
        return np.asarray(self.metrics[rows, self.metric_column[target.metric]] * target.sign)

    @property
    def signs(self) -> Array:
        """Factors that make each objective one to minimise."""
        return np.array([o.sign for o in self.problem.objectives])
