"""MO-ASHA as a pruner of satisfice, for comparison (Schmucker et al. 2021, arXiv:2106.12639)."""

from __future__ import annotations

import moocore
import numpy as np
from numpy.typing import NDArray

from satisfice.search import Decision, History, SearchProblem

_ETA = 3


class MoAsha:
    """At each rung a trial goes on if it is among the best third of all that reached the rung.

    Best by non-dominated sorting, inside a front by farthest-first order from the best first objective.
    """

    def __init__(self, problem: SearchProblem) -> None:
        self._rungs = _rungs(problem.max_steps or 1)

    def is_decision_step(self, step: int, max_steps: int | None) -> bool:
        """Powers of three below the last step."""
        return step in self._rungs

    def decide(self, history: History, number: int) -> Decision:
        """Whether the trial falls behind at the rung it has just reached."""
        rung = int(np.searchsorted(history.rungs, history.steps[number]))
        objectives = slice(len(history.signs))  # before what constraints want small or large
        points = history.curves[:, rung, objectives].astype(float) * history.signs
        rows = np.flatnonzero(np.isfinite(points).all(axis=1) & (history.feasible != 0))
        if number not in rows or len(rows) == 1:
            return Decision(stop=False)
        place = _order(points[rows])[int(np.searchsorted(rows, number))]
        stop = place > len(rows) / _ETA
        return Decision(
            stop=bool(stop), reason=f"place {place + 1} of {len(rows)} at its rung" if stop else ""
        )


def _rungs(max_steps: int) -> tuple[int, ...]:
    out, rung = [], 1
    while rung < max_steps:
        out.append(rung)
        rung *= _ETA
    return tuple(out)


def _order(points: NDArray[np.float64]) -> NDArray[np.int_]:
    """Place of each point, 0 the best. Shape [n]."""
    fronts = np.asarray(moocore.pareto_rank(points))
    place = np.empty(len(points), dtype=int)
    done = 0
    for front in np.unique(fronts):
        members = np.flatnonzero(fronts == front)
        x = points[members]
        x = (x - x.min(axis=0)) / np.maximum(np.ptp(x, axis=0), 1e-12)
        chosen = int(x[:, 0].argmin())
        gap, taken = np.full(len(x), np.inf), np.zeros(len(x), dtype=bool)
        for i in range(len(x)):
            place[members[chosen]] = done + i
            gap = np.minimum(gap, np.linalg.norm(x - x[chosen], axis=1))
            taken[chosen] = True
            chosen = int(np.where(taken, -1.0, gap).argmax())
        done += len(members)
    return place
