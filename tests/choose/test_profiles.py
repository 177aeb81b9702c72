"""The answer of a profile is that of brute force, over random studies with three profiles; rankings too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from satisfice.choose import (
    Question,
    Refusals,
    as_asked,
    asked,
    asked_by_each,
    best,
    common_bounds,
    pareto_front,
    ranking_of,
)
from satisfice.errors import InputError, NoFeasibleTrial
from satisfice.spec import parse_dict
from satisfice.spec.constraint import Constraint, parse_clause
from satisfice.spec.profile import Profile, turned_away_by
from satisfice.spec.study import Objective, StudySpec
from satisfice.spec.trial import TrialRecord, TrialState

NAMES = ("w", "x", "y", "z")
# Few values, so that ties are common; none is at a tolerance of another one's share.
VALUES = st.sampled_from([0.0, 1.0, 2.0, 3.0, 4.0, 6.0])
METRIC = st.one_of(VALUES, VALUES, VALUES, st.just(math.nan), st.none())
STATES = st.sampled_from([*[TrialState.COMPLETE] * 6, TrialState.PRUNED, TrialState.FAIL])
BOUND = st.builds(
    lambda operator, bound: f"{operator} {bound:g}",
    st.sampled_from(["<=", "<", ">=", ">"]),
    st.sampled_from([0.5, 1.0, 2.5, 3.0, 4.0]),
)
BOUNDS = st.dictionaries(st.sampled_from(NAMES), BOUND, max_size=2)
TOLERANCES = st.sampled_from(["", " within 0.5", " within 2", " within 30%"])
DIRECTIONS = st.sampled_from(["maximize", "minimize"])


@st.composite
def profiles(draw: st.DrawFn) -> dict[str, Any]:
    """A profile's table: bounds, and an objective or an order of up to three metrics."""
    table: dict[str, Any] = {"constraints": draw(BOUNDS)}
    names = draw(st.lists(st.sampled_from(NAMES), max_size=3, unique=True))
    texts = [f"{draw(DIRECTIONS)} {name}" for name in names]
    if len(texts) == 1:
        table["objective"] = texts[0]
    elif texts:
        table["order"] = [text + draw(TOLERANCES) for text in texts]
    return table


@st.composite
def studies(draw: st.DrawFn) -> tuple[StudySpec, list[TrialRecord]]:
    count = draw(st.integers(1, 3))
    content = {
        "name": "random",
        "objectives": {name: draw(DIRECTIONS) for name in NAMES[:count]},
        "constraints": draw(BOUNDS),
        "space": {"p": [1]},
        "budget": {"trials": 9},
        "profiles": {name: draw(profiles()) for name in ("a", "b", "c")},
    }
    try:
        spec = parse_dict(content, has_task=True)
    except InputError:  # bounds that exclude each other, or a profile that says nothing
        content["constraints"], content["profiles"] = {}, {n: {"objective": f"maximize {n}"} for n in "wxy"}
        spec = parse_dict(content, has_task=True)
    records: list[TrialRecord] = []
    for number in range(draw(st.integers(0, 12))):
        values = {name: draw(METRIC) for name in NAMES}
        firsts = [r.number for r in records if r.replicate_of is None]
        record = TrialRecord(
            number=number,
            state=draw(STATES),
            params={},
            metrics={name: v for name, v in values.items() if v is not None},
            replicate_of=draw(st.sampled_from([None, None, None, *firsts])),
        )
        records.append(record.judged_by(spec.constraints) if draw(st.booleans()) else record)
    return spec, records


def holds(value: float, c: Constraint) -> bool:
    return {"<=": value <= c.bound, "<": value < c.bound, ">=": value >= c.bound, ">": value > c.bound}[
        c.operator
    ]


def answer(
    records: Sequence[TrialRecord],
    bounds: Sequence[Constraint],
    order: Sequence[tuple[Objective, float, bool]],
) -> int | None:
    """The best by the definitions, as plainly as they can be said; None: nothing fits."""
    groups: dict[int, list[TrialRecord]] = {}
    for r in records:
        if r.state == TrialState.COMPLETE:
            groups.setdefault(r.number if r.replicate_of is None else r.replicate_of, []).append(r)

    def mean(members: list[TrialRecord], name: str) -> float:
        known = [m.metrics[name] for m in members if not math.isnan(m.metrics.get(name, math.nan))]
        return sum(known) / len(known) if known else math.nan

    left = []
    for members in groups.values():
        whole = [
            m for m in members if all(c.metric in m.metrics and holds(m.metrics[c.metric], c) for c in bounds)
        ]
        if whole and all(holds(mean(members, c.metric), c) for c in bounds):
            left.append((whole[0].number, members))
    left = [(n, m) for n, m in left if not math.isnan(mean(m, order[0][0].metric))]
    if not left:
        return None
    for objective, tolerance, relative in order:
        known = [v for _, m in left if not math.isnan(v := mean(m, objective.metric))]
        if not known:
            continue
        top = max(known) if objective.direction == "maximize" else min(known)
        allowed = tolerance * abs(top) if relative else tolerance
        left = [(n, m) for n, m in left if abs(mean(m, objective.metric) - top) <= allowed + 1e-9]
    return min(n for n, _ in left)


@settings(max_examples=400)
@given(studies())
def test_the_best_of_each_profile_is_that_of_brute_force(case: tuple[StudySpec, list[TrialRecord]]) -> None:
    spec, records = case
    for question in (asked(spec), *asked_by_each(spec)):
        of = next((p for p in spec.profiles if p.name == question.profile), Profile(name=""))
        bounds = [*spec.constraints, *of.constraints]
        order = [(c.objective, c.tolerance, c.relative) for c in of.order]
        named = {o.metric for o, _, _ in order}
        order += [(o, 0.0, False) for o in spec.objectives if o.metric not in named]
        expected = answer(records, bounds, order)
        try:
            found = best(records, question.objectives, question.constraints, order=question.order).number
        except NoFeasibleTrial:
            found = None
        assert found == expected
        front = pareto_front(records, None, question.constraints, study_objectives=question.objectives)
        exact = all(not tolerance for _, tolerance, _ in order)
        complete = all(
            not math.isnan(r.metrics.get(o.metric, math.nan)) for r in records for o in question.objectives
        )
        if found is not None and exact and complete:  # what is best is dominated by nothing
            assert found in [r.number for r in front]


def test_a_profile_of_the_study_itself_asks_what_the_study_asks() -> None:
    content = {
        "name": "s",
        "objectives": {"f1": "maximize", "size_mb": "minimize"},
        "constraints": {"size_mb": "<= 2", "latency_ms": "<= 4"},
        "space": {"p": [1]},
        "budget": {"trials": 9},
        "profiles": {
            "tight": {"constraints": {"size_kb": "<= 1000", "latency_ms": "<= 9"}, "objective": "accuracy"}
        },
    }
    spec = parse_dict(content, has_task=True)
    own, tight = asked(spec), asked(spec, "tight")
    assert (own.objectives, own.constraints, own.order) == (spec.objectives, spec.constraints, ())
    assert [o.metric for o in tight.objectives] == ["accuracy", "f1", "size_mb"]
    # All hold; a looser one says nothing.
    assert [c.key for c in tight.constraints] == [
        "size_mb <= 2",
        "latency_ms <= 4",
        "size_kb <= 1000",
        "latency_ms <= 9",
    ]
    assert [c.key for c in as_asked(spec, "tight").constraints] == ["latency_ms <= 4", "size_kb <= 1000"]
    assert as_asked(spec, "tight").profiles == ()
    with pytest.raises(InputError, match=r"study 's' has no profile 'tigth' .*tight; did you mean 'tight'"):
        asked(spec, "tigth")


def some_profile(*clauses: str) -> Profile:
    return Profile(name="p", constraints=tuple(parse_clause(c) for c in clauses))


@pytest.mark.parametrize(
    ("each", "common"),
    [
        ([], []),
        ([["size_mb <= 1"], ["size_mb <= 3"]], ["size_mb <= 3"]),
        ([["size_kb <= 1000"], ["size_mb <= 0.5"]], ["size_kb <= 1000"]),
        ([["size_mb <= 1"], ["size_mb <= 3"], ["latency_ms <= 3"]], []),
        ([["size_mb <= 1"], ["size_mb >= 3"]], []),
        ([["x < 1", "y >= 2"], ["x <= 1", "y >= 1"]], ["x <= 1", "y >= 1"]),
    ],
)
def test_common_bounds_are_the_loosest(each: list[list[str]], common: list[str]) -> None:
    found = common_bounds([some_profile(*clauses) for clauses in each])
    assert [c.key for c in found] == common


@given(st.lists(BOUNDS, max_size=3), BOUNDS, st.fixed_dictionaries(dict.fromkeys(NAMES, VALUES)))
def test_turned_away_is_what_nobody_can_use(
    each: list[dict[str, str]], own: dict[str, str], metrics: dict[str, float]
) -> None:
    def missed(bounds: dict[str, str]) -> dict[str, float]:
        clauses = [parse_clause(f"{name} {bound}") for name, bound in bounds.items()]
        return {c.key: c.violation(metrics[c.metric]) for c in clauses}

    usable = [all(v <= 0 for v in missed(bounds).values()) for bounds in each]
    fits = all(v <= 0 for v in missed(own).values()) and (any(usable) or not each)
    found = turned_away_by(missed(own), [missed(bounds) for bounds in each])
    assert (not found) == fits
    assert all(v > 0 for v in found.values())


def test_bounds_of_other_profiles_hide_nothing_from_one() -> None:
    ours = Refusals(proposals=3, by_constraint={"size_mb <= 1": 3, "latency_ms <= 5": 2})
    assert ours.under(["size_mb <= 1"]).by_constraint == {"size_mb <= 1": 3}
    before = Refusals(proposals=3, by_constraint={"latency_ms <= 5": 3})  # before there was this profile
    assert before.under(["size_mb <= 1"]) == before


def records_of(rows: Sequence[Sequence[float]]) -> list[TrialRecord]:
    return [
        TrialRecord(
            number=i,
            state=TrialState.COMPLETE,
            params={},
            metrics=dict(zip(("accuracy", "size_mb"), row, strict=True)),
        )
        for i, row in enumerate(rows)
    ]


def question_of(rows: Sequence[Sequence[float]]) -> Question:
    objectives = [Objective(metric="accuracy", direction="maximize")]
    return Question(records=records_of(rows), objectives=objectives, constraints=[])


@settings(max_examples=100)
@given(
    st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=8),
    st.integers(1, 9),
    st.integers(1, 9),
)
def test_the_ranking_is_that_of_the_book(rows: list[tuple[float, float]], a: int, b: int) -> None:
    pytest.importorskip("pyrepo_mcda")
    found = ranking_of(question_of(rows), {"accuracy": a, "size_mb": b})
    front = [
        i for i, (x, y) in enumerate(rows) if not any(u >= x and v <= y and (u, v) != (x, y) for u, v in rows)
    ]
    assert sorted(p.group.trial.number for p in found.points) == front
    table = np.array([rows[i] for i in front])
    span = np.ptp(table, axis=0)
    unit = np.divide(table - table.min(axis=0), span, out=np.zeros_like(table), where=span > 0)
    good = np.column_stack([unit[:, 0] * a, (1 - unit[:, 1]) * b]) / (a + b)
    to_best, to_worst = (np.linalg.norm(good - end, axis=1) for end in (good.max(axis=0), good.min(axis=0)))
    both = to_best + to_worst
    closeness = np.divide(to_worst, both, out=np.ones_like(both), where=both > 0)
    expected = sorted(zip(front, closeness, strict=True), key=lambda p: (-round(p[1], 9), p[0]))
    assert [p.closeness for p in found.points] == pytest.approx([c for _, c in expected])
    assert math.fsum(found.weights) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({}, "no weight is given"),
        ({"accuracy": 0.0}, "the weight of accuracy is 0"),
        ({"accuracy": math.nan}, "the weight of accuracy is nan"),
        ({"nonsense": 1.0}, "whether more or less 'nonsense' is better is not known"),
        ({"f1": 1.0}, "no trial has a metric 'f1'"),
    ],
)
def test_weights_that_mean_nothing_are_refused(weights: dict[str, float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        ranking_of(question_of([(0.9, 1.0)]), weights)
