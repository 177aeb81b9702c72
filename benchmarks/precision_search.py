"""What searching through the precision of the file gains under a byte budget: three ways, equal trials.

    python benchmarks/precision_search.py            # about 40 minutes on two cores
    python benchmarks/precision_search.py --quick    # digits alone, one seed

Problems: digits within 4 kB and Fashion-MNIST (6,000 images to train on) within 20 kB, each with `mlp` and
`cnn`. For each seed three studies of 20 trials:

- searched: `compression` is one of the parameters
- float32: without it
- afterwards: float32 networks under a looser budget, each of which is then written in every precision; the
  best on validation of all files that fit the budget is taken

The test accuracy of the file that each way chooses is printed, with standard errors over the seeds and the
difference to "searched". Accuracies, not times: two studies run side by side.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

import satisfice
from satisfice.errors import InputError
from satisfice.train.families.cnn import CNN
from satisfice.train.families.mlp import MLP
from satisfice.train.files.onnx_model import OnnxModel
from satisfice.train.files.onnx_shipped import OnnxFile

MODES = ["none", "fp16", "int8", "int4", "int8_static"]
LOOSER = 5  # times the budget that float32 networks may take which are written in fewer bits afterwards
TRIALS = 20
WAYS = ("searched", "float32", "afterwards")
SPACE: dict[str, dict[str, Any]] = {
    "mlp": {
        "hidden_layers": {"low": 1, "high": 3},
        "width": {"low": 2, "high": 96, "log": True},
        "batch_norm": [True, False],
    },
    "cnn": {
        "blocks": {"low": 1, "high": 3},
        "channels": {"low": 2, "high": 24, "log": True},
        "head": ["flatten", "average"],
        "width": [0, 16, 32],
    },
}
TRAINING = {
    "learning_rate": {"low": 1e-3, "high": 3e-2, "log": True},
    "batch_size": [32, 64],
    "dropout": {"low": 0.0, "high": 0.3},
}
PROBLEMS: dict[str, tuple[dict[str, Any], int, int]] = {
    "digits": ({"name": "digits"}, 4_000, 40),
    "fashion": ({"name": "fashion_mnist", "limit": 10_000}, 20_000, 12),
}


def study_of(problem: str, family: str, seed: int, budget: int, *, searched: bool) -> satisfice.Study:
    """A finished study."""
    data, _, epochs = PROBLEMS[problem]
    space = {**SPACE[family], **TRAINING, **({"compression": MODES} if searched else {})}
    content = {
        "name": f"{problem}-{family}-{seed}-{budget}-{searched}",
        "seed": seed,
        "data": data,
        "model": {"family": family, "optimizer": "adam", "schedule": "cosine", "patience": 0},
        "objectives": {"accuracy": "maximize"},
        "constraints": {"size_bytes": f"<= {budget}"},
        "space": space,
        "budget": {"trials": TRIALS, "epochs": epochs},
    }
    study = satisfice.create_study(content)
    study.optimize()
    return study


def written_afterwards(study: satisfice.Study, budget: int) -> tuple[float, str]:
    """Test accuracy and precision of the file that is best on validation, of all networks and precisions."""
    trainer = {"mlp": MLP, "cnn": CNN}[study.spec.model.family if study.spec.model else ""]
    task, file, best = trainer.make_task(study.spec), OnnxFile(), (-math.inf, -math.inf, "")
    for record in study.records():
        if record.state.name != "COMPLETE":
            continue
        core = study.load_model(record.number).core
        for mode in MODES:
            params = {**record.params, "compression": mode}
            try:
                model = OnnxModel(file.content(task, params, core))
            except InputError:  # a weight too large for fp16
                continue
            if len(model.content) > budget:
                continue
            valid, test = (
                float((np.asarray(model.answers(feeds, task.splits.classes)[0]) == fold.y).mean())
                for feeds, fold in (
                    (task.feeds.valid, task.splits.valid),
                    (task.feeds.test, task.splits.test),
                )
            )
            best = max(best, (valid, test, mode))
    return best[1], best[2]


def run(job: tuple[str, str, int, str]) -> tuple[float, str]:
    """Test accuracy of the file that one way chooses, and its precision."""
    problem, family, seed, way = job
    budget = PROBLEMS[problem][1]
    if way == "afterwards":
        return written_afterwards(study_of(problem, family, seed, LOOSER * budget, searched=False), budget)
    study = study_of(problem, family, seed, budget, searched=way == "searched")
    confirmed = study.confirm()
    if confirmed.number is None:
        return math.nan, "nothing fits"
    params = study.records()[confirmed.number].params
    return float(confirmed.test["accuracy"]), str(params.get("compression", "none"))


def main() -> int:
    """Run all and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    problems, seeds = (["digits"], [0]) if options.quick else (list(PROBLEMS), [0, 1, 2])
    cases = list(itertools.product(problems, SPACE))
    jobs = [(p, f, seed, way) for p, f in cases for seed in seeds for way in WAYS]
    with ProcessPoolExecutor(max_workers=2) as pool:
        found = dict(zip(jobs, pool.map(run, jobs), strict=True))
    better = worse = 0
    print("| problem | searched | float32 | afterwards | searched - float32 | searched - afterwards |")
    print("|---|---|---|---|---|---|")
    for p, f in cases:
        scores = {way: np.array([100 * found[p, f, seed, way][0] for seed in seeds]) for way in WAYS}
        chosen = ", ".join(found[p, f, seed, "searched"][1] for seed in seeds)
        cells = [f"{s.mean():.1f}" for s in scores.values()]
        gains = []
        for way, wanted in (("float32", 2.0), ("afterwards", -1.0)):
            gain = scores["searched"] - scores[way]
            error = float(gain.std(ddof=1) / math.sqrt(len(gain))) if len(gain) > 1 else math.nan
            gains.append(f"{gain.mean():+.1f} +- {error:.1f}")
            better += way == "float32" and bool(gain.mean() > wanted * error)
            worse += way == "afterwards" and bool(gain.mean() < wanted * error)
        print(f"| {p} {f} ({chosen}) | {' | '.join([*cells, *gains])} |", flush=True)
    print(f"better than float32 by more than two standard errors: {better} of {len(cases)}")
    print(f"worse than afterwards by more than one standard error: {worse} of {len(cases)}")
    return 0 if options.quick or (better >= 3 and worse == 0) else 1


if __name__ == "__main__":
    sys.exit(main())
