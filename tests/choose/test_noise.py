"""Noise between trials: standard errors, paired differences, ties, the rule of choice, the expected score."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from satisfice.choose import Noise, best, chosen, pareto_front
from satisfice.choose.front import front_groups
from satisfice.choose.noise.difference import paired_error
from satisfice.choose.noise.front import same_within_noise
from satisfice.choose.noise.rules import rule_named
from satisfice.choose.noise.tied import errors_apart
from satisfice.choose.noise.words import split_remarks, tied_words
from satisfice.choose.trial_group import TrialGroup
from satisfice.errors import BadReport, InputError, NoFeasibleTrial
from satisfice.spec.constraint import Constraint
from satisfice.spec.influences import MOST_GROUPS, Influences
from satisfice.spec.standard_error import check_errors, in_every_unit, joined, split
from satisfice.spec.study import Objective
from satisfice.spec.trial import TrialRecord, TrialState

GOALS = (Objective(metric="x", direction="maximize"), Objective(metric="y", direction="minimize"))
VALUES = st.sampled_from([0.0, 1.0, 2.0, 3.0, 4.0, 6.0])
METRIC = st.one_of(VALUES, VALUES, VALUES, st.just(math.nan), st.none())
STATES = st.sampled_from([*[TrialState.COMPLETE] * 6, TrialState.PRUNED, TrialState.FAIL])
ERRORS = st.sampled_from([0.1, 0.5, 1.0, 2.0])
ROWS = 8


@st.composite
def studies(draw: st.DrawFn) -> tuple[list[TrialRecord], dict[int, Influences], list[Constraint]]:
    """Trials of which some failed, lack values or errors, or are replicates; some with influence values."""
    records: list[TrialRecord] = []
    influences: dict[int, Influences] = {}
    bounds = [Constraint(metric="y", operator="<=", bound=4.0)] if draw(st.booleans()) else []
    for number in range(draw(st.integers(1, 9))):
        firsts = [r.number for r in records if r.replicate_of is None]
        values = {name: draw(METRIC) for name in ("x", "y")}
        metrics = {name: v for name, v in values.items() if v is not None}
        errors = {name: draw(ERRORS) for name in metrics if draw(st.integers(0, 4))}
        if "x" in metrics and draw(st.booleans()):
            rows = np.array(draw(st.lists(st.floats(-1, 1), min_size=ROWS, max_size=ROWS)))
            influences[number] = Influences(rows=ROWS, values={"x": rows})
            errors["x"] = float(np.sqrt((rows**2).sum()))
        records.append(
            TrialRecord(
                number=number,
                state=draw(STATES),
                params={},
                metrics=metrics,
                standard_errors=errors,
                replicate_of=draw(st.sampled_from([None, None, None, *firsts])),
            ).judged_by(bounds)
        )
    return records, influences, bounds


def brute_groups(
    records: Sequence[TrialRecord], bounds: Sequence[Constraint]
) -> dict[int, list[TrialRecord]]:
    """Feasible configurations by the number of the trial that stands for each, found one by one."""
    by_first: dict[int, list[TrialRecord]] = {}
    for r in records:
        if r.state is TrialState.COMPLETE:
            by_first.setdefault(r.number if r.replicate_of is None else r.replicate_of, []).append(r)
    found = {}
    for members in by_first.values():
        fit = [m for m in members if all(b.satisfied(m.metrics.get(b.metric, math.nan)) for b in bounds)]
        means = {b: mean(members, b.metric) for b in bounds}
        if fit and (len(members) == 1 or all(math.isnan(v) or b.satisfied(v) for b, v in means.items())):
            found[fit[0].number] = members
    return found


def mean(members: Sequence[TrialRecord], metric: str) -> float:
    values = [m.metrics[metric] for m in members if not math.isnan(m.metrics.get(metric, math.nan))]
    return sum(values) / len(values) if values else math.nan


def over_seeds(members: Sequence[TrialRecord], metric: str) -> float:
    values = [m.metrics[metric] for m in members if not math.isnan(m.metrics.get(metric, math.nan))]
    return float(np.var(values, ddof=1)) / len(values) if len(values) > 1 else 0.0


def brute_variance(
    a: Sequence[TrialRecord], b: Sequence[TrialRecord], metric: str, influences: Mapping[int, Influences]
) -> float | None:
    """The variance of the difference of two configurations; None where it is not known."""

    def rows(members: Sequence[TrialRecord]) -> np.ndarray | None:
        own = [influences.get(m.number) for m in members]
        if any(i is None or metric not in i.values for i in own):
            return None
        return np.asarray(np.mean([i.values[metric] for i in own if i is not None], axis=0))

    seeds = over_seeds(a, metric) + over_seeds(b, metric)
    one, other = rows(a), rows(b)
    if one is not None and other is not None:
        d = one - other
        total = float((d**2).sum())
        return seeds + (total + 2 * float((d**4).sum()) / total if total else 0.0)
    out = seeds
    for members, own in ((a, one), (b, other)):
        errors = [m.standard_errors.get(metric) for m in members]
        if len(members) > 1 and own is not None:
            out += float((own**2).sum())
        elif any(e is None for e in errors):
            return None
        else:
            out += (sum(e or 0.0 for e in errors) / len(errors)) ** 2
    return out


@given(studies(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_tied_equals_brute_force(
    study: tuple[list[TrialRecord], dict[int, Influences], list[Constraint]], with_rows: bool
) -> None:
    records, influences, bounds = study
    assume(any("x" in r.metrics for r in records))
    kept = influences if with_rows else {}
    try:
        found = chosen(records, GOALS, bounds, influences=lambda n: {i: kept[i] for i in n if i in kept})
    except NoFeasibleTrial:
        with pytest.raises(NoFeasibleTrial):
            best(records, GOALS, bounds)
        return
    assert found == best(records, GOALS, bounds)
    groups = {n: g for n, g in brute_groups(records, bounds).items() if not math.isnan(mean(g, "x"))}
    rivals = len(groups) - 1
    limit = max(1.959963984540054, -NormalDist().inv_cdf(0.1 / rivals)) if rivals else 1.959963984540054
    expected = []
    for number, members in groups.items():
        if number == found.number:
            continue
        apart = abs(mean(members, "x") - mean(groups[found.number], "x"))
        variance = brute_variance(groups[found.number], members, "x", kept)
        if apart == 0 or (variance is not None and apart <= limit * math.sqrt(variance)):
            expected.append(number)
    assert list(found.tied) == sorted(expected)


@given(studies())
@settings(max_examples=150, deadline=None)
def test_the_cheapest_within_one_standard_error_equals_brute_force(
    study: tuple[list[TrialRecord], dict[int, Influences], list[Constraint]],
) -> None:
    records, influences, bounds = study
    assume(any("x" in r.metrics for r in records))
    try:
        found = chosen(
            records,
            GOALS,
            bounds,
            rule="one-standard-error",
            influences=lambda n: {i: influences[i] for i in n if i in influences},
        )
    except NoFeasibleTrial:
        return
    groups = {n: g for n, g in brute_groups(records, bounds).items() if not math.isnan(mean(g, "x"))}

    def near(top: int, of: Sequence[int], metric: str, errors: float) -> list[int]:
        kept = []
        for n in of:
            apart = abs(mean(groups[n], metric) - mean(groups[top], metric))
            variance = brute_variance(groups[top], groups[n], metric, influences)
            if apart == 0 or (variance is not None and apart <= errors * math.sqrt(variance)):
                kept.append(n)
        return kept

    top = best(records, GOALS, bounds).number
    best_x = max(mean(g, "x") for g in groups.values())
    first = min(n for n in groups if mean(groups[n], "x") == best_x)
    assert mean(groups[top], "x") == best_x
    left = near(first, list(groups), "x", 1.0)
    costed = [n for n in left if not math.isnan(mean(groups[n], "y"))]
    if costed:
        least = min(mean(groups[n], "y") for n in costed)
        cheapest = min(n for n in costed if mean(groups[n], "y") == least)
        left = near(cheapest, costed, "y", 1.959963984540054)
    assert found.number == min(left, key=lambda n: (-mean(groups[n], "x"), n))


def record(number: int, x: float, y: float = 0.0, error: float = 1.0, **more: float) -> TrialRecord:
    return TrialRecord(
        number=number,
        state=TrialState.COMPLETE,
        params={},
        metrics={"x": x, "y": y, **more},
        standard_errors={"x": error},
    )


def group(r: TrialRecord) -> TrialGroup:
    return TrialGroup(trial=r, members=(r,))


def test_five_rows_of_262_are_noise_and_fifteen_are_not() -> None:
    """The interval of Bonett and Price, where Wald's would call five rows a difference."""
    right = np.ones(262)
    right[:50] = 0
    for rows, told in ((5, True), (15, False)):
        worse = right.copy()
        worse[100 : 100 + rows] = 0
        influences = {
            n: Influences.of_rows({"x": each - each.mean()}) for n, each in enumerate((right, worse))
        }
        a, b = record(0, float(right.mean())), record(1, float(worse.mean()))
        found = Noise(influences=influences).difference(group(a), group(b), "x")
        assert found.paired
        assert found.is_noise() is told
        expected = math.sqrt(rows + 2 - rows**2 / 262) / 262
        assert found.error == pytest.approx(expected, rel=0.05)


def test_the_paired_error_holds_in_any_unit() -> None:
    assert paired_error(np.zeros(10)) == 0.0
    d = np.array([1.0, -1.0, 0.0, 2.0])
    assert paired_error(d) == pytest.approx(math.sqrt(6 + 2 * 18 / 6))
    for unit in (1e200, 1e-200):
        assert paired_error(d * unit) / unit == pytest.approx(paired_error(d))


def test_many_rivals_need_more_errors() -> None:
    assert errors_apart(1) == errors_apart(2) == errors_apart(5) == pytest.approx(1.96, abs=1e-3)
    assert errors_apart(100) == pytest.approx(3.09, abs=0.01)


@given(st.integers(1, 700), st.integers(0, 2**31 - 1))
@settings(max_examples=30, deadline=None)
def test_influences_survive_storage_to_half_a_step(rows: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    made = Influences.of_rows({"a": draw.normal(size=rows), "b": np.asarray(draw.integers(0, 2, rows) - 0.5)})
    back = Influences.decoded(made.encoded())
    assert back.rows == rows
    for name, values in made.values.items():
        assert len(values) == min(rows, MOST_GROUPS)
        step = np.abs(values).max() / 127
        assert np.abs(back.values[name] - values).max() <= step / 2 + 1e-12
    assert len(made.encoded()) < 1500


def test_an_expected_score_is_below_the_luckiest() -> None:
    draw = np.random.default_rng(1)
    right = draw.random((40, 300)) < 0.8
    records, influences = [], {}
    for n, each in enumerate(right.astype(float)):
        p = each.mean()
        records.append(record(n, p, error=math.sqrt(p * (1 - p) / 300)))
        influences[n] = Influences.of_rows({"x": each - p})
    for read in (lambda n: {i: influences[i] for i in n}, None):
        found = chosen(records, GOALS[:1], [], influences=read)
        assert found.expected is not None
        assert found.expected.paired is (read is not None)
        assert found.expected.low < 0.8 < found.expected.high
        assert found.expected.value < found.metrics["x"] - 0.02
        assert found.expected == chosen(records, GOALS[:1], [], influences=read).expected


def test_without_errors_nothing_is_expected_and_only_equals_are_tied() -> None:
    records = [replace(record(n, x), standard_errors={}) for n, x in enumerate([1.0, 1.0, 0.999])]
    found = chosen(records, GOALS, [])
    assert (found.tied, found.expected) == ((1,), None)


def test_the_front_keeps_all_and_names_what_noise_alone_tells_apart() -> None:
    latencies = [0.100, 0.101, 0.102, 0.5]
    records = [
        replace(
            record(n, x, latency_ms=ms),
            standard_errors={"x": 0.01, "latency_ms": 0.01},
        )
        for n, (x, ms) in enumerate(zip([0.90, 0.901, 0.902, 0.99], latencies, strict=True))
    ]
    goals = (GOALS[0], Objective(metric="latency_ms", direction="minimize"))
    assert len(pareto_front(records, goals, [])) == 4
    same = same_within_noise(front_groups(records, goals, []), goals, Noise())
    assert set(same) | {2} == {0, 1, 2}
    assert set(same.values()) == {2}


def test_an_equal_latency_decides_nothing() -> None:
    """The cheapest latency is noise; the next cost decides."""
    goals = (GOALS[0], Objective(metric="latency_ms", direction="minimize"))
    records = [
        replace(record(n, 0.9, latency_ms=ms, size_mb=mb), standard_errors={"x": 0.02, "latency_ms": 0.01})
        for n, (ms, mb) in enumerate([(0.100, 3.0), (0.101, 1.0), (0.3, 0.1)])
    ]
    assert chosen(records, goals, [], rule="one-standard-error").number == 1
    assert chosen(records, goals, []).number == 0


def test_a_chosen_trial_is_the_record_it_is() -> None:
    records = [record(0, 1.0), record(1, 2.0)]
    found = chosen(records, GOALS, [])
    assert found == records[1]
    assert records[1] == found
    assert found != records[0]


def test_rules_are_named() -> None:
    assert rule_named(None, "one-standard-error") == "one-standard-error"
    with pytest.raises(InputError, match="there is no rule 'one-sd'"):
        rule_named("one-sd")


def test_errors_are_split_from_metrics_and_joined_again() -> None:
    told = {"accuracy": 0.9, "accuracy.se": 0.02, "x.se": 1.0}
    assert split(told) == ({"accuracy": 0.9, "x.se": 1.0}, {"accuracy": 0.02})
    assert split(told, ["accuracy.se"])[1] == {}
    assert joined(*split({"a": 1.0, "a.se": 2.0})) == {"a": 1.0, "a.se": 2.0}
    assert in_every_unit(["latency_us"], {"latency_ms": 0.5}) == {"latency_ms": 0.5, "latency_us": 500.0}


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"a": 1.0, "a.se": -0.1}, "a.se = -0.1 is no standard error of a"),
        ({"a": 1.0, "a.se": math.nan}, "a.se = nan is no standard error of a"),
        ({"a": 1.0, "a.se": math.inf}, "a.se = inf is no standard error of a"),
        ({"a.se": 0.1}, "a.se is the standard error of a, which was not given"),
    ],
)
def test_what_is_no_standard_error_is_refused(told: dict[str, float], said: str) -> None:
    with pytest.raises(BadReport, match=said):
        check_errors(told)
    check_errors({"a.se": 0.1}, known=["a"])


def test_ties_in_words() -> None:
    seven = list(range(7))
    assert tied_words(9, seven, (3, "size_mb", 0.0086)) == (
        "7 trials are within noise of it; the smallest is trial 3, 0.0086 MB"
    )
    assert tied_words(9, [1], (1, "latency_ms", 2.0)) == "trial 1 is within noise of it and is faster, 2 ms"
    assert tied_words(9, [1], (9, "size_mb", 2.0)).endswith("and it is the smallest of them")
    assert tied_words(9, [], None) == ""


def test_splits_that_differ_by_more_than_noise_get_a_remark() -> None:
    errors = {"rmse": 0.2}
    (said,) = split_remarks(["rmse"], {"rmse": 2.77}, errors, {"rmse": 3.82}, errors)
    assert said.startswith(
        "rmse is worse on the test split (3.82) than on validation (2.77) by more than noise"
    )
    assert split_remarks(["rmse"], {"rmse": 2.77}, errors, {"rmse": 3.0}, errors) == []
    assert split_remarks(["rmse"], {"rmse": 2.77}, {}, {"rmse": 9.0}, errors) == []
