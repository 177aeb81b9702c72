"""Choosing: the constrained best, the feasible front, near misses, what else was close."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.choose import (
    best,
    close_calls,
    describe_miss,
    feasible_trials,
    merge_constraints,
    nearest_miss,
    pareto_front,
    resolve_objectives,
)
from satisfice.choose.bounds import beside_bound
from satisfice.errors import InputError, NoFeasibleTrial
from satisfice.spec.constraint import Constraint, parse_clause
from satisfice.spec.dominance import nondominated
from satisfice.spec.study import Objective
from satisfice.spec.trial import TrialRecord, TrialState

ACCURACY = Objective(metric="accuracy", direction="maximize")
LATENCY = Objective(metric="latency_ms", direction="minimize")
SIZE = parse_clause("size_mb <= 10")


def trial(
    number: int,
    state: TrialState = TrialState.COMPLETE,
    *,
    replicate_of: int | None = None,
    violations: dict[str, float] | None = None,
    **metrics: float,
) -> TrialRecord:
    return TrialRecord(
        number=number,
        state=state,
        params={},
        metrics=metrics,
        replicate_of=replicate_of,
        violations=violations or {},
    )


A = trial(0, accuracy=0.99, size_mb=15.0)
B = trial(1, accuracy=0.95, size_mb=10.0)
C = trial(2, accuracy=0.80, size_mb=8.0)


def test_the_best_that_fits_is_b():
    assert best([A, B, C], [ACCURACY], [SIZE]) is B
    assert best([A, B, C], [ACCURACY], []) is A
    assert best([A, B, C], [ACCURACY], [parse_clause("size_mb < 10")]) is C
    assert best([A, B, C], [ACCURACY], [SIZE], minimize="size_mb") is C
    assert best([A, B, C], [ACCURACY], [SIZE], maximize="size_mb") is B


def test_where_replaces_the_bound_on_the_same_quantity_and_side_and_adds_otherwise():
    assert best([A, B, C], [ACCURACY], [SIZE], where=["size_kb <= 16_000"]) is A
    assert best([A, B, C], [ACCURACY], [SIZE], where=["size_bytes < 1e7"]) is C
    merged = merge_constraints(
        [SIZE, parse_clause("accuracy >= 0.5")], ["size_kb <= 8", "size_mb >= 0.001", "accuracy <= 1"]
    )
    assert [c.key for c in merged] == ["accuracy >= 0.5", "size_kb <= 8", "size_mb >= 0.001", "accuracy <= 1"]


def test_only_complete_trials_are_chosen_from():
    records = [
        trial(0, TrialState.PRUNED, accuracy=0.99, size_mb=1.0),
        trial(1, TrialState.RUNNING, accuracy=0.98, size_mb=1.0),
        trial(2, TrialState.FAIL, accuracy=0.98, size_mb=1.0),
        trial(3, accuracy=0.5, size_mb=1.0),
    ]
    assert best(records, [ACCURACY], [SIZE]).number == 3
    assert [r.number for r in feasible_trials(records, [SIZE])] == [3]
    assert [r.number for r in pareto_front(records, [ACCURACY], [SIZE])] == [3]


def test_an_unknown_constrained_metric_is_not_feasible():
    assert feasible_trials([trial(0, accuracy=0.9)], [SIZE]) == []


def test_the_verdict_written_with_the_trial_is_read():
    judged = trial(0, accuracy=0.9, size_mb=9.0, violations={SIZE.key: 0.2})
    assert feasible_trials([judged], [SIZE]) == []
    assert feasible_trials([judged], [SIZE], ["size_mb <= 9.5"]) == [judged]


def test_ties_go_to_the_other_objectives_then_to_the_lower_number():
    records = [
        trial(0, accuracy=0.9, latency_ms=3.0),
        trial(1, accuracy=0.9, latency_ms=2.0),
        trial(2, accuracy=0.9, latency_ms=2.0),
    ]
    assert best(records, [ACCURACY, LATENCY], []).number == 1
    assert best(records, [ACCURACY], []).number == 0


def test_replicates_are_judged_by_their_mean():
    lucky = [
        trial(0, accuracy=0.99),
        trial(3, accuracy=0.80, replicate_of=0),
        trial(4, accuracy=0.82, replicate_of=0),
    ]
    steady = [trial(1, accuracy=0.95), trial(5, accuracy=0.94, replicate_of=1)]
    assert best([*lucky, *steady], [ACCURACY], []).number == 1
    assert [r.number for r in pareto_front([*lucky, *steady], [ACCURACY], [])] == [1]


def test_a_configuration_whose_mean_misses_a_bound_does_not_fit():
    records = [trial(0, accuracy=0.91), trial(1, accuracy=0.80, replicate_of=0), trial(2, accuracy=0.905)]
    assert best(records, [ACCURACY], [parse_clause("accuracy >= 0.9")]).number == 2


def test_the_nearest_miss_of_replicates_is_that_of_their_mean():
    records = [trial(0, accuracy=0.91), trial(1, accuracy=0.80, replicate_of=0)]
    with pytest.raises(NoFeasibleTrial, match=r"trial 0: accuracy = 0\.855 misses") as caught:
        best(records, [ACCURACY], [parse_clause("accuracy >= 0.9")])
    assert caught.value.nearest is not None
    assert caught.value.nearest.number == 0


def test_nothing_fits_says_by_how_much():
    with pytest.raises(NoFeasibleTrial) as caught:
        best([A, B, C], [ACCURACY], [SIZE], where=["size_mb <= 7.6"])
    assert caught.value.nearest is C
    assert str(caught.value) == (
        "no finished trial satisfies size_mb <= 7.6 "
        "(the nearest is trial 2: size_mb = 8 misses size_mb <= 7.6 by 0.4 (5.3%))"
    )


def test_a_miss_in_large_units_is_told_in_plain_digits():
    size = parse_clause("size_bytes <= 1_000_000")
    text = describe_miss(trial(0, size_bytes=1_234_567.0), [size])
    assert text == "size_bytes = 1,234,567 misses size_bytes <= 1000000 by 234,567 (23%)"


def test_nothing_finished_has_no_nearest():
    with pytest.raises(NoFeasibleTrial, match="no trial is complete") as caught:
        best([trial(0, TrialState.RUNNING)], [ACCURACY], [SIZE])
    assert caught.value.nearest is None
    with pytest.raises(NoFeasibleTrial):
        best([], [ACCURACY], [SIZE], where=["latency_ms <= 3"])


def test_where_all_failed_the_answer_says_by_what():
    failed = [replace(trial(n, TrialState.FAIL), reason=f"ValueError: {n}") for n in range(3)]
    with pytest.raises(NoFeasibleTrial) as caught:
        best(failed, [ACCURACY], [SIZE])
    assert str(caught.value) == (
        "no trial is complete; 3 trials failed alike (trials 0, 1 and 2), the last one by ValueError: 2"
    )


LATENCY_2 = parse_clause("latency_ms <= 2")


def test_the_nearest_miss_has_the_smallest_sum_of_violations():
    one_far = trial(0, accuracy=1.0, size_mb=10.1, latency_ms=8.0)
    both_a_bit = trial(1, accuracy=0.1, size_mb=12.0, latency_ms=2.2)
    stopped = trial(2, TrialState.PRUNED, size_mb=11.0, latency_ms=2.0)
    assert nearest_miss([one_far, both_a_bit], [SIZE, LATENCY_2]) is both_a_bit
    assert nearest_miss([one_far, both_a_bit, stopped], [SIZE, LATENCY_2]) is stopped
    assert nearest_miss([B], [SIZE]) is None


def test_the_nearest_miss_counts_every_violation_and_not_the_worst_alone():
    misses_one = trial(0, size_mb=12.0, latency_ms=1.0)  # by 20%
    misses_both = trial(1, size_mb=11.9, latency_ms=2.38)  # by 19% each
    assert nearest_miss([misses_both, misses_one], [SIZE, LATENCY_2]) is misses_one


def test_of_equal_sums_the_nearest_misses_fewer_bounds_and_is_complete():
    both = trial(0, size_mb=12.5, latency_ms=2.5)
    stopped = trial(1, TrialState.PRUNED, size_mb=15.0, latency_ms=2.0)
    one = trial(2, size_mb=15.0, latency_ms=2.0)
    assert nearest_miss([both, stopped, one], [SIZE, LATENCY_2]) is one


def test_a_miss_that_is_known_is_nearer_than_one_that_is_not():
    far = trial(0, size_mb=1e6, latency_ms=1.0)
    unknown = trial(1, size_mb=10.1)
    nan = trial(2, size_mb=1.0, latency_ms=math.nan)
    assert nearest_miss([unknown, nan, far], [SIZE, LATENCY_2]) is far
    assert nearest_miss([unknown, nan], [SIZE, LATENCY_2]) is nan
    # Stopped before anything was missed: it says nothing of the bounds.
    assert nearest_miss([trial(3, TrialState.PRUNED, size_mb=1.0)], [SIZE, LATENCY_2]) is None


def said(records, *clauses: str) -> str:
    with pytest.raises(NoFeasibleTrial) as caught:
        best(records, [ACCURACY], [parse_clause(c) for c in clauses])
    return str(caught.value)


def test_a_metric_that_is_nan_in_every_trial_is_called_that():
    records = [trial(n, accuracy=0.9, cost=math.nan) for n in range(3)]
    assert said(records, "cost <= 1") == (
        "no finished trial satisfies cost <= 1 (cost is NaN in all 3 complete trials; "
        "the nearest is trial 0: cost is NaN, which misses cost <= 1)"
    )
    assert "cost is NaN in the one complete trial" in said(records[:1], "cost <= 1")


def test_a_metric_that_no_trial_recorded_is_called_that():
    records = [trial(0, accuracy=0.9), trial(1, accuracy=0.8)]
    text = said(records, "cost <= 1", "accuracy >= 0.95")
    assert "(cost was not recorded in all 2 complete trials; the nearest is trial 0: " in text
    assert "cost is NaN or was not recorded in" in said([*records, trial(2, cost=math.nan)], "cost <= 1")
    assert "NaN in" not in said([*records, trial(2, accuracy=0.5, cost=3.0)], "cost <= 1")


def test_no_trial_and_no_verdict_are_told_apart():
    assert said([], "size_mb <= 1") == "no trial has begun"
    waits = replace(trial(0, accuracy=0.9, size_mb=1.0), pending=True)
    assert said([waits], "size_mb <= 10", "latency_ms <= 2") == "no finished trial has a verdict yet"
    assert said([trial(0, TrialState.RUNNING)], "size_mb <= 10") == "no trial is complete"


@pytest.mark.parametrize(
    ("clause", "value", "text"),
    [
        ("cost <= 5", 5.0000001, "cost = 5.0000001 misses cost <= 5 by 1e-07 (2e-06%)"),
        ("cost < 5", 5.0, "cost = 5 is exactly at cost < 5, which excludes it"),
        ("cost >= -2", -3.0, "cost = -3 misses cost >= -2 by 1 (50%)"),
        ("cost <= -2", -1.0, "cost = -1 misses cost <= -2 by 1 (50%)"),
        ("cost <= 0", 0.25, "cost = 0.25 misses cost <= 0 by 0.25"),
        ("cost <= 1e-3", 1.0, "cost = 1 misses cost <= 0.001 by 0.999 (999 times the bound)"),
        ("cost <= 1", math.inf, "cost is infinite, which misses cost <= 1"),
        ("cost <= 1", 1.7e308, "cost = 1.7e+308 misses cost <= 1 by 1.7e+308 (1.7e+308 times the bound)"),
        ("cost >= 1", -1.7e308, "cost = -1.7e+308 misses cost >= 1 by 1.7e+308 (1.7e+308 times the bound)"),
        ("cost >= 1.7e308", -1.7e308, "cost = -1.7e+308 misses cost >= 1.7e+308"),
    ],
)
def test_a_miss_is_told_with_the_digits_that_show_it(clause, value, text):
    assert describe_miss(trial(0, cost=value), [parse_clause(clause)]) == text


@given(
    st.floats(allow_nan=True),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["<", "<=", ">=", ">"]),
)
def test_a_value_beside_its_bound_reads_as_it_was_judged(value, bound, operator):
    constraint = Constraint(metric="cost", operator=operator, bound=bound)
    text = beside_bound(value, constraint)
    if math.isfinite(value):
        assert constraint.satisfied(float(text.replace(",", ""))) == constraint.satisfied(value)
    else:
        assert text in ("NaN", "infinite", "minus infinite")


def test_means_of_huge_values_and_infinities_are_taken():
    greatest = 1.7e308
    records = [trial(0, accuracy=greatest), trial(1, accuracy=greatest, replicate_of=0)]
    assert best(records, [ACCURACY], [parse_clause("accuracy >= 1e308")]).number == 0
    endless = [
        trial(0, accuracy=math.inf),
        trial(1, accuracy=-math.inf, replicate_of=0),
        trial(2, accuracy=1.0),
    ]
    assert best(endless, [ACCURACY], []).number == 2


def test_a_metric_that_no_trial_has_is_named_with_the_nearest():
    for call in (
        lambda: best([A, B], [ACCURACY], [SIZE], where=["sise_mb <= 3"]),
        lambda: best([A, B], [ACCURACY], [SIZE], minimize="sise_mb"),
        lambda: feasible_trials([A, B], [SIZE], ["sise_mb <= 3"]),
    ):
        with pytest.raises(InputError, match=r"no trial has a metric 'sise_mb' \(did you mean 'size_mb'\?\)"):
            call()
    with pytest.raises(InputError, match="throughput"):
        pareto_front([A, B], ["accuracy", "throughput"], [])
    with pytest.raises(InputError, match="both maximize and minimize"):
        best([A], [ACCURACY], [], maximize="accuracy", minimize="size_mb")
    with pytest.raises(InputError, match="is not a condition"):
        best([A], [ACCURACY], [], where=["size_mb below 3"])


def test_nan_is_never_the_best():
    assert best([trial(0, accuracy=math.nan), trial(1, accuracy=0.1)], [ACCURACY], []).number == 1


def test_the_front_holds_what_nothing_dominates_best_first():
    records = [
        trial(0, accuracy=0.9, latency_ms=3.0, size_mb=1.0),
        trial(1, accuracy=0.8, latency_ms=1.0, size_mb=1.0),
        trial(2, accuracy=0.7, latency_ms=2.0, size_mb=1.0),  # dominated by 1
        trial(3, accuracy=1.0, latency_ms=0.1, size_mb=11.0),  # does not fit
        trial(4, accuracy=0.9, latency_ms=3.0, size_mb=2.0),  # equal to 0
    ]
    assert [r.number for r in pareto_front(records, [ACCURACY, LATENCY], [SIZE])] == [0, 4, 1]
    assert [r.number for r in pareto_front(records, ["accuracy", "size_kb"], [SIZE])] == [0]
    assert [r.number for r in pareto_front(records, None, [SIZE], study_objectives=[LATENCY])] == [1]
    assert pareto_front(records, [ACCURACY], [SIZE], ["size_mb <= 0.5"]) == []


def test_objectives_by_name_take_the_studys_direction():
    own = Objective(metric="accuracy", direction="minimize")
    assert resolve_objectives(["accuracy"], [own]) == (own,)
    with pytest.raises(InputError, match="'profit' is neither"):
        resolve_objectives(["profit"], [own])
    with pytest.raises(InputError, match="no objective"):
        resolve_objectives([], [own])


def test_what_else_was_close():
    latency = parse_clause("latency_ms <= 5")
    records = [
        trial(0, accuracy=0.980, size_mb=9.0, latency_ms=4.0),
        trial(1, accuracy=0.975, size_mb=3.0, latency_ms=4.1),
        trial(2, accuracy=0.970, size_mb=8.9, latency_ms=3.9),  # hardly cheaper
        trial(3, accuracy=0.900, size_mb=1.0, latency_ms=1.0),  # too much worse
        trial(4, accuracy=0.990, size_mb=10.3, latency_ms=4.0),
        trial(5, accuracy=0.999, size_mb=30.0, latency_ms=4.0),  # far outside
    ]
    chosen = best(records, [ACCURACY], [SIZE, latency])
    calls = close_calls(records, chosen, [ACCURACY], [SIZE, latency])
    assert [(c.trial.number, c.kind) for c in calls] == [(1, "cheaper"), (4, "just misses")]
    assert calls[0].sentence == "trial 1 gives up 0.005 of accuracy (0.975) for size_mb 3 instead of 9"
    assert (
        calls[1].sentence
        == "trial 4 reaches accuracy 0.99, but size_mb = 10.3 misses size_mb <= 10 by 0.3 (3%)"
    )


def test_of_a_metric_to_minimise_more_is_the_price():
    goal = Objective(metric="rmse", direction="minimize")
    records = [
        trial(0, rmse=3.0, size_mb=9.0),
        trial(1, rmse=3.03, size_mb=3.0),
        trial(2, rmse=3.0, size_mb=1.0),
    ]
    sentences = [c.sentence for c in close_calls(records, records[0], [goal], [SIZE])]
    assert sentences == [
        "trial 2 has the same rmse (3) with size_mb 1 instead of 9",
        "trial 1 has 0.03 more rmse (3.03), but size_mb 3 instead of 9",
    ]


def test_what_is_infinitely_worse_is_not_close():
    records = [trial(0, accuracy=math.inf, size_mb=9.0), trial(1, accuracy=-math.inf, size_mb=1.0)]
    assert close_calls(records, records[0], [ACCURACY], [SIZE]) == []


metric = st.one_of(st.integers(-3, 3).map(float), st.floats(-1e6, 1e6), st.just(math.inf))


@given(st.lists(st.tuples(metric, metric, metric), max_size=25))
def test_the_front_is_what_the_definition_says(rows):
    losses = np.array(rows, dtype=float).reshape(len(rows), 3)

    def dominated(i: int) -> bool:
        return any(np.all(losses[j] <= losses[i]) and np.any(losses[j] < losses[i]) for j in range(len(rows)))

    front = [not dominated(i) for i in range(len(rows))]
    assert nondominated(losses, keep_equal=True).tolist() == front
    once = [
        kept and not any(np.array_equal(losses[i], losses[j]) for j in range(i))
        for i, kept in enumerate(front)
    ]
    assert nondominated(losses, keep_equal=False).tolist() == once


@given(st.lists(st.tuples(metric, st.floats(0, 20)), max_size=20), st.sampled_from([5.0, 10.0, 15.0]))
def test_the_best_fits_and_nothing_that_fits_is_better(rows, bound):
    records = [trial(i, accuracy=a, size_mb=s) for i, (a, s) in enumerate(rows)]
    constraint = Constraint(metric="size_mb", operator="<=", bound=bound)
    fitting = [(a, -i) for i, (a, s) in enumerate(rows) if s <= bound]
    if not fitting:
        with pytest.raises(NoFeasibleTrial):
            best(records, [ACCURACY], [constraint])
    else:
        assert best(records, [ACCURACY], [constraint]).number == -max(fitting)[1]
