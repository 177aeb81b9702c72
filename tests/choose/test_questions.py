"""Questions to finished trials equal brute force over random studies: ties, pruned, failed, NaN, seeds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from satisfice.choose import (
    Question,
    Refusals,
    best,
    bound_costs,
    compare,
    in_the_way,
    knee_of,
    nearest_feasible,
    price_of,
)
from satisfice.choose.questions.infeasible import share_below
from satisfice.errors import InputError, NoFeasibleTrial
from satisfice.spec.constraint import Constraint, parse_clause
from satisfice.spec.study import Objective
from satisfice.spec.trial import TrialRecord, TrialState

NAMES = ("w", "x", "y", "z")
DIRECTIONS = ("maximize", "minimize")
# Few values, so that ties are common; halves and quarters, so that means are exact.
VALUES = st.sampled_from([0.0, 1.0, 2.0, 3.0, 4.0, 6.0])
METRIC = st.one_of(VALUES, VALUES, VALUES, st.just(math.nan), st.none())
STATES = st.sampled_from([*[TrialState.COMPLETE] * 6, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING])
BOUNDS = st.builds(
    Constraint,
    metric=st.sampled_from(NAMES),
    operator=st.sampled_from(["<=", "<", ">=", ">"]),
    bound=st.sampled_from([0.0, 1.0, 2.5, 3.0, 4.0]),
)


@st.composite
def questions(draw: st.DrawFn, objectives: int | None = None) -> Question:
    """A random study with one to four objectives, and bounds asked of it."""
    count = draw(st.integers(1, 4)) if objectives is None else objectives
    goals = [Objective(metric=n, direction=draw(st.sampled_from(DIRECTIONS))) for n in NAMES[:count]]
    own = draw(st.lists(BOUNDS, max_size=2, unique_by=lambda c: (c.metric, c.is_upper)))
    records: list[TrialRecord] = []
    for number in range(draw(st.one_of(st.integers(0, 12), st.integers(6, 12)))):
        values = {name: draw(METRIC) for name in NAMES}
        state = draw(STATES)
        firsts = [r.number for r in records if r.replicate_of is None]
        again = draw(st.sampled_from([None, None, *firsts]))
        record = TrialRecord(
            number=number,
            state=state,
            params={"p": draw(st.integers(0, 2))},
            metrics={name: v for name, v in values.items() if v is not None},
            replicate_of=again,
            pending=state == TrialState.COMPLETE and draw(st.integers(0, 9)) == 0,
            reason=f"cannot meet {own[0].key} at step 1: at best it reaches 9"
            if own and state == TrialState.PRUNED and draw(st.booleans())
            else None,
        )
        records.append(record.judged_by(own) if draw(st.booleans()) else record)
    where = draw(st.lists(BOUNDS, max_size=2, unique_by=lambda c: (c.metric, c.is_upper)))
    return Question(
        records=records, objectives=goals, constraints=own, refusals=draw(refusals(own)), where=where
    )


@st.composite
def refusals(draw: st.DrawFn, own: Sequence[Constraint]) -> list[Refusals]:
    """Asks whose proposals each missed a set of bounds, or broke the task's code."""
    found = []
    for _ in range(draw(st.integers(0, 3))):
        keys = [*(c.key for c in own), "ValueError before training"]
        missed = draw(st.lists(st.sets(st.sampled_from(keys), min_size=1), max_size=4))
        counts = {key: sum(key in each for each in missed) for key in keys}
        found.append(Refusals(proposals=len(missed), by_constraint={k: n for k, n in counts.items() if n}))
    return found


# The definitions once more, as plainly as they can be said.


@dataclass(frozen=True)
class Configuration:
    """A configuration with all its complete seeds, by the trial that stands for it."""

    number: int
    seeds: tuple[TrialRecord, ...]

    def mean(self, metric: str) -> float:
        known = [m.metrics[metric] for m in self.seeds if metric in m.metrics]
        values = [v for v in known if not math.isnan(v)]
        return sum(values) / len(values) if values else math.nan


def holds(value: float, c: Constraint) -> bool:
    return {"<=": value <= c.bound, "<": value < c.bound, ">=": value >= c.bound, ">": value > c.bound}[
        c.operator
    ]


def meets_all(trial: TrialRecord, bounds: Sequence[Constraint]) -> bool:
    return all(c.metric in trial.metrics and holds(trial.metrics[c.metric], c) for c in bounds)


def all_bounds(q: Question) -> list[Constraint]:
    assert not isinstance(q.where, str | Constraint)
    asked = [parse_clause(w) if isinstance(w, str) else w for w in q.where]
    sides = {(c.metric, c.operator[0]) for c in asked}
    kept = [c for c in q.constraints if (c.metric, c.operator[0]) not in sides]
    return [*kept, *(c for c in asked if c not in kept)]


def every_configuration(q: Question, bounds: Sequence[Constraint]) -> list[Configuration]:
    found = []
    for first in {r.number if r.replicate_of is None else r.replicate_of for r in q.records}:
        seeds = [r for r in q.records if first in (r.number, r.replicate_of) and not r.pending]
        seeds = [r for r in seeds if r.state == TrialState.COMPLETE]
        if seeds:
            stands = next((r for r in seeds if meets_all(r, bounds)), seeds[0])
            found.append(Configuration(number=stands.number, seeds=tuple(seeds)))
    return sorted(found, key=lambda c: c.number)


def fits(c: Configuration, bounds: Sequence[Constraint]) -> bool:
    by_itself = any(meets_all(r, bounds) for r in c.seeds)
    return by_itself and all(holds(c.mean(b.metric), b) for b in bounds)


def fitting(q: Question, bounds: Sequence[Constraint]) -> list[Configuration]:
    return [c for c in every_configuration(q, bounds) if fits(c, bounds)]


def better(a: float, b: float, o: Objective) -> bool:
    """Strictly; NaN is worse than any number."""
    if math.isnan(a) or math.isnan(b):
        return math.isnan(b) and not math.isnan(a)
    return a > b if o.direction == "maximize" else a < b


def near(value: float, top: float, tolerance: float) -> bool:
    """Within the tolerance, as the numbers behind the floats are."""
    if math.isnan(value) or math.isnan(top):
        return math.isnan(value) and math.isnan(top)
    return abs(exact(value) - exact(top)) <= Fraction(tolerance)


def exact(mean: float) -> Fraction:
    """The mean of up to a dozen small integers that a float stands for."""
    return Fraction(mean).limit_denominator(1000)


def chosen_by(found: Sequence[Configuration], order: Sequence[tuple[Objective, float]]) -> Configuration:
    left = list(found)
    for o, tolerance in order:
        top = left[0].mean(o.metric)
        for c in left:
            top = c.mean(o.metric) if better(c.mean(o.metric), top, o) else top
        left = [c for c in left if near(c.mean(o.metric), top, tolerance)]
    return left[0]


def plain_order(q: Question) -> list[tuple[Objective, float]]:
    return [(o, 0.0) for o in q.objectives]


def beats(a: Configuration, b: Configuration, goals: Sequence[Objective]) -> bool:
    """Pareto dominance."""
    no_worse = all(not better(b.mean(o.metric), a.mean(o.metric), o) for o in goals)
    return no_worse and any(better(a.mean(o.metric), b.mean(o.metric), o) for o in goals)


def front(q: Question, goals: Sequence[Objective]) -> list[Configuration]:
    whole = [c for c in fitting(q, all_bounds(q)) if not any(math.isnan(c.mean(o.metric)) for o in goals)]
    return [c for c in whole if not any(beats(other, c, goals) for other in whole)]


def known_metrics(q: Question, extra: Sequence[str] = ()) -> None:
    """What names a metric that neither a trial nor the study has is refused: tested elsewhere."""
    named = {o.metric for o in q.objectives} | {c.metric for c in q.constraints}
    recorded = {name for r in q.records for name in r.metrics}
    assume({c.metric for c in all_bounds(q)} | set(extra) <= named | recorded)


def lost(q: Question) -> dict[str, tuple[int, int]]:
    """By key of a bound, how many proposals were turned away and how many trials were stopped there."""
    keys = [c.key for c in q.constraints]
    away = {k: sum(r.by_constraint.get(k, 0) for r in q.refusals) for k in keys}
    stopped = {
        c.key: sum(
            r.state == TrialState.PRUNED
            and ((r.reason or "").startswith(f"cannot meet {c.key} at ") or r.violations.get(c.key, 0) > 0)
            for r in q.records
        )
        for c in q.constraints
    }
    return {k: (away[k], stopped[k]) for k in keys if away[k] or stopped[k]}


def told(found: Sequence[Any]) -> dict[str, tuple[int, int]]:
    return {u.constraint.key: (u.turned_away, u.stopped) for u in found}


def tighter(a: Constraint, b: Constraint) -> bool:
    """Whether no value on a grid finer than the bounds meets a and misses b, on one side of one metric."""
    if (a.metric, a.operator[0]) != (b.metric, b.operator[0]):
        return False
    return not any(holds(v / 8, a) and not holds(v / 8, b) for v in range(-80, 81))


def unseen_inside(q: Question) -> dict[str, tuple[int, int]]:
    by_key = {c.key: c for c in q.constraints}
    return {
        key: counts
        for key, counts in lost(q).items()
        if not any(tighter(asked, by_key[key]) for asked in all_bounds(q))
    }


def on_side_of(q: Question, c: Constraint) -> dict[str, tuple[int, int]]:
    side = {o.key for o in q.constraints if (o.metric, o.operator[0]) == (c.metric, c.operator[0])}
    return {key: counts for key, counts in lost(q).items() if key in side}


# The properties.


@settings(max_examples=400)
@given(questions(), st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True), st.data())
def test_the_best_by_several_criteria_is_that_of_brute_force(
    q: Question, names: list[str], data: st.DataObject
) -> None:
    known_metrics(q, names)
    tolerances = [data.draw(st.sampled_from([0.0, 0.5, 1.0, 2.0])) for _ in names]
    own = {o.metric: o for o in q.objectives}
    criteria = [
        (own.get(n, Objective(metric=n, direction="minimize")), t)
        for n, t in zip(names, tolerances, strict=True)
    ]
    texts = [f"{o.direction} {o.metric}" + (f" within {t}" if t else "") for o, t in criteria]
    found = [c for c in fitting(q, all_bounds(q)) if not math.isnan(c.mean(names[0]))]

    def ask(**how: Any) -> int:
        return best(q.records, q.objectives, q.constraints, where=list(q.where), **how).number  # type: ignore[arg-type]

    if not found:
        with pytest.raises(NoFeasibleTrial):
            ask(order=texts)
        return
    rest = [(o, 0.0) for o in q.objectives if o.metric not in names]
    assert ask(order=texts) == chosen_by(found, [*criteria, *rest]).number
    if tolerances[0] == 0 and len(names) == 1:
        assert ask(order=texts) == ask(**{criteria[0][0].direction: names[0]})


@settings(max_examples=400)
@given(questions(), st.sampled_from(NAMES))
def test_the_price_is_that_of_brute_force(q: Question, metric: str) -> None:
    known_metrics(q, [metric])
    goal = q.objectives[0]
    assume(metric != goal.metric)
    own = {o.metric: o.direction for o in q.objectives}
    sides = {"minimize" if c.operator[0] == "<" else "maximize" for c in all_bounds(q) if c.metric == metric}
    direction = own.get(metric) or (sides.pop() if len(sides) == 1 else None)
    if direction is None:
        with pytest.raises(InputError, match="is better is not known"):
            price_of(q, metric)
        return
    cost = Objective(metric=metric, direction=direction)  # type: ignore[arg-type]
    found = price_of(q, metric)
    points: dict[tuple[float, float], int] = {}
    for c in front(q, [cost, goal]):
        points.setdefault((c.mean(metric), c.mean(goal.metric)), c.number)
    ordered = sorted(points, key=lambda p: p[0] if direction == "minimize" else -p[0])
    assert [(p.cost, p.value, p.group.trial.number) for p in found.points] == [
        (*point, points[point]) for point in ordered
    ]
    steps = [(abs(b[0] - a[0]), abs(b[1] - a[1])) for a, b in itertools.pairwise(ordered)]
    assert [(p.more, p.gain) for p in found.points] == [(None, None), *steps][: len(ordered)]
    assert all(p.more is None or (p.more > 0 and p.gain is not None and p.gain > 0) for p in found.points)
    edge = Constraint(metric=metric, operator="<=" if direction == "minimize" else ">=", bound=0.0)
    assert told(found.unseen) == unseen_inside(q) | on_side_of(q, edge)


@settings(max_examples=400)
@given(questions())
def test_the_knee_is_that_of_brute_force(q: Question) -> None:
    known_metrics(q)
    found = knee_of(q)
    goals = q.objectives
    whole = front(q, goals)
    ordered = sorted(
        whole,
        key=lambda c: (
            *((-1 if o.direction == "maximize" else 1) * c.mean(o.metric) for o in goals),
            c.number,
        ),
    )
    assert [p.group.trial.number for p in found.points] == [c.number for c in ordered]
    assert told(found.unseen) == unseen_inside(q)
    if not ordered:
        assert found.chosen is None
        return
    expected: int | None
    ends = [[exact(c.mean(o.metric)) for c in ordered] for o in goals]
    scaled = []
    for c in ordered:
        row = []
        for o, values in zip(goals, ends, strict=True):
            low, high = min(values), max(values)
            share = (exact(c.mean(o.metric)) - low) / (high - low) if high > low else Fraction(0)
            row.append(1 - share if o.direction == "maximize" and high > low else share)
        scaled.append(row)
    if len(goals) == 2:
        depth = [1 - sum(row) for row in scaled]  # the distance from the line, but for a factor
        if len({tuple(row) for row in scaled}) == 1:
            expected = ordered[0].number
        else:
            expected = ordered[depth.index(max(depth))].number if max(depth) > 0 else None
    else:
        away = [sum(x * x for x in row) for row in scaled]
        expected = ordered[away.index(min(away))].number
    assert (None if found.chosen is None else found.chosen.group.trial.number) == expected


@settings(max_examples=400)
@given(questions())
def test_what_bounds_cost_is_that_of_brute_force(q: Question) -> None:
    known_metrics(q)
    goal, bounds = q.objectives[0], all_bounds(q)
    found = bound_costs(q)

    def best_under(some: Sequence[Constraint]) -> Configuration | None:
        scored = [c for c in fitting(q, some) if not math.isnan(c.mean(goal.metric))]
        return chosen_by(scored, plain_order(q)) if scored else None

    top = best_under(bounds)
    assert (None if found.best is None else found.best.trial.number) == (None if top is None else top.number)
    assert [b.constraint for b in found.bounds] == bounds
    for told_of in found.bounds:
        without = best_under([c for c in bounds if c != told_of.constraint])
        assert told(told_of.unseen) == on_side_of(q, told_of.constraint)
        if without is None:
            assert (told_of.without, told_of.value, told_of.gain) == (None, None, None)
            assert told_of.binding is (None if told_of.unseen else False)
            continue
        assert told_of.without is not None
        assert told_of.without.trial.number == without.number
        assert told_of.value == without.mean(goal.metric)
        gain = None if top is None else abs(without.mean(goal.metric) - top.mean(goal.metric))
        assert told_of.gain == gain
        costs = gain is None or gain > 0
        assert told_of.binding is (True if costs else None if told_of.unseen else False)
    assert told(found.unseen) == unseen_inside(q)


@settings(max_examples=400)
@given(questions())
def test_why_nothing_fits_is_that_of_brute_force(q: Question) -> None:
    known_metrics(q)
    bounds = all_bounds(q)
    found = in_the_way(q)
    complete, fit = every_configuration(q, bounds), fitting(q, bounds)
    assert (found.finished, found.fitting) == (len(complete), len(fit))
    assert (found.share_at_most is not None) == (bool(complete) and not fit)
    assert [b.constraint for b in found.bounds] == bounds
    for told_of in found.bounds:
        c = told_of.constraint
        others = [o for o in bounds if o != c]
        stands = {k.number: next(r for r in k.seeds if r.number == k.number) for k in complete}
        assert told_of.missed == sum(
            not meets_all(stands[k.number], [c]) or not holds(k.mean(c.metric), c) for k in complete
        )
        assert told_of.fit_without == len(fitting(q, others)) - len(fit)
        low, high = told_of.away_alone
        mine = set(on_side_of(q, c))
        assert high == sum(min(r.proposals, sum(r.by_constraint.get(k, 0) for k in mine)) for r in q.refusals)
        assert 0 <= low <= high
        # Every bound from the grid of all values and means is tried: the tightest with a solution.
        upper = c.operator[0] == "<"
        values = {
            v
            for k in complete
            for v in [k.mean(c.metric), *(r.metrics.get(c.metric, math.nan) for r in k.seeds)]
        }
        grid = sorted((v for v in values if not math.isnan(v)), reverse=not upper)

        def solutions(bound: float, c: Constraint = c, others: Sequence[Constraint] = others) -> set[int]:
            moved = Constraint(metric=c.metric, operator="<=" if c.operator[0] == "<" else ">=", bound=bound)
            return {r.number for k in fitting(q, [*others, moved]) for r in k.seeds}

        tightest = next((v for v in grid if solutions(v)), None)
        assert told_of.nearest_bound == tightest
        if tightest is not None:
            assert told_of.solution is not None
            assert told_of.solution.trial.number in solutions(tightest)
        assert told(told_of.unseen) == on_side_of(q, c)


def total_violation(
    q: Question, trial: TrialRecord, mean: Configuration | None
) -> tuple[int, float, int] | None:
    """Bounds not known, the sum of violations, how many are missed; None where none is."""
    amounts = []
    for c in all_bounds(q):
        values = [trial.metrics.get(c.metric, math.nan)]
        if mean is not None and not math.isnan(mean.mean(c.metric)):
            values.append(mean.mean(c.metric))
        worst = 0.0
        for value in values:
            if math.isnan(value):
                worst = math.inf
            elif not holds(value, c):
                worst = max(worst, abs(value - c.bound) / (abs(c.bound) or 1.0) or 1e-12)
        if worst > 0:
            amounts.append(worst)
    if not amounts:
        return None
    known = [a for a in amounts if math.isfinite(a)]
    return len(amounts) - len(known), sum(known), len(amounts)


@settings(max_examples=400)
@given(questions())
def test_the_nearest_is_that_of_brute_force(q: Question) -> None:
    known_metrics(q)
    bounds = all_bounds(q)
    found = nearest_feasible(q)
    fit = fitting(q, bounds)
    if fit:
        assert found is not None
        assert found.fits
        assert found.trial.number == chosen_by(fit, plain_order(q)).number
        return
    ranked = []
    for c in every_configuration(q, bounds):
        trial = next(r for r in c.seeds if r.number == c.number)
        misses = total_violation(q, trial, c)
        if misses is not None:
            ranked.append((*misses, False, c.number))
    for r in q.records:
        misses = total_violation(q, r, None) if r.state == TrialState.PRUNED else None
        if misses is not None and misses[0] < misses[2]:
            ranked.append((*misses, True, r.number))
    if not ranked:
        assert found is None
        return
    assert found is not None
    assert not found.fits
    assert found.trial.number == min(ranked)[4]
    if found.conditions:  # under these it fits
        keep = {(parse_clause(c).metric, parse_clause(c).operator[0]) for c in found.conditions}
        assert not isinstance(q.where, Constraint)
        still = [c for c in q.where if isinstance(c, Constraint) and (c.metric, c.operator[0]) not in keep]
        moved = replace(q, where=[*still, *found.conditions])
        after = nearest_feasible(moved)
        assert after is not None
        assert after.fits
        numbers = {r.number for c in fitting(q, all_bounds(moved)) for r in c.seeds}
        assert found.trial.number in numbers


@settings(max_examples=400)
@given(questions(), st.integers(0, 5), st.integers(0, 5))
def test_a_comparison_is_that_of_brute_force(q: Question, a: int, b: int) -> None:
    known_metrics(q)
    count = len(q.records)
    if a == b or max(a, b) >= count:
        with pytest.raises(InputError):
            compare(q, a, b)
        return
    found = compare(q, a, b)
    one, other = q.records[a], q.records[b]
    assert {m.metric for m in found.metrics} == (
        {o.metric for o in q.objectives} | {c.metric for c in all_bounds(q)} | {*one.metrics, *other.metrics}
    )
    own = {o.metric: o for o in q.objectives}
    for m in found.metrics:
        x, y = one.metrics.get(m.metric), other.metrics.get(m.metric)
        assert str((m.a, m.b)) == str((x, y))
        if x is None or y is None or math.isnan(x) or math.isnan(y):
            assert m.better is None
        elif x == y:
            assert (m.better, m.difference) == ("equal", 0.0)
        elif m.metric in own:
            assert m.better == ("a" if better(x, y, own[m.metric]) else "b")
            assert m.difference == y - x
    pairs = [(one.metrics.get(n, math.nan), other.metrics.get(n, math.nan), o) for n, o in own.items()]
    known = not any(math.isnan(x) or math.isnan(y) for x, y, _ in pairs)
    for side, first, second in (("a", 0, 1), ("b", 1, 0)):
        no_worse = known and all(not better(p[second], p[first], p[2]) for p in pairs)  # type: ignore[arg-type]
        assert (found.dominates == side) == (
            no_worse and any(better(p[first], p[second], p[2]) for p in pairs)  # type: ignore[arg-type]
        )
    assert [(p.a <= 0, p.b <= 0) for p in found.bounds] == [
        (meets_all(one, [c]), meets_all(other, [c])) for c in all_bounds(q)
    ]
    assert set(found.params) == ({"p"} if one.params != other.params else set())


@given(
    st.lists(st.sets(st.sampled_from("abc"), min_size=1), min_size=1, max_size=8),
    st.sets(st.sampled_from("abc")),
)
def test_how_many_missed_some_bounds_alone_lies_in_the_range_told(
    missed: list[set[str]], keys: set[str]
) -> None:
    each = Refusals(proposals=len(missed), by_constraint={k: sum(k in m for m in missed) for k in "abc"})
    low, high = each.missing_only(keys)
    assert low <= sum(m <= keys for m in missed) <= high
    if all(len(m) == 1 for m in missed):
        assert low == high


def test_none_of_thirty_leaves_a_tenth() -> None:
    share = share_below(30)
    assert (1 - share) ** 30 == pytest.approx(0.05)
    assert share == pytest.approx(3 / 30, rel=0.06)


@pytest.mark.parametrize(
    ("order", "number"), [("f within 0.05", 0), ("f within 0.1", 2), ("f within 0.3", 1)]
)
def test_a_value_at_the_tolerance_counts(order: str, number: int) -> None:
    found = [(0.8, 9.0), (0.5, 1.0), (0.7, 5.0)]  # 0.8 - 0.7 is more than 0.1 in floats
    records = [
        TrialRecord(number=n, state=TrialState.COMPLETE, params={}, metrics={"f": f, "cost": cost})
        for n, (f, cost) in enumerate(found)
    ]
    goals = [Objective(metric="f", direction="maximize"), Objective(metric="cost", direction="minimize")]
    assert best(records, goals, [], order=[order, "cost"]).number == number
