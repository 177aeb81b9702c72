"""The smallest model that is good enough: a known objective, and a constraint that training decides.

    python benchmarks/trained_constraint.py --bench DIR --seeds 3

On the learning-curve problems of the simulator in DIR (see ``search_quality.py``): the least latency with an
error of at most a bound, 15 or 50 % of the way from the best known error to the reference point. The score is
the latency of the best finished training that meets the bound, 0 at the reference point and 1 at the least of
the known front; at the end, and as area over the budget. Beside the sampler with and without stopping stands
TPE, which is told how far each training missed; all are spared what is known not to fit.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState

from satisfice.search import Screened, SearchProblem
from satisfice.spec.constraint import Constraint
from satisfice.spec.study import Objective

BOUNDS = (0.15, 0.5)  # of the way from the best error to the reference point
STRATEGIES = ("satisfice", "satisfice_no_pruning", "tpe_reject")


class Ours:
    """The search layer."""

    def __init__(self, problem: Any, bound: float, seed: int, *, pruner: str) -> None:
        layer = importlib.import_module("search_layer")
        names = problem.constraint_names
        known = tuple(Constraint(metric=name, operator="<=", bound=0.0) for name in names)

        def screen(params: Mapping[str, Any]) -> Screened:
            metrics = dict(zip(names, problem.constraints(params), strict=True))
            metrics["latency"] = problem.static_values(params)[1]
            found: Screened = layer.screened(known, metrics)
            return found

        searched = SearchProblem(
            space=layer.search_space(problem),
            objectives=(Objective(metric="latency", direction="minimize"),),
            constraints=(Constraint(metric="error", operator="<=", bound=bound), *known),
            max_steps=problem.max_epoch,
            seed=seed,
        )
        self._loop = layer.SearchLoop(searched, screen, pruner=pruner)

    def ask(self) -> dict[str, Any]:
        """The next configuration."""
        self._trial = self._loop.ask()
        return dict(self._trial.params)

    def report(self, epoch: int, error: float) -> bool:
        """Whether to go on."""
        go_on: bool = self._loop.report(self._trial.number, epoch, {"error": error})
        return go_on

    def tell(self, error: float, epoch: int, *, meets: bool, finished: bool) -> None:
        """The training ended."""
        state = TrialState.COMPLETE if finished else TrialState.PRUNED
        self._loop.tell(self._trial.number, state, {"error": error}, steps=epoch, feasible=meets)


class Tpe:
    """Optuna's, redrawn until it fits."""

    def __init__(self, problem: Any, bound: float, seed: int) -> None:
        self._problem, self._bound = problem, bound
        self._study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))

    def ask(self) -> dict[str, Any]:
        """The next configuration."""
        while True:
            self._trial = self._study.ask()
            params: dict[str, Any] = self._problem.suggest(self._trial)
            self._latency = self._problem.static_values(params)[1]
            if self._problem.feasible(params):
                return params
            self._trial.set_constraint("error", 1.0)
            self._study.tell(self._trial, state=TrialState.PRUNED)

    def report(self, epoch: int, error: float) -> bool:
        """Always goes on: there is no curve of the objective to prune by."""
        return True

    def tell(self, error: float, epoch: int, *, meets: bool, finished: bool) -> None:
        """The training ended."""
        self._trial.set_constraint("error", error - self._bound)
        self._study.tell(self._trial, self._latency)


def run(job: tuple[str, float, str, int]) -> tuple[float, float]:
    """Final score and area of one run."""
    name, share, strategy, seed = job
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    problem = importlib.import_module("problems").load(name)
    bound = float(problem.ideal[0] + share * (problem.ref_point[0] - problem.ideal[0]))
    least = float(min(latency for error, latency in problem.front if error <= bound))
    worst, budget, epochs = float(problem.ref_point[1]), problem.budget, problem.max_epoch
    searching: Any = (
        Tpe(problem, bound, seed)
        if strategy == "tpe_reject"
        else Ours(problem, bound, seed, pruner="auto" if strategy == "satisfice" else "none")
    )
    spent = score = area = 0.0
    while spent < budget:
        params, epoch = searching.ask(), 0
        for epoch in range(1, epochs + 1):
            if not searching.report(epoch, problem.evaluate(params, epoch)[0]) and epoch < epochs:
                break
        area += score * min(problem.cost(params, epoch), budget - spent)
        spent += problem.cost(params, epoch)
        error = problem.evaluate(params, epoch)[0]
        searching.tell(error, epoch, meets=error <= bound, finished=epoch == epochs)
        if epoch == epochs and error <= bound and spent <= budget:
            score = max(score, (worst - problem.static_values(params)[1]) / (worst - least))
    return score, area / budget


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bench", type=Path, required=True, help="folder with the benchmark's modules")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=1)
    args = parser.parse_args()
    sys.path[:0] = [str(args.bench), str(Path(__file__).parent)]
    names = [f"lcbench_{data}" for data in ("helena", "jannis", "covertype")]
    jobs = [
        (name, share, strategy, seed)
        for name in names
        for share in BOUNDS
        for strategy in STRATEGIES
        for seed in range(args.seeds)
    ]
    found: dict[tuple[str, float, str], list[tuple[float, float]]] = {}
    with ProcessPoolExecutor(args.processes) as pool:
        for job, (final, area) in zip(jobs, pool.map(run, jobs), strict=True):
            print(
                f"{job[0]:18s} {job[1]:.2f} {job[2]:20s} seed {job[3]} final {final:.3f} area {area:.3f}",
                flush=True,
            )
            found.setdefault(job[:3], []).append((final, area))
    print(f"\n| problem, bound | {' | '.join(STRATEGIES)} |\n|---|{'---|' * len(STRATEGIES)}")
    for name in names:
        for share in BOUNDS:
            cells = [np.mean(found[name, share, strategy], axis=0) for strategy in STRATEGIES]
            print(f"| {name}, {share:.0%} | {' | '.join(f'{a:.2f}, {b:.2f}' for a, b in cells)} |")


if __name__ == "__main__":
    main()
