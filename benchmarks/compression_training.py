"""What training for a small file gains at equal time: four bits, a teacher, a cut from a wider network.

    python benchmarks/compression_training.py [--epochs N] [--seeds N]

Every row trains the same small architecture on the digits for about the same processor time: its epochs are
those of the plain row over the ratio of their times, of which short runs of both alternate (median of pairs).
No schedule, no patience. The best epoch is chosen on the validation split, and accuracies are of the test
split; the seed of the trial changes, the splits do not. ``int4`` is the accuracy with weights rounded as an
int4 file holds them. A teacher's own training is not counted: what it took stands above the rows.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from satisfice.ship.model import ShippedModel
from satisfice.ship.torch_model import predict
from satisfice.train.networks.loop import Fit, Setting
from satisfice.train.networks.optimizer import weights_of
from satisfice.train.networks.rounding import Int4Rounding
from satisfice.train.networks.task import TorchTask
from training_loop import SilentTrial, make_task

Values = Mapping[str, Any]

SMALL: Mapping[str, Values] = {
    "mlp": {"hidden_layers": 1, "width": 8},
    "cnn": {"blocks": 2, "channels": 3, "width": 0, "head": "average"},
}
TEACHER: Mapping[str, Values] = {
    "mlp": {"hidden_layers": 2, "width": 256, "dropout": 0.2},
    "cnn": {"blocks": 2, "channels": 32, "width": 64, "dropout": 0.2},
}
ROWS: Mapping[str, Values] = {
    "plain": {},
    "aware of int4": {"compression": "int4"},
    "distilled .5, T 1": {"distillation": 0.5, "temperature": 1.0, "teacher": "teacher/0"},
    "distilled .9, T 4": {"distillation": 0.9, "temperature": 4.0, "teacher": "teacher/0"},
    "pruned .5": {"prune": 0.5},
    "pruned .75": {"prune": 0.75},
}
PROBE_EPOCHS = 6  # of the runs that say what an epoch costs
PROBES = 7


class Trial(SilentTrial):
    """Drops what it is told."""

    def __init__(self, seed: int) -> None:
        self.seed = seed


def train(task: TorchTask, values: Values, epochs: int, seed: int) -> tuple[torch.nn.Module, float]:
    """The trained module and the processor seconds that it took."""
    setting = Setting(
        values=task.values(values) | {"patience": 0, "learning_rate": 3e-3},
        plan=task.plan(values),
        epochs=epochs,
        metric="accuracy",
        sign=1.0,
        scores=task.answer_rule(values).scores,
        checkpoint_seconds=1e9,
        teacher=task.teacher_outputs(values),
    )
    began = time.process_time()
    module = Fit(setting, task.splits, Trial(seed)).run().module
    return module, time.process_time() - began


def accuracy(task: TorchTask, module: torch.nn.Module) -> tuple[float, float]:
    """Percent on the test split: with float32 weights, and as an int4 file holds them."""

    def right() -> float:
        guess = predict(module, task.splits.test.x, classify=True).argmax(axis=1)
        return float(100 * np.mean(guess == task.splits.test.y))

    with Int4Rounding(weights_of(module)).applied():
        rounded = right()
    return right(), rounded


def cost(task: TorchTask, plain: Values, values: Values) -> float:
    """How many times the processor time of the plain training a row takes."""
    ratios = []
    for seed in range(PROBES):
        (_, ours), (_, theirs) = (train(task, v, PROBE_EPOCHS, seed) for v in (values, plain))
        ratios.append(ours / theirs)
    return statistics.median(ratios)


def compare(family: str, epochs: int, seeds: int) -> None:
    task = make_task(family, "digits")
    teacher, spent = train(task, TEACHER[family], epochs, seed=100)
    header = task.header(TEACHER[family])
    task.set_teacher("teacher/0", ShippedModel(header=header, core=teacher))
    print(f"\n{family} {SMALL[family]}; teacher {accuracy(task, teacher)[0]:.1f} %, {spent:.1f} s")
    print(f"{'':20} {'epochs':>6} {'seconds':>8} {'float32':>8} {'int4':>6}   int4 by seed")
    for name, extra in ROWS.items():
        values = {**SMALL[family], **extra}
        count = max(round(epochs / cost(task, SMALL[family], values)), 3)
        runs = [train(task, values, count, seed) for seed in range(seeds)]
        seconds = statistics.mean(spent for _, spent in runs)
        found = [accuracy(task, module) for module, _ in runs]
        whole, rounded = (statistics.mean(column) for column in zip(*found, strict=True))
        each = " ".join(f"{value:.1f}" for _, value in found)
        print(f"{name:20} {count:6} {seconds:8.1f} {whole:8.1f} {rounded:6.1f}   {each}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=150, help="of the plain row")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    os.environ["SATISFICE_DEVICE"] = "cpu"
    torch.set_num_threads(1)
    for family in SMALL:
        compare(family, arguments.epochs, arguments.seeds)


if __name__ == "__main__":
    main()
