"""How much a search finds for what it spends: satisfice beside its peers, in one simulator.

    python benchmarks/search_quality.py --bench DIR --seeds 10            # peers and ours, tables with ratios
    python benchmarks/search_quality.py --bench DIR --strategies satisfice tpe --workers 8
    python benchmarks/search_quality.py --bench DIR --problems learners_a learners_b learners_c
    python benchmarks/search_quality.py --bench DIR --problems single_lcbench_helena --strategies satisfice \
        tpe_reject tpe_reject_median                                  # one objective under constraints
    python benchmarks/search_quality.py --real                            # real trainings, no folder needed,
    minutes

DIR is a folder with the benchmark's modules (``problems``, ``engine``, ``strategies``, ``report``). Rows are
appended to --out; runs that are there already are skipped.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

OURS = ("satisfice", "satisfice_no_pruning", "satisfice_moasha")
PEERS = ("tpe", "tpe_reject", "random_reject", "gp")


def run_bench(args: argparse.Namespace) -> None:
    """Run what is missing in --out, then print the tables."""
    sys.path[:0] = [str(args.bench), str(Path(__file__).parent)]
    compare, strategies = importlib.import_module("compare"), importlib.import_module("strategies")
    _add_ours(strategies.STRATEGIES, via=args.via)
    choice = importlib.import_module("learner_choice")
    if set(args.problems) & set(choice.PROBLEMS):
        choice.add_to(compare.problems)
    single = importlib.import_module("single_objective")
    single.add_to(compare.problems, strategies)
    names = [name for group in args.problems for name in compare.GROUPS.get(group, [group])]
    rows = [json.loads(line) for line in args.out.read_text().splitlines()] if args.out.exists() else []
    done = {(r["problem"], r["strategy"], r["seed"], r["workers"]) for r in rows}
    for seed in range(args.seeds):
        for strategy in args.strategies:
            for name in names:
                if (name, strategy, seed, args.workers) in done or _needs_curves(
                    compare, strategy, name, single.PRUNED
                ):
                    continue
                row = compare.run(name, strategy, seed, args.workers)
                args.out.parent.mkdir(parents=True, exist_ok=True)
                with args.out.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                rows.append(row)
                print(
                    f"{name:20s} {strategy:22s} seed {seed:2d} final {row['hv_completed']:.3f} "
                    f"area {row['area_completed']:.3f} trials {row['started']} ({row['complete']} full)",
                    flush=True,
                )
    speed_up = importlib.import_module("report").speed_up
    for key in ("completed", "checkpoint"):
        print(table([r for r in rows if r["workers"] == args.workers], key, speed_up))


def _needs_curves(compare: Any, strategy: str, problem: str, pruned: tuple[str, ...]) -> bool:
    only = strategy in compare.CURVES_ONLY or strategy in ("satisfice_moasha", *pruned)
    return only and compare.problems.REGISTRY[problem]().max_epoch == 1


def _add_ours(strategies: dict[str, Any], *, via: str) -> None:
    from moasha import MoAsha  # beside this file, found once the path is set
    from satisfice.search import PRUNERS

    PRUNERS.register("moasha", MoAsha)
    if via == "study":
        make = importlib.import_module("product").Satisfice
    else:
        make = importlib.import_module("search_layer").SearchLayer
    strategies["satisfice"] = lambda task, seed: make(task, seed)
    strategies["satisfice_no_pruning"] = lambda task, seed: make(task, seed, pruner="none")
    strategies["satisfice_moasha"] = lambda task, seed: make(task, seed, pruner="moasha")


def table(rows: list[dict[str, Any]], key: str, speed_up: Any) -> str:
    """One Markdown table per problem, and the summary over problems.

    Args:
        rows: Runs.
        key: "completed" (only full trainings count) or "checkpoint".
        speed_up: ``report.speed_up`` of the benchmark.
    """
    final, area = ("hv_completed", "area_completed") if key == "completed" else ("hv", "area")
    runs: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        runs[row["problem"], row["strategy"]].append(row)
    out = [f"\n## {'Only full trainings count' if key == 'completed' else 'Every checkpoint counts'}"]
    speeds: dict[str, list[float]] = defaultdict(list)
    finals: dict[str, list[float]] = defaultdict(list)
    for problem in dict.fromkeys(p for p, _ in runs):
        base = runs.get((problem, "tpe"))
        target = float(np.median([r[final] for r in base])) if base else float("nan")
        out += [
            f"\n### {problem}\n",
            "| strategy | n | final [quartiles] | area | cost ratio to plain TPE's final | on infeasible |",
            "|---|---|---|---|---|---|",
        ]
        found = [(s, r) for (p, s), r in runs.items() if p == problem]
        for strategy, r in sorted(found, key=lambda x: -float(np.median([y[final] for y in x[1]]))):
            q1, q2, q3 = np.quantile([x[final] for x in r], [0.25, 0.5, 0.75])
            speed = speed_up(r, target, key) if base else float("nan")
            speeds[strategy].append(0.0 if np.isnan(speed) else speed)
            finals[strategy].append(q2)
            out.append(
                f"| {strategy} | {len(r)} | {q2:.3f} [{q1:.3f}, {q3:.3f}] | "
                f"{np.median([x[area] for x in r]):.3f} | {'-' if np.isnan(speed) else f'{speed:.1f}'} | "
                f"{np.median([x['on_infeasible'] for x in r]):.0%} |"
            )
    out += ["\n### Over the problems\n", "| strategy | problems | median final | median cost ratio |"]
    out.append("|---|---|---|---|")
    for strategy, values in finals.items():
        out.append(
            f"| {strategy} | {len(values)} | {np.median(values):.3f} | {np.median(speeds[strategy]):.1f} |"
        )
    return "\n".join([*out, *_gains(runs, area)])


def _gains(runs: dict[tuple[str, str], list[dict[str, Any]]], area: str) -> list[str]:
    """What stopping trainings gains: the share of the area still missing that it closes, where both ran."""
    out = ["\n### Gap closed by pruning (median; mean, with its standard error)\n"]
    closed = []
    for problem in dict.fromkeys(p for p, _ in runs):
        ours, without = ({r["seed"]: r[area] for r in runs.get((problem, s), [])} for s in OURS[:2])
        seeds = sorted(set(ours) & set(without))
        if len(seeds) < 2:
            continue
        a, b = np.array([ours[s] for s in seeds]), np.array([without[s] for s in seeds])
        closed.append(float((np.median(a) - np.median(b)) / (1.0 - np.median(b))))
        mean = (a.mean() - b.mean()) / (1.0 - b.mean())
        error = (a - b).std(ddof=1) / np.sqrt(len(seeds)) / (1.0 - b.mean())
        out.append(f"- {problem}: {closed[-1]:.0%}; {mean:.0%} ± {error:.0%} ({len(seeds)} seeds)")
    return [*out, f"- median over problems: {np.median(closed):.0%}"] if closed else []


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bench", type=Path, help="folder with the benchmark's modules and data")
    parser.add_argument("--problems", nargs="+", default=["core"])
    parser.add_argument("--strategies", nargs="+", default=[*OURS, *PEERS])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--workers", type=int, default=1, help="simulated workers")
    parser.add_argument(
        "--via", choices=["study", "search"], default="study", help="ask/tell, or its search layer"
    )
    parser.add_argument("--out", type=Path, default=Path("search_quality.jsonl"))
    parser.add_argument(
        "--real", action="store_true", help="real trainings on the digits, ours against plain TPE"
    )
    args = parser.parse_args()
    if args.real:
        sys.path.insert(0, str(Path(__file__).parent))
        importlib.import_module("search_real").run(seeds=min(args.seeds, 3))
    elif args.bench is None or not (args.bench / "engine.py").exists():
        parser.error("--bench needs the folder with the benchmark's engine.py (or use --real)")
    else:
        run_bench(args)


if __name__ == "__main__":
    main()
