"""When second-order and full-batch methods win: L-BFGS against Adam for networks, the solvers of `linear`.

    python benchmarks/second_order.py [--seeds 3] [--only networks|solvers]

Networks have one hidden layer of 32 units. Of each optimizer the best setting of a small grid is taken by its
validation score, seed by seed; its score on the test split counts. Solvers of `linear` get the same penalty,
scikit-learn's tolerance of 1e-4 and at most 1,000 iterations. Seconds are of the processor, one thread: of a
whole grid, and the least of three fits.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from satisfice.spec.metric import METRICS
from satisfice.spec.space import SearchSpace
from satisfice.spec.study import Budget, DataSpec, ModelSpec, Objective, StudySpec
from satisfice.train.catalog import make_task
from satisfice.train.families.linear import fit_logistic

EPOCHS = 60
NETWORKS = {"breast_cancer": "log_loss", "diabetes": "rmse", "titanic": "log_loss", "digits": "log_loss"}
GRIDS: Mapping[str, list[dict[str, Any]]] = {
    "adam": [{"learning_rate": rate, "l2": l2} for rate in (1e-3, 1e-2, 3e-2) for l2 in (1e-3, 1e-2)],
    "lbfgs": [{"l2": l2} for l2 in (1e-3, 3e-3, 1e-2, 3e-2)],
}


class KeptTrial:
    """Keeps the model in a folder, and drops what it is told."""

    number = 0
    params: Mapping[str, Any] = {}  # never written
    max_epochs: int | None = EPOCHS
    threads = 1

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.seed = folder, seed

    def report(self, step: int, metrics: Mapping[str, float]) -> None: ...

    def should_prune(self) -> bool:
        return False

    def keep_alive(self) -> None: ...

    def batch_end(self) -> None: ...

    def save_checkpoint(self, state: Any) -> None: ...

    def load_checkpoint(self) -> Any: ...

    def save_model(self, model: Any, weights: Path | None = None) -> None:
        (self.folder / "model.safetensors").write_bytes(Path(model).read_bytes())


def task_of(
    family: str, data: DataSpec, metric: str, seed: int, base: Path | None = None, **fixed: Any
) -> Any:
    """A family on data that are split by the seed."""
    return make_task(
        StudySpec(
            name="s",
            seed=seed,
            data=data,
            model=ModelSpec(family=family, fixed=fixed),
            objectives=(Objective(metric=metric, direction=METRICS[metric].direction),),
            space=SearchSpace(parameters=()),
            budget=Budget(trials=1),
            source=None if base is None else base / "s.toml",
        )
    )


def networks(seeds: int, folder: Path) -> None:
    """Print the first table."""
    print(
        "| data | metric | Adam, 6 settings | seconds | L-BFGS, 4 settings | seconds |\n"
        "|---|---|---|---|---|---|"
    )
    for data, metric in NETWORKS.items():
        cells = []
        for optimizer, grid in GRIDS.items():
            scores, seconds = [], []
            for seed in range(seeds):
                task = task_of(
                    "mlp", DataSpec(name=data), metric, seed, hidden_layers=1, width=32, optimizer=optimizer
                )
                found = []
                for values in grid:
                    trial = KeptTrial(folder, seed)
                    began = time.process_time()
                    metrics = task.train(values, trial)
                    spent = time.process_time() - began
                    test = task.score_test(values, task.load_model(values, folder / "model.safetensors"))
                    found.append((metrics[metric], test[metric], spent))
                scores.append(min(found)[1])
                seconds.append(sum(each[2] for each in found))
            spread = statistics.stdev(scores) if seeds > 1 else 0.0
            cells += [f"{statistics.mean(scores):.4g} ± {spread:.2g}", f"{statistics.mean(seconds):.1f}"]
        print(f"| {data} | {metric} | " + " | ".join(cells) + " |", flush=True)


def _drawn(rows: int, columns: int, folder: Path) -> DataSpec:
    """A table of normal numbers and of a class that a tenth of them decide, with noise."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(rows, columns))
    signal = x[:, : max(columns // 10, 1)].sum(axis=1) / np.sqrt(max(columns // 10, 1))
    frame = pd.DataFrame(x, columns=[f"x{i}" for i in range(columns)])
    frame["y"] = np.where(signal + draw.normal(size=rows) > 0, "yes", "no")
    name = f"{rows}x{columns}.csv"
    frame.to_csv(folder / name, index=False, float_format="%.6g")
    return DataSpec(file=name, target="y")


def solvers(folder: Path) -> None:
    """Print the second table."""
    cases = {
        "titanic": DataSpec(name="titanic"),
        "digits, ten classes": DataSpec(name="digits"),
        "50,000 rows, 20 columns": _drawn(50_000, 20, folder),
        "500 rows, 2,000 columns": _drawn(500, 2_000, folder),
    }
    names = ("lbfgs", "newton_cholesky", "saga")
    print("\n| data | penalty | " + " | ".join(names) + " |\n|---|---|" + "---|" * len(names))
    for told, data in cases.items():
        for penalty in ("l2", "l1"):
            cells = []
            for solver in names:
                if penalty == "l1" and solver != "saga":
                    cells.append("")
                    continue
                fixed = {"penalty": penalty, "alpha": 1e-3, "solver": solver, "max_iter": 1000}
                task = task_of("linear", data, "log_loss", 0, folder, **fixed)
                train, valid = task.splits.train, task.splits.valid
                x = train.x.reshape(len(train), -1)
                seconds = []
                for _ in range(3):
                    began = time.process_time()
                    core = fit_logistic(x, train.z, task.values({}), 0)
                    seconds.append(time.process_time() - began)
                loss = task.scoring({}).of_model(core, valid)["log_loss"]
                cells.append(f"{min(seconds):.3f} s ({loss:.4f})")
            print(f"| {told} | {penalty} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", choices=["networks", "solvers"])
    asked = parser.parse_args()
    os.environ.setdefault("SATISFICE_DEVICE", "cpu")
    with tempfile.TemporaryDirectory() as name:
        if asked.only != "solvers":
            networks(asked.seeds, Path(name))
        if asked.only != "networks":
            solvers(Path(name))
