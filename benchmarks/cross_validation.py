"""Cross-validation: what stopping between folds saves and loses, and how far claims are from the test.

``python benchmarks/cross_validation.py [--tables FILE]`` takes about 15 minutes of one core. The tables (each
configuration on each fold) are kept in FILE; ``--rules`` compares other rules of stopping on them, with
the configurations in ``--orders`` random orders.

Stopping: 40 configurations in random order, 5 folds, 20 partitions (seeds of the study) of three data sets,
for two families. Saved is the share of the trainings of folds that a stopped trial does not begin. The best
configuration is the one with the best mean over all folds; it is lost when it was stopped. Regret is how much
worse the best finished configuration is, as a share of the standard deviation over the configurations.

Gap: the claimed score of the chosen model minus its score on the test split (the other way round for losses):
a positive gap flatters. Cross-validation of 20 configurations (5 folds and one refit) beside a single split
with 120 configurations: as many trainings. The test rows are the same.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from optuna.trial import TrialState

from satisfice.search import History
from satisfice.search.protocol import SearchProblem
from satisfice.search.pruners.folds import FoldPruner, Z, pooled_variance
from satisfice.spec.study import StudySpec
from satisfice.spec.study_file.parse import parse_dict
from satisfice.spec.trial import FOLD, TrialRecord
from satisfice.train.catalog import make_task
from satisfice.train.folds.fold_trial import FoldTrial

FOLDS, CONFIGURATIONS, PARTITIONS, CHEAP = 5, 40, 20, 20
SETS = {
    "diabetes": ("rmse", "minimize"),
    "breast_cancer": ("log_loss", "minimize"),
    "titanic": ("accuracy", "maximize"),
}
SPACES: Mapping[str, Mapping[str, Any]] = {
    "linear": {"alpha": {"low": 1e-6, "high": 10.0, "log": True}, "class_weight": ["none", "balanced"]},
    "forest": {
        "trees": {"low": 3, "high": 12},
        "max_depth": {"low": 1, "high": 8},
        "min_samples_leaf": {"low": 1, "high": 30, "log": True},
        "max_features": {"low": 0.1, "high": 1.0},
    },
}


class Alone:
    """A trial that nobody watches."""

    number = 0
    max_epochs: int | None = None
    threads = 1
    params: Mapping[str, Any] = {}

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def report(self, step: int, metrics: Mapping[str, float]) -> None:
        del step, metrics

    def should_prune(self) -> bool:
        return False

    def keep_alive(self) -> None:
        return None

    def batch_end(self) -> None:
        return None

    def save_checkpoint(self, state: Any) -> None:
        del state

    def load_checkpoint(self) -> Any:
        return None

    def save_model(self, model: Any, weights: Path | None = None) -> None:
        del model, weights

    def save_influences(self, influences: Any) -> None:
        del influences


def spec_of(data: str, family: str, seed: int, folds: int | None) -> StudySpec:
    metric, direction = SETS[data]
    with_folds = {} if folds is None else {"folds": folds}
    return parse_dict(
        {
            "name": f"{data}-{family}",
            "seed": seed,
            "data": {"name": data, **with_folds},
            "model": {"family": family},
            "objectives": {metric: direction},
            "space": SPACES[family],
            "budget": {"trials": CONFIGURATIONS, "epochs": 1},
            "ship": {"format": "safetensors"},
        }
    )


def configurations(spec: StudySpec, n: int) -> list[dict[str, Any]]:
    draw = np.random.default_rng([spec.seed, 99])
    return [spec.space.sample(draw) for _ in range(n)]


def table(data: str, family: str, seed: int) -> dict[str, Any]:
    """Scores of configurations on each fold, and both choices with what they claim and what they get."""
    metric = SETS[data][0]
    spec = spec_of(data, family, seed, FOLDS)
    task: Any = make_task(spec)
    configs = configurations(spec, (FOLDS + 1) * CHEAP)
    values = np.zeros((CONFIGURATIONS, FOLDS))
    for i, params in enumerate(configs[:CONFIGURATIONS]):
        for k in range(FOLDS):
            part = task.on_fold(k)
            learnt = part.learn(params, FoldTrial(Alone(i), k, FOLDS + 1, None, lambda state: None))
            values[i, k] = part.scoring(params).of_model(learnt.core, part.splits.valid)[metric]
    sign = spec.objectives[0].sign
    crossed = int((sign * values[:CHEAP].mean(axis=1)).argmin())
    refit = task.learn(configs[crossed], Alone(crossed)).core
    single: Any = make_task(spec_of(data, family, seed, None))
    cores = [single.learn(params, Alone(i)).core for i, params in enumerate(configs)]
    scored = [
        single.scoring(params).of_model(core, single.splits.valid)[metric]
        for params, core in zip(configs, cores, strict=True)
    ]
    chosen = int((sign * np.array(scored)).argmin())
    return {
        "values": values.tolist(),
        "crossed": [
            float(values[crossed].mean()),
            task.scoring(configs[crossed]).of_model(refit, task.splits.test)[metric],
        ],
        "single": [
            scored[chosen],
            single.scoring(configs[chosen]).of_model(cores[chosen], single.splits.test)[metric],
        ],
    }


def replayed(spec: StudySpec, values: np.ndarray) -> tuple[float, bool, float]:
    """Share of trainings saved, whether the best is lost, and the regret."""
    metric, sign = spec.objectives[0].metric, spec.objectives[0].sign
    history = History(
        SearchProblem(space=spec.space, objectives=spec.objectives, max_steps=FOLDS, folds=FOLDS)
    )
    pruner = FoldPruner(history.problem)
    params = configurations(spec, 1)[0]
    saved, finished = 0, []
    for i, row in enumerate(values):
        history.update([TrialRecord(number=i, state=TrialState.RUNNING, params=params)])
        state, metrics = TrialState.COMPLETE, {metric: float(row.mean())}
        for k in range(FOLDS):
            history.report(i, k + 1, {metric: float(row[: k + 1].mean()), metric + FOLD: float(row[k])})
            if k + 1 < FOLDS and pruner.decide(history, i).stop:
                state, metrics, saved = TrialState.PRUNED, {}, saved + FOLDS - 1 - k
                break
        if state is TrialState.COMPLETE:
            finished.append(i)
        history.update([TrialRecord(number=i, state=state, params=params, metrics=metrics, feasible=True)])
    cost = sign * values.mean(axis=1)
    lost = int(cost.argmin()) not in finished
    spread = float(cost.std()) or 1.0
    return saved / values.size, lost, float(cost[finished].min() - cost.min()) / spread


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule of stopping: the one that is built in, with other numbers."""

    z: Sequence[float] = (Z,) * FOLDS  # standard errors, after 1, 2, ... folds
    freedom: float = 4.0  # degrees of freedom that the pooled variance counts as
    others: int = 1  # so many of the best finished configurations may stop one
    reverse: bool = False  # the folds


RULES = {
    "as it is": Rule(),
    **{f"{z} standard errors": Rule(z=(z,) * FOLDS) for z in (2.0, 2.25, 2.4, 3.0)},
    "1 degree of freedom": Rule(freedom=1.0),
    "pooled variance alone": Rule(freedom=1e9),
    "2, 2.25, 2.5, 3": Rule(z=(2.0, 2.25, 2.5, 3.0)),
    "3, 2.5, 2.25, 2": Rule(z=(3.0, 2.5, 2.25, 2.0)),
    "any of the best three": Rule(others=3),
    "2.75, any of the best five": Rule(z=(2.75,) * FOLDS, others=5),
    "folds in reverse order": Rule(reverse=True),
}


def replayed_by(rule: Rule, costs: np.ndarray) -> tuple[float, bool, float]:
    """The same as `replayed` for another rule; costs of configurations on folds, shape (n, K)."""
    costs = costs[:, ::-1] if rule.reverse else costs
    seen, saved, finished = np.full_like(costs, np.nan), 0, list[int]()
    for i in range(len(costs)):
        for k in range(FOLDS):
            seen[i, k] = costs[i, k]
            best = sorted(finished, key=lambda j: float(costs[j].mean()))[: rule.others]
            if k + 1 < FOLDS and any(_behind(rule, costs, seen, i, k + 1, other) for other in best):
                saved += FOLDS - 1 - k
                break
        else:
            finished.append(i)
    mean = costs.mean(axis=1)
    spread = float(mean.std()) or 1.0
    return (
        saved / costs.size,
        int(mean.argmin()) not in finished,
        float(mean[finished].min() - mean.min()) / spread,
    )


def _behind(rule: Rule, costs: np.ndarray, seen: np.ndarray, i: int, m: int, other: int) -> bool:
    pooled = pooled_variance(seen[[j for j in range(i) if j != other]], costs[other])
    if pooled is None:
        return False
    apart = costs[i, :m] - costs[other, :m]
    own = float(((apart - apart.mean()) ** 2).sum())
    variance = (rule.freedom * pooled + own) / (rule.freedom + m - 1)
    return float(apart.mean()) > rule.z[m - 1] * math.sqrt(variance * (1 / m - 1 / FOLDS))


def report_rules(tables: Mapping[str, Any], orders: int) -> None:
    print(f"| rule, {orders} orders | saved | best lost | regret (sd) |")
    print("|---|---|---|---|")
    for name, rule in RULES.items():
        runs = []
        for key, each in tables.items():
            sign = 1.0 if SETS[key.split()[0]][1] == "minimize" else -1.0
            for order in range(orders):  # the first one is that of the benchmark
                draw = np.random.default_rng([int(key.split()[-1]), order])
                rows = draw.permutation(CONFIGURATIONS) if order else np.arange(CONFIGURATIONS)
                runs.append(replayed_by(rule, sign * np.array(each["values"])[rows]))
        print(f"| {name} | {_shares(runs)} |", flush=True)


def cells() -> Iterator[tuple[str, str]]:
    yield from ((data, family) for family in SPACES for data in SETS)


def report(tables: Mapping[str, Any]) -> None:
    print(
        "| data, family | saved | best lost | regret (sd) "
        "| gap, 5 folds | gap, single split | test, 5 folds | test, single |"
    )
    print("|---|---|---|---|---|---|---|---|")
    every: list[tuple[float, bool, float]] = []
    for data, family in cells():
        found = [tables[key] for seed in range(PARTITIONS) if (key := f"{data} {family} {seed}") in tables]
        if not found:
            continue
        runs = [
            replayed(spec_of(data, family, seed, FOLDS), np.array(each["values"]))
            for seed, each in enumerate(found)
        ]
        every += runs
        name = f"{data} ({SETS[data][0]}), {family}"
        print(f"| {name} | {_shares(runs)} | {_gaps(data, found)} |", flush=True)
    print(f"| all | {_shares(every)} | | | | |")


def _shares(runs: Sequence[tuple[float, bool, float]]) -> str:
    saved, lost, regret = (np.array(column, float) for column in zip(*runs, strict=True))
    return f"{100 * saved.mean():.0f}% | {100 * lost.mean():.1f}% | {regret.mean():.4f}"


def _gaps(data: str, found: Sequence[Mapping[str, Any]]) -> str:
    sign = 1.0 if SETS[data][1] == "maximize" else -1.0
    parts = []
    for key in ("crossed", "single"):
        gaps = np.array([sign * (each[key][0] - each[key][1]) for each in found])
        parts.append(f"{gaps.mean():+.4f} ± {gaps.std(ddof=1) / np.sqrt(len(gaps)):.4f}")
    parts += [f"{np.mean([each[key][1] for each in found]):.4f}" for key in ("crossed", "single")]
    return " | ".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tables", type=Path, default=Path("cross_validation_tables.json"))
    parser.add_argument("--partitions", type=int, default=PARTITIONS)
    parser.add_argument("--rules", action="store_true", help="compare other rules of stopping as well")
    parser.add_argument("--orders", type=int, default=1, help="of the configurations, with --rules")
    given = parser.parse_args()
    tables: dict[str, Any] = json.loads(given.tables.read_text()) if given.tables.exists() else {}
    for seed in range(given.partitions):
        for data, family in cells():
            key = f"{data} {family} {seed}"
            if key not in tables:
                tables[key] = table(data, family, seed)
                given.tables.write_text(json.dumps(tables))
        print(f"partition {seed + 1} of {given.partitions}", file=sys.stderr, flush=True)
    report(tables)
    if given.rules:
        report_rules(tables, given.orders)


if __name__ == "__main__":
    main()
