"""What `profile` (size, parameters, operations; nothing is trained or measured) costs for one configuration.

    python benchmarks/profile_cost.py

For each family that knows its size before training, and for torch modules as a task of one's own builds them
(on the meta device): milliseconds of the first configuration (which loads the
data), the median and the worst over configurations of new architectures, and the median of architectures that
were asked for before. Exit code 1 if the median of new ones is above 5 ms.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from satisfice.measure import n_parameters, size_of_state
from satisfice.spec import parse_dict
from satisfice.spec.task import Profiles
from satisfice.train import TRAINERS, make_task

GOAL_MS = 5.0
SPACES: dict[str, dict[str, Any]] = {
    "mlp": {
        "hidden_layers": {"low": 1, "high": 6},
        "width": {"low": 8, "high": 1024},
        "batch_norm": [True, False],
        "learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
    },
    "cnn": {
        "blocks": {"low": 1, "high": 3},
        "channels": {"low": 4, "high": 64},
        "convolutions": {"low": 1, "high": 3},
        "width": {"low": 8, "high": 512},
        "learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
    },
    "linear": {"alpha": {"low": 1e-4, "high": 1.0, "log": True}},
}


Profile = Callable[[Mapping[str, Any]], object]


def milliseconds(profile: Profile, params: Mapping[str, Any]) -> float:
    begin = time.perf_counter()
    profile(params)
    return (time.perf_counter() - begin) * 1e3


def own_mlp(params: Mapping[str, Any]) -> object:
    import torch

    widths = [64, *[params["width"]] * params["hidden_layers"], 10]
    with torch.device("meta"):
        module = torch.nn.Sequential(*(torch.nn.Linear(a, b) for a, b in pairwise(widths)))
    return size_of_state(module), n_parameters(module)


def own_cnn(params: Mapping[str, Any]) -> object:
    import torch

    channels = [1, *[params["channels"]] * params["blocks"]]
    with torch.device("meta"):
        layers = [torch.nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(channels)]
        module = torch.nn.Sequential(*layers, torch.nn.Linear(channels[-1], 10))
    return size_of_state(module), n_parameters(module)


def figures(family: str, count: int, own: Profile | None = None) -> dict[str, float]:
    content = {
        "name": family,
        "data": {"name": "digits"},
        "model": {"family": family},
        "objectives": {"accuracy": "maximize"},
        "constraints": {"size_mb": "<= 1"},
        "space": SPACES[family],
        "budget": {"trials": 1},
    }
    spec = parse_dict(content, families=TRAINERS.get)
    task = make_task(spec)
    assert isinstance(task, Profiles)
    profile = own or task.profile
    rng = np.random.default_rng(0)
    drawn = [spec.space.sample(rng) for _ in range(count)]
    first = milliseconds(profile, drawn[0])
    new = [milliseconds(profile, params) for params in drawn[1:]]
    again = [milliseconds(profile, params) for params in drawn]
    return {
        "first": first,
        "new": float(np.median(new)),
        "new, worst": max(new),
        "again": float(np.median(again)),
    }


OWN: dict[str, Profile] = {"mlp": own_mlp, "cnn": own_cnn}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=500, help="configurations of each family")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of the table")
    options = parser.parse_args()
    rows = {family: figures(family, options.count) for family in SPACES}
    rows |= {f"own {name}": figures(name, options.count, own) for name, own in OWN.items()}
    if options.json:
        json.dump(rows, sys.stdout)
    else:
        print("milliseconds of one profile", *(f"{name:>12}" for name in rows["mlp"]))
        for family, row in rows.items():
            print(f"{family:27}", *(f"{value:12.3f}" for value in row.values()))
    return int(max(row["new"] for row in rows.values()) > GOAL_MS)


if __name__ == "__main__":
    raise SystemExit(main())
