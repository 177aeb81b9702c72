"""One objective under constraints, the least error that fits: the simulator's problems without the second.

``single_X`` is problem X with its first objective alone; size and latency are constraints only. Here Optuna
can prune, so its own pruners are peers: TPE, told what does not fit, with the median rule or with Hyperband.
1.0 is the least error of the best known front of X (of tables: of all configurations that fit).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import optuna

PREFIX = "single_"
PRUNED = ("tpe_reject_median", "tpe_reject_hyperband")


def add_to(problems: Any, strategies: Any) -> None:
    """Put the problems beside the simulator's own, and the peers beside its strategies."""
    load = problems.load

    def load_any(name: str) -> Any:
        if not name.startswith(PREFIX):
            return load(name)
        base = load(name.removeprefix(PREFIX))
        kind = type(base)

        class Single(kind):  # type: ignore[misc, valid-type] # the base is the simulator's
            objective_names = kind.objective_names[:1]
            static_objectives: dict[int, str] = {}  # noqa: RUF012 - as the base does

            def curve(self, config: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
                values, cost = super().curve(config)
                return values[:, :1], cost

        problem = Single.__new__(Single)
        problem.__dict__ |= base.__dict__ | {"_cache": {}, "name": name}
        best = float(np.min(base.front[:, 0]))
        problem.ideal, problem.front = np.array([best]), np.array([[best]])
        problem.ref_point, problem.front_hv = base.ref_point[:1], 1.0
        return problem

    problems.load = load_any
    problems.REGISTRY.update({PREFIX + n: lambda n=n: load_any(PREFIX + n) for n in list(problems.REGISTRY)})

    class OptunaPruner(strategies.Pruner):  # type: ignore[misc] # the base is the simulator's
        """One of Optuna's, asked after every epoch."""

        def __init__(self, pruner: optuna.pruners.BasePruner) -> None:
            self.optuna_pruner = pruner

        def go_on(self, trial: Any, epoch: int, objectives: tuple[float, ...]) -> bool:
            trial.report(objectives[0], epoch)
            return not trial.should_prune()

    def pruned_by(make: Any) -> Any:
        def build(task: Any, seed: int) -> Any:
            pruner = OptunaPruner(make(task))
            return strategies.OptunaStrategy(task, strategies.tpe(seed), pruner, reject=True)

        return build

    median, hyperband = PRUNED
    strategies.STRATEGIES[median] = pruned_by(
        lambda task: optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=5)
    )
    strategies.STRATEGIES[hyperband] = pruned_by(
        lambda task: optuna.pruners.HyperbandPruner(min_resource=1, max_resource=task.max_epoch)
    )
