"""Several profiles in one study, against a study for each of them alone with as many trials.

    python benchmarks/profiles.py --bench DIR --seeds 10 --trials 60

On learning-curve problems of the simulator in DIR (see ``search_quality.py``), by whole studies in memory.
Three profiles: ``fast`` (the least error with a latency of at most 20 % of the way from the least known one
to the reference point), ``good`` (the least latency with an error of at most 50 % of the way) and
``accurate`` (the least error). The score of a profile's best is its share of the way from the reference
point to the best known value that fits; 0 where nothing fits. Alone, a study has the profile's bounds as its
constraints and its objective as its only one. Rows are appended to --out; runs that are there already are
skipped.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import satisfice
from satisfice.errors import NoFeasibleTrial
from satisfice.spec.constraint import Constraint
from satisfice.spec.criterion import Criterion, Objective
from satisfice.spec.profile import Profile
from satisfice.spec.study import Budget, StudySpec

PROBLEMS = ("lcbench_helena", "lcbench_jannis")
ERROR, LATENCY = (Objective(metric=name, direction="minimize") for name in ("error", "latency"))
_FAST, _GOOD = 0.2, 0.5  # of the way from the best known value to the reference point


class Task:
    """A problem of the simulator as training code; latency and its constraints are known before training."""

    def __init__(self, problem: Any) -> None:
        self._problem = problem

    def profile(self, params: Mapping[str, Any]) -> dict[str, float]:
        """Latency and the problem's own constraints."""
        known = dict(zip(self._problem.constraint_names, self._problem.constraints(params), strict=True))
        return {**known, "latency": self._problem.static_values(params)[1]}

    def train(self, params: Mapping[str, Any], trial: Any) -> dict[str, float]:
        """Error after each epoch, as the simulator has it."""
        error = math.nan
        for epoch in range(1, self._problem.max_epoch + 1):
            error = float(self._problem.evaluate(params, epoch)[0])
            trial.report(epoch, {"error": error})
            if trial.should_prune():
                break
        return {"error": error}


def profiles_of(problem: Any) -> tuple[Profile, ...]:
    """The three profiles, with bounds from the known front."""
    least, worst = problem.ideal, problem.ref_point
    latency = float(least[1] + _FAST * (worst[1] - least[1]))
    error = float(least[0] + _GOOD * (worst[0] - least[0]))
    return (
        Profile(
            name="fast",
            constraints=(Constraint(metric="latency", operator="<=", bound=latency),),
            order=(Criterion(objective=ERROR),),
        ),
        Profile(
            name="good",
            constraints=(Constraint(metric="error", operator="<=", bound=error),),
            order=(Criterion(objective=LATENCY),),
        ),
        Profile(name="accurate", order=(Criterion(objective=ERROR),)),
    )


def score(problem: Any, profile: Profile, metrics: Mapping[str, float] | None) -> float:
    """Share of the way from the reference point to the best known value that fits; 0 where nothing does."""
    if metrics is None:
        return 0.0
    goal = profile.order[0].objective.metric
    names = ("error", "latency")
    known = [dict(zip(names, point, strict=True)) for point in problem.front]
    fitting = [k for k in known if all(c.satisfied(k[c.metric]) for c in profile.constraints)]
    best, worst = min(k[goal] for k in fitting), float(problem.ref_point[names.index(goal)])
    return float((worst - metrics[goal]) / (worst - best))


def run(name: str, seed: int, trials: int) -> dict[str, Any]:
    """Scores of each profile, by the one study and by a study for it alone."""
    problem = importlib.import_module("problems").load(name)
    layer = importlib.import_module("search_layer")
    profiles = profiles_of(problem)
    known = (Constraint(metric=c, operator="<=", bound=0.0) for c in problem.constraint_names)
    spec = StudySpec(
        name="profiles",
        seed=seed,
        objectives=(ERROR, LATENCY),
        constraints=tuple(known),
        space=layer.search_space(problem),
        budget=Budget(trials=trials, epochs=problem.max_epoch),
        profiles=profiles,
    )
    together = satisfice.create_study(spec, task=Task(problem))
    together.optimize()
    found: dict[str, Any] = {"problem": name, "seed": seed, "trials": trials, "scores": {}}
    for profile in profiles:
        alone = satisfice.create_study(
            replace(
                spec,
                objectives=tuple(c.objective for c in profile.order),
                constraints=(*spec.constraints, *profile.constraints),
                profiles=(),
            ),
            task=Task(problem),
        )
        alone.optimize()
        best = [_best(together, profile.name), _best(alone, None)]
        found["scores"][profile.name] = [score(problem, profile, metrics) for metrics in best]
    return found


def _best(study: satisfice.Study, profile: str | None) -> Mapping[str, float] | None:
    try:
        return study.best(profile=profile).metrics
    except NoFeasibleTrial:
        return None


def table(rows: list[dict[str, Any]]) -> str:
    """Means of both, and the paired difference in standard errors."""
    scores: dict[tuple[str, str], list[list[float]]] = defaultdict(list)
    for row in rows:
        for profile, pair in row["scores"].items():
            scores[row["problem"], profile].append(pair)
    out = ["| problem | profile | seeds | one study | alone | difference |", "|---|---|---|---|---|---|"]
    for (problem, profile), pairs in scores.items():
        together, alone = np.array(pairs).T
        gap = together - alone
        error = float(gap.std(ddof=1) / math.sqrt(len(gap))) if len(gap) > 1 else math.nan
        out.append(
            f"| {problem} | {profile} | {len(gap)} | {together.mean():.3f} | {alone.mean():.3f} | "
            f"{gap.mean():+.3f} ± {error:.3f} |"
        )
    return "\n".join(out)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bench", type=Path, required=True, help="folder with the benchmark's modules")
    parser.add_argument("--problems", nargs="+", default=PROBLEMS)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--out", type=Path, default=Path("profiles.jsonl"))
    args = parser.parse_args()
    sys.path[:0] = [str(args.bench), str(Path(__file__).parent)]
    rows = [json.loads(line) for line in args.out.read_text().splitlines()] if args.out.exists() else []
    done = {(row["problem"], row["seed"], row["trials"]) for row in rows}
    for seed in range(args.seeds):
        for name in args.problems:
            if (name, seed, args.trials) in done:
                continue
            rows.append(run(name, seed, args.trials))
            with args.out.open("a") as file:
                file.write(json.dumps(rows[-1]) + "\n")
            print(json.dumps(rows[-1]), flush=True)
    print(table([row for row in rows if row["trials"] == args.trials]))


if __name__ == "__main__":
    main()
