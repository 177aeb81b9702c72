"""What satisfice's training loop costs over a bare PyTorch loop of the same network.

    python benchmarks/training_loop.py [--rounds N]

The bare loop is what one writes by hand: tensors in memory, one permutation an epoch, the same optimizer in
the same (fused) form, the same validation pass with its accuracy. Ours does the same, watches for divergence,
keeps the best weights, and computes eight metrics. Rounds of both alternate, and the median of the ratios of
neighbours is printed, so that slow phases of the machine hit both. What a report costs depends on the storage
behind it and is not in here: the trial of this benchmark drops reports.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from satisfice.spec.space import SearchSpace
from satisfice.spec.study import Budget, DataSpec, ModelSpec, Objective, StudySpec
from satisfice.train.catalog import TRAINERS
from satisfice.train.networks.loop import Fit, Setting
from satisfice.train.networks.network import build
from satisfice.train.networks.task import TorchTask
from satisfice.train.score import score

EPOCHS = 10

CASES: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "mlp, digits, 64-64": ("mlp", "digits", {"hidden_layers": 2, "width": 64}),
    "mlp, digits, 256-256-256": ("mlp", "digits", {"hidden_layers": 3, "width": 256, "dropout": 0.1}),
    "mlp, titanic, 64-64": ("mlp", "titanic", {"hidden_layers": 2, "width": 64}),
    "cnn, digits, 16-32": ("cnn", "digits", {"blocks": 2, "channels": 16}),
}


class SilentTrial:
    """Drops what it is told."""

    number = 0
    params: Mapping[str, Any] = {}  # never written
    seed = 1
    max_epochs: int | None = EPOCHS
    threads = 1

    def report(self, step: int, metrics: Mapping[str, float]) -> None: ...

    def should_prune(self) -> bool:
        return False

    def keep_alive(self) -> None: ...

    def batch_end(self) -> None: ...

    def save_checkpoint(self, state: Any) -> None: ...

    def load_checkpoint(self) -> Any:
        return None

    def save_model(self, model: Any, weights: Any = None) -> None: ...

    def save_influences(self, influences: Any) -> None: ...


def make_task(family: str, data: str) -> TorchTask:
    spec = StudySpec(
        name="benchmark",
        data=DataSpec(name=data),
        model=ModelSpec(family=family),
        objectives=(Objective(metric="accuracy", direction="maximize"),),
        space=SearchSpace(parameters=()),
        budget=Budget(trials=1),
    )
    task = TRAINERS.get(family).make_task(spec)
    assert isinstance(task, TorchTask)
    return task


def run_bare(task: TorchTask, params: Mapping[str, Any]) -> float:
    """Seconds of a loop written by hand."""
    values, splits = task.values(params), task.splits
    torch.manual_seed(1)
    net = build(task.plan(params))
    x, y = torch.from_numpy(splits.train.x), torch.from_numpy(splits.train.y)
    x_valid, y_valid = torch.from_numpy(splits.valid.x), torch.from_numpy(splits.valid.y)
    optimizer = torch.optim.Adam(net.parameters(), lr=values["learning_rate"], fused=True)
    criterion = nn.CrossEntropyLoss()
    size = values["batch_size"]
    began = time.perf_counter()
    for _ in range(EPOCHS):
        net.train()
        order = torch.randperm(len(x))
        for at in range(0, len(x), size):
            rows = order[at : at + size]
            loss = criterion(net(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        net.eval()
        with torch.inference_mode():
            (net(x_valid).argmax(dim=1) == y_valid).float().mean().item()
    return time.perf_counter() - began


def run_ours(task: TorchTask, params: Mapping[str, Any]) -> float:
    """Seconds of the product's loop, scoring included."""
    setting = Setting(
        values=task.values(params) | {"patience": 0},
        plan=task.plan(params),
        epochs=EPOCHS,
        metric="accuracy",
        sign=1.0,
        scores=task.answer_rule(params).scores,
        checkpoint_seconds=1e9,
    )
    return Fit(setting, task.splits, SilentTrial()).run().metrics["train_seconds"]


def time_scoring(task: TorchTask) -> float:
    """Seconds of computing all metrics of one epoch, the part of a report that is ours."""
    splits = task.splits
    proba = np.random.default_rng(0).dirichlet(np.ones(splits.n_classes), len(splits.valid))
    began = time.perf_counter()
    for _ in range(100):
        score(splits.task, splits.valid.y, proba)
    return (time.perf_counter() - began) / 100


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    print(f"{'network':28} {'bare ms/epoch':>14} {'ours':>8} {'ratio':>7}   of which scoring, ms")
    for name, (family, data, params) in CASES.items():
        task = make_task(family, data)
        run_bare(task, params), run_ours(task, params)
        pairs = [(run_bare(task, params), run_ours(task, params)) for _ in range(rounds)]
        bare, ours = (1e3 * statistics.median(side) / EPOCHS for side in zip(*pairs, strict=True))
        ratio = statistics.median(b / a for a, b in pairs)
        print(f"{name:28} {bare:14.2f} {ours:8.2f} {ratio:7.3f}   {1e3 * time_scoring(task):.2f}")


if __name__ == "__main__":
    main()
