"""Whether the length of the file that ships is known before training, and what knowing and writing it costs.

    python benchmarks/file_length.py        # about 10 seconds

A thousand random configurations of the families whose size is exact before training, in all precisions: the
length that screening predicts beside that of the file of an untrained model. Processor time of both; torch is
not imported. Exit code 1 if a length differs, or a goal is missed: 2 ms in the median for a length, 20 ms for
writing any network below 300,000 parameters (`int8_static`, which calibrates by running the model, apart).
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from typing import Any

import numpy as np

from satisfice.ship.onnx_file import content
from satisfice.spec import parse_dict
from satisfice.train import TRAINERS, make_task
from satisfice.train.files.onnx_shipped import untrained_arrays
from satisfice.train.hyperparameter import Hyperparameter

CASES = (
    ("mlp", "digits"),
    ("mlp", "titanic"),
    ("mlp", "diabetes"),
    ("cnn", "digits"),
    ("linear", "titanic"),
    ("linear", "digits"),
)
COUNT = 1000
SMALL = 300_000  # parameters
RANGES = {
    "blocks": (1, 3),
    "channels": (1, 32),
    "convolutions": (1, 2),
    "hidden_layers": (0, 5),
    "width": (1, 300),
}
Draw = np.random.Generator


def value(draw: Draw, name: str, of: Hyperparameter) -> Any:
    """A random value of a hyperparameter."""
    if of.kind == "categorical":
        return of.choices[draw.integers(len(of.choices))]
    if of.kind == "int":
        low, high = RANGES.get(name, (int(of.low), int(min(of.high, of.low + 9))))
        return int(draw.integers(low, high + 1))
    return float(draw.uniform(of.low, min(of.high, 2.0)))


def task_of(family: str, data: str) -> Any:
    """The family on the data."""
    metric = "r2" if data == "diabetes" else "accuracy"
    study = {
        "name": "length",
        "data": {"name": data},
        "model": {"family": family},
        "objectives": {metric: "maximize"},
        "space": {"compression": ["none"]},
        "budget": {"trials": 1},
    }
    return make_task(parse_dict(study, families=TRAINERS.get))


def main() -> int:
    """Draw, compare and print."""
    draw = np.random.default_rng(5)
    tasks = [(family, task_of(family, data)) for family, data in CASES]
    lengths, writings = [], []
    right, drawn = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for n in range(COUNT):
        family, task = tasks[n % len(tasks)]
        known = task.trainer.hyperparameters
        params = {name: value(draw, name, of) for name, of in known.items() if of.architecture}
        began = time.process_time()
        told = task.profile(params)
        lengths.append(1e3 * (time.process_time() - began))
        arrays, options = untrained_arrays(task, params), task.options(params)
        assert arrays is not None
        static = options.precision == "int8_static"
        items = task.splits_of(params).train.x[:256] if static else None
        began = time.process_time()
        file = content(task.header(params), arrays, task.trainer, options, items)
        if not static and told["n_parameters"] < SMALL:
            writings.append(1e3 * (time.process_time() - began))
        drawn[family, options.precision] += 1
        right[family, options.precision] += told["size_bytes"] == len(file)
    for case, count in sorted(drawn.items()):
        print(f"{case[0]:6} {case[1]:12} {right[case]:4} of {count:4} lengths as predicted")
    print(f"length: {np.median(lengths):.2f} ms in the median (goal 2)")
    print(f"writing: {np.median(writings):.2f} ms in the median, {max(writings):.2f} at most (goal 20)")
    print("torch was imported" if "torch" in sys.modules else "torch was not imported")
    met = right == drawn and np.median(lengths) <= 2 and max(writings) <= 20 and "torch" not in sys.modules
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
