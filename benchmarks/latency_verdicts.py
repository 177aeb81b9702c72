"""Whether verdicts given beside running workers hold when each model is measured again, alone and longer.

    python benchmarks/latency_verdicts.py            # about 5 minutes
    python benchmarks/latency_verdicts.py --quick    # about 2 minutes, too few architectures to judge by

A study of small convolutional networks with four workers: each trains, and times what it proposes, while the
others train beside it. The bound lies in the middle of the latencies of its architectures. Afterwards, with
nothing of the study running, every architecture that a worker has timed is timed again: many hot loops spread
over time, those in slow phases of the host left out (`latency_fidelity.reference`, which shares no timing
code with the measured method). What it then is decides who was right, however near the bound it is.

Prints how many were called fits, does not fit and too close to call, how many of them are, and those that are
not. Exit code 1 if a goal is missed: 98% of those called fits, 95% of those called does not fit, at most 10%
too close to call.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from latency_fidelity import Call, Loops, reference, run_loops
from satisfice.measure import Measurement, Quiet, Verdict, host
from satisfice.spec import parse_dict
from satisfice.spec.task import Predicts
from satisfice.study import Study
from satisfice.study.creating import create
from satisfice.study.measuring.timings import StoredMeasurements, Timings
from satisfice.train import TRAINERS, make_task

CHANNELS = (4, 6, 8, 12, 16, 24, 32, 48)
CONVOLUTIONS = (1, 2, 3)
BLOCKS = (1, 2)
KERNELS = (3, 5)
LOOK_S = 0.1  # at each, for the bound
GOALS = {Verdict.FITS: 0.98, Verdict.DOES_NOT_FIT: 0.95, Verdict.TOO_CLOSE: 0.10}


@dataclass(frozen=True)
class Judged:
    """One architecture."""

    params: dict[str, Any]
    called: Verdict
    value: float  # ms, as the study had it
    low: float
    high: float
    truth: float  # ms
    seconds: float  # spent on measuring it
    fits: bool  # in truth

    @property
    def right(self) -> bool:
        return self.called is not Verdict.TOO_CLOSE and (self.called is Verdict.FITS) == self.fits


def architectures(quick: bool) -> list[dict[str, Any]]:
    channels = CHANNELS[::3] if quick else CHANNELS
    names = ("channels", "convolutions", "blocks", "kernel_size")
    every = itertools.product(channels, CONVOLUTIONS, BLOCKS, KERNELS)
    return [dict(zip(names, values, strict=True)) for values in every]


def content(bound_ms: float, configurations: list[dict[str, Any]], epochs: int) -> dict[str, Any]:
    rates = np.random.default_rng(0).uniform(-3.5, -1.5, len(configurations))
    order = np.random.default_rng(1).permutation(len(configurations))
    return {
        "name": "verdicts",
        "seed": 1,
        "data": {"name": "digits"},
        "model": {"family": "cnn"},
        "objectives": {"accuracy": "maximize"},
        "constraints": {"latency_ms": f"<= {bound_ms:.12g}"},
        "space": {
            "channels": {"choices": list(CHANNELS)},
            "convolutions": {"choices": list(CONVOLUTIONS)},
            "blocks": {"choices": list(BLOCKS)},
            "kernel_size": {"choices": list(KERNELS)},
            "learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
        },
        "budget": {"trials": len(configurations) // 2, "epochs": epochs},
        "search": {
            "sampler": "random",
            "pruner": "none",
            "start": [{**configurations[i], "learning_rate": float(10 ** rates[i])} for i in order],
        },
    }


def middle(calls: dict[str, Call]) -> float:
    """The median latency in ms, by a quick look at each."""
    loops = {name: Loops() for name in calls}
    run_loops(calls, loops, LOOK_S * len(calls))
    found = [seconds * 1e3 for seconds in reference(loops, say=lambda _: None).values()]
    q = np.quantile(found, [0.0, 0.25, 0.5, 0.75, 1.0])
    print("latencies of the space, ms: " + ", ".join(f"{v:.3f}" for v in q), "(least, quartiles, most)")
    above = sorted(found)[len(found) // 2 - 1 : len(found) // 2 + 1]
    return math.sqrt(above[0] * above[1])


def run(folder: Path, configurations: list[dict[str, Any]], options: argparse.Namespace) -> dict[str, Any]:
    os.environ["SATISFICE_ARTEFACTS"] = str(folder / "artefacts")
    task = make_task(parse_dict(content(1.0, configurations, options.epochs), families=TRAINERS.get))
    assert isinstance(task, Predicts)
    names = [json.dumps(c) for c in configurations]
    calls = {n: task.predictor(c) for n, c in zip(names, configurations, strict=True)}
    known = {n: call for n, call in calls.items() if call is not None}
    bound = middle(known)
    opened = create(content(bound, configurations, options.epochs), f"sqlite:///{folder}/study.db", None)
    study = Study(opened)
    begin = time.perf_counter()
    print(f"{options.workers} workers, latency_ms <= {bound:.4g} ...", file=sys.stderr)
    study.optimize(workers=options.workers)
    ran = time.perf_counter() - begin
    store = StoredMeasurements(opened.db)
    timings = Timings(opened.spec, task, opened.db, Quiet(), opened.row["uuid"])
    measured: dict[str, Measurement] = {}
    for name, params in zip(names, configurations, strict=True):
        found = store.get(timings.key(params), host().fingerprint, "latency_ms")
        if found is not None:
            measured[name] = found
    loops = {name: Loops() for name in measured}
    seconds = options.seconds * len(measured)
    print(f"{len(measured)} architectures again, alone, for {seconds:.0f} s ...", file=sys.stderr)
    run_loops({name: known[name] for name in measured}, loops, seconds)
    said: list[str] = []
    truths = reference(loops, say=said.append)
    doubtful = sum("warning" in line for line in said)
    (constraint,) = study.spec.constraints
    judged = [
        Judged(
            json.loads(name),
            m.verdict(constraint),
            m.value,
            m.low,
            m.high,
            truths[name] * 1e3,
            m.seconds,
            constraint.satisfied(truths[name] * 1e3),
        )
        for name, m in measured.items()
    ]
    trials = len(study.records())
    opened.db.close()
    return {"bound_ms": bound, "seconds": ran, "trials": trials, "doubtful": doubtful, "judged": judged}


def report(result: dict[str, Any]) -> tuple[list[dict[str, Any]], bool]:
    judged: list[Judged] = result["judged"]
    rows, met = [], True
    for called, goal in GOALS.items():
        mine = [j for j in judged if j.called is called]
        row: dict[str, Any] = {"called": called.value, "architectures": len(mine), "goal": goal}
        if called is Verdict.TOO_CLOSE:
            row["share"] = len(mine) / len(judged)
            row["met"] = row["share"] <= goal
        else:
            row["right"] = sum(j.right for j in mine)
            row["share"] = row["right"] / len(mine) if mine else math.nan
            row["met"] = bool(mine) and row["share"] >= goal
        met = met and row["met"]
        rows.append(row)
    return rows, met


def show(result: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    judged: list[Judged] = result["judged"]
    print(
        f"{result['trials']} trials and {len(judged)} measured architectures in {result['seconds']:.0f} s; "
        f"latency_ms <= {result['bound_ms']:.4g}"
    )
    if result["doubtful"]:
        print(f"warning: {result['doubtful']} were hardly ever seen in a quiet phase afterwards")
    print(f"{'called':20} {'of them':>8} {'right':>6} {'share':>7} {'goal':>7}")
    for row in rows:
        sign = "<=" if row["called"] == Verdict.TOO_CLOSE.value else ">="
        line = f"{row['called']:20} {row['architectures']:8} {row.get('right', ''):>6} {row['share']:7.1%}"
        print(f"{line} {sign}{row['goal']:5.0%}", "" if row["met"] else "missed")
    errors = np.array([abs(j.value / j.truth - 1) for j in judged])
    covered = np.mean([j.low <= j.truth <= j.high for j in judged])
    spent = np.array([j.seconds for j in judged])
    print(
        f"error against the second measurement: median {np.median(errors):.1%}, worst {errors.max():.1%}; "
        f"its value inside the interval: {covered:.0%}; seconds of measuring: median {np.median(spent):.2f}, "
        f"most {spent.max():.2f}"
    )
    for j in judged:
        if not j.right:
            near = j.truth / result["bound_ms"] - 1
            print(
                f"  {j.called.value}: {j.value:.4g} [{j.low:.4g}, {j.high:.4g}], again {j.truth:.4g} "
                f"({near:+.1%} of the bound): {j.params}"
            )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a third of the architectures")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=4, help="of each trial")
    parser.add_argument("--seconds", type=float, default=1.5, help="of measuring each architecture again")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory(prefix="satisfice-verdicts-") as folder:
        result = run(Path(folder), architectures(options.quick), options)
    rows, met = report(result)
    show(result, rows)
    if options.json:
        judged = [{**vars(j), "called": j.called.value, "right": j.right} for j in result["judged"]]
        options.json.write_text(json.dumps({**result, "judged": judged, "rows": rows}, indent=1))
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
