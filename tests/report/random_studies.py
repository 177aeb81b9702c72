"""Random studies and questions, and what Python answers: the page must answer the same."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from satisfice.choose import BestTrial, Question, chosen, in_the_way, pareto_front, price_of
from satisfice.choose.best import nearest_miss
from satisfice.choose.bounds import merge_constraints
from satisfice.choose.questions.unseen import Refusals
from satisfice.errors import NoFeasibleTrial
from satisfice.report.context import StudyView
from satisfice.results.report_context import ReportContext
from satisfice.spec import parse_dict
from satisfice.spec.constraint import Constraint
from satisfice.spec.criterion import direction_of
from satisfice.spec.influences import Floats, Influences
from satisfice.spec.study import Objective, Rule
from satisfice.spec.trial import TrialRecord, TrialState

# Known metrics of two units of one quantity, and some of one's own.
NAMES = ("accuracy", "size_kb", "latency_ms", "cost", "size_mb")
DIRECTIONS = {
    "accuracy": "maximize",
    "size_kb": "minimize",
    "latency_ms": "minimize",
    "cost": "minimize",
    "size_mb": "minimize",
}
STATES = [*[TrialState.COMPLETE] * 7, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING]


@dataclass(frozen=True)
class Asked:
    """A question as the page's controls hold it."""

    goal: Objective
    then: Objective | None
    tolerance: float
    where: tuple[Constraint, ...]
    x: str
    y: str
    rule: Rule = "value"


def value(rng: np.random.Generator) -> float:
    kind = rng.random()
    if kind < 0.04:
        return float(rng.choice([math.nan, math.inf, -math.inf]))
    if kind < 0.5:
        return float(rng.integers(0, 5)) / 10  # many ties, and means that are not exact
    return float(rng.normal() * 10.0 ** rng.integers(-3, 4))


def noise_of(rng: np.random.Generator, metrics: Mapping[str, float]) -> dict[str, float]:
    """Standard errors, many of them alike: differences exactly at a limit are asked too."""
    return {n: float(rng.choice([0.0, 0.05, 0.06, 0.08, 0.1, 0.3])) for n in metrics if rng.random() < 0.8}


def rows_of(rng: np.random.Generator, hard: Mapping[str, Floats], rows: int) -> Influences:
    """What the rows of one trial did: most rows are hard or easy for all trials alike."""
    own = {n: 0.8 * v + 0.4 * rng.standard_normal(len(v)) for n, v in hard.items() if rng.random() < 0.9}
    own = own or dict(hard)
    made = Influences.of_rows({n: v[:rows] * rng.choice([0.02, 1.0, 4.0]) for n, v in own.items()})
    return Influences.decoded(made.encoded())


def influences_of(seed: int, records: Sequence[TrialRecord]) -> dict[int, Influences]:
    """Of most complete trials; some were scored on other rows."""
    rng = np.random.default_rng(50_000 + seed)
    if rng.random() < 0.3:
        return {}
    hard = {n: rng.standard_normal(40) for n in NAMES[:3]}
    return {
        r.number: rows_of(rng, hard, 40 if rng.random() < 0.9 else 30)
        for r in records
        if r.state == TrialState.COMPLETE and rng.random() < 0.85
    }


def random_study(seed: int, trials: int = 14) -> tuple[StudyView, ReportContext]:
    """A study with one to four objectives, bounds, replicates, ties, NaN, and some stored verdicts."""
    rng = np.random.default_rng(seed)
    names = list(rng.permutation(NAMES[:4]))[: rng.integers(1, 5)]
    goals = tuple(Objective(metric=n, direction=DIRECTIONS[n]) for n in names)  # type: ignore[arg-type]
    own = random_bounds(rng, int(rng.integers(0, 3)))
    records: list[TrialRecord] = []
    for number in range(int(rng.integers(1, trials + 1))):
        state = STATES[rng.integers(len(STATES))]
        firsts = [r.number for r in records if r.replicate_of is None]
        again = int(rng.choice(firsts)) if firsts and rng.random() < 0.35 else None
        metrics = {n: value(rng) for n in NAMES[:4] if rng.random() < 0.93}
        record = TrialRecord(
            number=number,
            state=state,
            params={"p": int(rng.integers(1, 9)), "kind": str(rng.choice(["a", "b"]))},
            metrics=metrics,
            standard_errors={},
            replicate_of=again,
            pending=state == TrialState.COMPLETE and rng.random() < 0.06,
            reason=f"cannot meet {own[0].key} at step 1: at best it reaches 9"
            if own and state == TrialState.PRUNED and rng.random() < 0.5
            else None,
        )
        if rng.random() < 0.5:
            record = record.judged_by(own)
        if own and rng.random() < 0.1:  # known by its verdict only, or judged by another value
            record = replace(record, violations={**record.violations, own[0].key: float(rng.normal())})
        records.append(record)
    noisy = np.random.default_rng(90_000 + seed)
    records = [replace(r, standard_errors=noise_of(noisy, r.metrics)) for r in records]
    stored = influences_of(seed, records)
    space = parse_dict(
        {
            "name": "s",
            "objectives": {"accuracy": "maximize"},
            "space": {"p": {"low": 1, "high": 9}, "kind": ["a", "b"]},
            "budget": {"trials": 9},
        },
        has_task=True,
    ).space
    view = StudyView(
        records=records,
        objectives=goals,
        constraints=own,
        space=space,
        influences=lambda numbers: {n: stored[n] for n in numbers if n in stored},
    )
    away = {c.key: int(rng.integers(1, 9)) for c in own if rng.random() < 0.5}
    status = {"turned_away": sum(away.values()), "turned_away_by_constraint": away}
    return view, ReportContext(status=status, chosen=None)


def random_bounds(rng: np.random.Generator, count: int) -> tuple[Constraint, ...]:
    found: dict[tuple[str, bool], Constraint] = {}
    for _ in range(count):
        bound = Constraint(
            metric=str(rng.choice(NAMES)),
            operator=str(rng.choice(["<=", "<", ">=", ">"])),  # type: ignore[arg-type]
            bound=float(rng.choice([0.0, 0.1, 0.2, 0.30000000000000004, 0.4, 1.0 / 3.0, -2.5, 1e-7, 40.0])),
        )
        found.setdefault((bound.metric.split("_")[0], bound.is_upper), bound)
    return tuple(found.values())


def random_question(rng: np.random.Generator, view: StudyView, names: Sequence[str]) -> Asked:
    """A question about metrics that the page offers."""
    known = [n for n in names if n in NAMES]
    goal = str(rng.choice(known))
    others = [n for n in known if n != goal]
    then = str(rng.choice(others)) if others and rng.random() < 0.4 else None
    where = tuple(c for c in random_bounds(rng, int(rng.integers(0, 3))) if c.metric in names)
    x, y = (str(rng.choice(known)) for _ in range(2))
    tolerance = float(rng.choice([0.0, 0.1, 0.2, 1.0]))
    rule: Rule = "one-standard-error" if rng.random() < 0.5 else "value"
    second = None if then is None else objective(view, then)
    return Asked(objective(view, goal), second, tolerance, where, x, y, rule)


def objective(view: StudyView, name: str) -> Objective:
    own = next((o for o in view.objectives if o.metric == name), None)
    return own or Objective(metric=name, direction=DIRECTIONS[name])  # type: ignore[arg-type]


def as_state(view: StudyView, asked: Asked) -> dict[str, Any]:
    """The question as the page's script takes it: the study's bounds that it replaces are gone."""
    kept = [c for c in merge_constraints(view.constraints, asked.where) if c in view.constraints]
    bounds = [{**as_bound(c), "own": as_bound(c)} for c in kept]
    bounds += [{**as_bound(c), "own": None} for c in asked.where if c not in kept]
    return {
        "goal": as_goal(asked.goal),
        "rule": asked.rule,
        "by": "goal" if asked.then is None else "within",
        "tolerance": asked.tolerance,
        "then": None if asked.then is None else as_goal(asked.then),
        "bounds": bounds,
        "x": asked.x,
        "y": asked.y,
    }


def as_bound(c: Constraint) -> dict[str, Any]:
    return {"metric": c.metric, "operator": c.operator, "bound": c.bound}


def as_goal(o: Objective) -> dict[str, Any]:
    return {"metric": o.metric, "direction": o.direction}


def python_answer(view: StudyView, context: ReportContext, asked: Asked) -> dict[str, Any]:
    """The same question put to satisfice.choose."""
    records, own = view.records, view.constraints
    if asked.then is None:
        how: dict[str, Any] = {asked.goal.direction: asked.goal.metric}
    else:
        first = f"{asked.goal.direction} {asked.goal.metric} within {asked.tolerance!r}"
        how = {"order": [first, f"{asked.then.direction} {asked.then.metric}"]}
    found: BestTrial | None
    read = view.influences
    try:
        found = chosen(
            records, view.objectives, own, where=asked.where, rule=asked.rule, influences=read, **how
        )
    except NoFeasibleTrial:
        found = None
    winner = None if found is None else found.number
    front = pareto_front(records, view.objectives, own, asked.where, study_objectives=view.objectives)
    bounds = merge_constraints(own, asked.where)
    sides = [direction_of(n, view.objectives, bounds) for n in (asked.x, asked.y)]
    pair = []
    if asked.x != asked.y and None not in sides:
        axes = [Objective(metric=n, direction=d) for n, d in zip((asked.x, asked.y), sides, strict=True) if d]
        pair = pareto_front(records, axes, own, asked.where, study_objectives=view.objectives)
    refusals = [Refusals(proposals=0, by_constraint=context.status["turned_away_by_constraint"])]
    question = Question(
        records=records, objectives=view.objectives, constraints=own, refusals=refusals, where=asked.where
    )
    way = in_the_way(question)
    nearest = nearest_miss(records, own, asked.where) if winner is None else None
    steps = None
    if asked.x not in (asked.y, asked.goal.metric) and None not in sides:
        priced = price_of(question, asked.x, **{asked.goal.direction: asked.goal.metric})
        steps = [[p.group.trial.number, p.cost, p.value, p.more, p.gain] for p in priced.points]
    return {
        "winner": winner,
        "tied": [] if found is None else list(found.tied),
        "cheapest": None if found is None or found.cheapest_tied is None else found.cheapest_tied[0],
        "front": [r.number for r in front],
        "pair": [r.number for r in pair],
        "finished": way.finished,
        "fitting": way.fitting,
        "bounds": sorted([b.constraint.key, b.missed, b.fit_without] for b in way.bounds),
        "nearest": None if nearest is None else nearest.number,
        "steps": steps,
        "unseen": [u.sentence for u in question.unseen()],
    }
