"""What report and dashboard say of trials in every state: headlines, labels, sentences."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from typing import Any

import pytest

from satisfice.report.context import StudyView
from satisfice.report.headline import headline
from satisfice.report.page import page_bytes
from satisfice.report.parallel import ParallelPlot, parallel_plot
from satisfice.report.plot_data import ParetoPlot, hover_text, pareto_plots
from satisfice.report.summary import comparison, paragraphs
from satisfice.results.report_context import ReportContext
from satisfice.spec import parse_dict
from satisfice.spec.trial import TrialRecord, TrialState

STATUS = {"name": "s", "states": {}, "budget": {"trials": 9, "used": 0}, "workers": 0, "turned_away": 0}
ACCURACY_FIRST = {"accuracy": "maximize", "latency_ms": "minimize"}
LATENCY_FIRST = {"latency_ms": "minimize", "accuracy": "maximize"}


def view(
    records: list[TrialRecord],
    objectives: dict[str, str],
    constraints: dict[str, str] | None = None,
    chosen: int | None = None,
) -> StudyView:
    content = {
        "name": "s",
        "objectives": objectives,
        "constraints": constraints or {},
        "space": {"x": {"low": 0.0, "high": 1.0}},
        "budget": {"trials": 9},
    }
    spec = parse_dict(content, has_task=True)
    return StudyView(
        records=records,
        objectives=spec.objectives,
        constraints=spec.constraints,
        space=spec.space,
        chosen=chosen,
    )


def record(number: int, state: TrialState = TrialState.COMPLETE, **more: Any) -> TrialRecord:
    fields = {key: more.pop(key) for key in ("reason", "pending", "feasible", "steps") if key in more}
    return TrialRecord(number=number, state=state, params={"x": number / 10}, metrics=more, **fields)


def verdict(trial: TrialRecord, shown: StudyView) -> str:
    return {True: "fits", False: "does not fit", None: "–"}[shown.fits(trial)]


def context(**more: Any) -> ReportContext:
    return ReportContext(status=STATUS, **{"chosen": None, **more})


DEFAULT = record(0, accuracy=0.95, latency_ms=2.0, size_mb=0.5)
CHOSEN = record(1, accuracy=0.97, latency_ms=1.0, size_mb=0.25)
TESTED = {"has_test": True, "test_metrics": {"f1": 0.5, "accuracy": 0.96}, "default_test": {"accuracy": 0.94}}


def test_the_headline_has_the_first_objective_on_the_test_split_beside_the_default() -> None:
    shown = view([DEFAULT, CHOSEN], ACCURACY_FIRST, {"size_mb": "<= 0.4", "latency_ms": "< 1.5"}, 1)
    assert headline(shown, context(default=0, **TESTED)) == (
        "Chosen: trial 1, accuracy 0.96 on the test split, 0.97 on validation (default configuration: "
        "0.94, 0.95; it does not fit), with size_mb 0.25 ≤ 0.4 and latency_ms 1 < 1.5."
    )


def test_an_efficiency_metric_first_is_shown_first_and_scores_with_their_test_score() -> None:
    shown = view([DEFAULT, CHOSEN], LATENCY_FIRST, {"accuracy": ">= 0.9"}, 1)
    assert headline(shown, context(default=0, **TESTED)) == (
        "Chosen: trial 1, latency_ms 1 (default configuration: 2); accuracy 0.96 on the test split, "
        "0.97 on validation (default configuration: 0.94, 0.95); with accuracy 0.97 ≥ 0.9."
    )
    only = view([DEFAULT, CHOSEN], {"latency_ms": "minimize"}, {"accuracy": ">= 0.9"}, 1)
    assert headline(only, context(default=0, **TESTED)) == (
        "Chosen: trial 1, latency_ms 1 (default configuration: 2), "
        "with accuracy 0.97 ≥ 0.9 (0.96 on the test split)."
    )


@pytest.mark.parametrize(
    ("default", "said"),
    [
        (
            {"default": None, "default_reason": "it misses size_mb <= 1 by 20%"},
            " (the default configuration was not trained)",
        ),
        ({}, ""),
        ({"default": 0}, " (default configuration: stopped early)"),
        ({"default": 2}, " (default configuration: failed)"),
        ({"default": 3}, " (default configuration: still running)"),
    ],
)
def test_a_default_without_a_score_is_told_as_what_it_is(default: dict[str, Any], said: str) -> None:
    records = [
        record(0, TrialState.PRUNED, accuracy=0.99),
        CHOSEN,
        record(2, TrialState.FAIL),
        record(3, TrialState.RUNNING),
    ]
    shown = view(records, {"accuracy": "maximize"}, chosen=1)
    assert headline(shown, context(**default)) == f"Chosen: trial 1, accuracy 0.97{said}."
    unscored = f"Chosen: trial 1, accuracy 0.97 on validation{said}."
    assert headline(shown, context(has_test=True, **default)) == unscored


def test_a_default_that_does_not_fit_is_not_shown_as_better_without_a_word() -> None:
    shown = view([DEFAULT, CHOSEN], {"size_mb": "minimize"}, {"latency_ms": "<= 1.5"}, 1)
    beside = "(default configuration: 0.5; it does not fit)"
    expected = f"Chosen: trial 1, size_mb 0.25 {beside}, with latency_ms 1 ≤ 1.5."
    assert headline(shown, context(default=0)) == expected


def test_a_default_that_was_stopped_is_not_compared_with_as_if_it_had_finished() -> None:
    stopped = record(0, TrialState.PRUNED, accuracy=0.99, reason="dominated at step 3: its best hope")
    said = paragraphs(view([stopped, CHOSEN], {"accuracy": "maximize"}, chosen=1), context(default=0))
    assert said[0] == (
        "The default configuration (trial 0) was stopped early: dominated at step 3: its best hope."
    )
    running = [record(0, TrialState.RUNNING), CHOSEN]
    said = paragraphs(view(running, {"accuracy": "maximize"}, chosen=1), context(default=0))
    assert said[0].startswith("The default configuration (trial 0) is not complete yet")


def test_the_tile_of_the_test_score_is_the_first_objectives() -> None:
    shown = view([DEFAULT, CHOSEN], ACCURACY_FIRST, chosen=1)
    page = page_bytes("s", shown, context(default=0, **TESTED)).decode()
    assert "<b>0.96</b><span>accuracy on the test split</span>" in page
    assert "<span>f1 on the test split</span>" not in page
    assert "<b>2</b><span>complete trials that fit</span>" in page
    assert "<b>0</b><span>trials stopped early</span>" in page


def test_tiles_count_divergences_by_themselves_and_know_singular() -> None:
    records = [
        CHOSEN,
        record(2, TrialState.PRUNED, reason="diverged: loss is NaN"),
        record(3, TrialState.FAIL),
    ]
    page = page_bytes("s", view(records, ACCURACY_FIRST, chosen=1), context()).decode()
    for tile in ("complete trial that fits", "trial diverged", "trial failed"):
        assert f"<b>1</b><span>{tile}</span>" in page


def test_only_complete_trials_are_labelled_as_fitting() -> None:
    bounds = {"size_mb": "<= 1", "accuracy": ">= 0.9"}
    good: dict[str, Any] = {"size_mb": 0.5, "accuracy": 0.95}
    states = {
        "fits": record(0, **good),
        "does not fit": record(1, size_mb=0.5, accuracy=0.8),
        "–": record(2, TrialState.PRUNED, feasible=True, **good),
    }
    shown = view(list(states.values()), ACCURACY_FIRST, bounds)
    for label, trial in states.items():
        assert verdict(trial, shown) == label
    for state in (TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING):
        assert verdict(record(3, state, **good), shown) == "–"
        # Size is final before training, the accuracy of a trial that was stopped is not.
        assert verdict(record(3, state, size_mb=2.0), shown) == "does not fit"
        assert verdict(record(3, state, size_mb=0.5, accuracy=0.1), shown) == "–"
    assert verdict(replace(states["fits"], pending=True), shown) == "–"
    assert verdict(record(4, accuracy=0.95), shown) == "–"
    assert verdict(record(5, size_mb=math.nan, accuracy=0.95, feasible=False), shown) == "does not fit"


def test_marks_and_axes_of_trials_without_a_verdict_say_so() -> None:
    records = [
        record(0, accuracy=0.9, size_mb=0.5),
        record(1, accuracy=0.8, size_mb=0.6),
        replace(record(2, accuracy=0.7, size_mb=0.7), pending=True),
        record(3, TrialState.PRUNED, accuracy=0.6, size_mb=0.8),
    ]
    goals = {"accuracy": "maximize", "size_mb": "minimize"}
    shown = view(records, goals, {"size_mb": "<= 1", "latency_ms": "<= 1"})
    (plot, *_) = pareto_plots(replace(shown, constraints=shown.constraints[:1]))
    assert isinstance(plot, ParetoPlot)
    assert [p.kind for p in plot.points] == ["front", "dominated", "unknown", "pruned"]
    parallel = parallel_plot(shown)
    assert isinstance(parallel, ParallelPlot)
    fits = parallel.dimensions[-1]
    assert fits.values == (0.5, 0.5, 0.5)
    assert fits.ticks == ((0.0, "no"), (0.5, "not known"), (1.0, "yes"))


def test_a_quantity_is_shown_in_one_unit() -> None:
    two_units = {"size_kb": "<= 900", "size_mb": "<= 1"}
    trial = record(0, accuracy=0.9, size_mb=0.5, size_kb=500.0, size_bytes=5e5, flops=3.0)
    shown = view(
        [trial, record(1, accuracy=0.8, size_mb=0.6, size_kb=600.0, flops=3.0)], ACCURACY_FIRST, two_units, 0
    )
    page = page_bytes("s", shown, context()).decode()
    assert "<th>size_kb</th>" in page
    assert "<th>size_mb</th>" not in page
    assert hover_text(trial, shown.metric_names).split("\n")[1:3] == ["accuracy 0.9", "size_kb 500"]
    names = [row.name for row in comparison(replace(shown, default=1))]
    assert names == ["accuracy", "size_kb", "flops", "x"]


def test_a_value_just_beyond_its_bound_shows_why() -> None:
    trial = record(0, accuracy=0.9, size_mb=1.0000001)
    page = page_bytes("s", view([trial], ACCURACY_FIRST, {"size_mb": "<= 1"}, chosen=0), context()).decode()
    assert "<th>size_mb</th><td>1.0000001</td><td>exact</td><td>&lt;= 1</td><td>none</td>" in page


def test_sentences_group_failures_and_divergences() -> None:
    records = [
        CHOSEN,
        *[record(n, TrialState.FAIL, reason="ValueError: boom") for n in (2, 3)],
        *[
            record(n, TrialState.PRUNED, reason=f"diverged: the training loss is NaN in epoch {n}")
            for n in (4, 5)
        ],
        record(6, TrialState.PRUNED, reason="dominated at step 2: its best hope", steps=2),
    ]
    said = paragraphs(view(records, ACCURACY_FIRST, chosen=1), context())
    assert said == [
        "2 trials failed (trials 2 and 3): ValueError: boom.",
        "2 trials diverged: the training loss was NaN in epoch 4 to 5.",
        "1 trial was stopped early (dominated at step 2).",
    ]


def test_nothing_is_said_to_fit_or_not_before_a_verdict() -> None:
    waiting = replace(record(0, accuracy=0.9), pending=True)
    shown = view([waiting], ACCURACY_FIRST, {"latency_ms": "<= 1"})
    assert headline(shown, context()) == "No finished trial has a verdict yet."
    assert headline(view([], ACCURACY_FIRST), context()) == "No trial is complete yet."
    nan = [record(0, accuracy=0.9, cost=math.nan)]
    assert headline(view(nan, ACCURACY_FIRST, {"cost": "<= 1"}), context()) == (
        "Nothing fits. cost is NaN in the one complete trial; "
        "the nearest is trial 0: cost is NaN, which misses cost <= 1."
    )


def test_the_comparison_has_test_scores_first_and_no_figure_that_is_not_final() -> None:
    shown = replace(view([DEFAULT, CHOSEN], ACCURACY_FIRST, chosen=1), default=0)
    rows = comparison(shown, context(default=0, **TESTED))
    assert [(r.name, r.default, r.chosen, r.better) for r in rows[:3]] == [
        ("accuracy (test split)", "0.94", "0.96", True),
        ("accuracy", "0.95", "0.97", True),
        ("latency_ms", "2", "1", True),
    ]
    stopped = replace(DEFAULT, state=TrialState.PRUNED)
    names = [r.name for r in comparison(replace(shown, records=[stopped, CHOSEN]))]
    assert names == ["latency_ms", "size_mb", "x"]


def test_of_several_seeds_the_mean_and_the_trials_own_figure_are_told() -> None:
    again = replace(record(2, accuracy=0.93), replicate_of=1)
    shown = view([CHOSEN, again], {"accuracy": "maximize"}, chosen=1)
    text = "Trial 1 was trained with 2 seeds and is judged by their means: accuracy 0.95, by itself 0.97."
    assert paragraphs(shown, context()) == [text]
    assert headline(shown, context()) == "Chosen: trial 1, accuracy 0.95."
    tested = context(has_test=True, test_metrics={"accuracy": 0.9})
    assert f"{text} The test split scored its own model." in paragraphs(shown, tested)


def test_changes_too_large_for_a_percentage_are_differences() -> None:
    pairs = [(2.0, 1.0), (1.05, 1.0), (5000.0, 1.0), (1.0, 0.0), (-1.0, -2.0), (1.0, 1.0)]
    changes = []
    for mine, theirs in pairs:
        shown = view(
            [record(0, accuracy=theirs), record(1, accuracy=mine)], {"accuracy": "maximize"}, chosen=1
        )
        changes.append(comparison(replace(shown, default=0))[0].change)
    assert changes == ["+100%", "+0.05", "+5e+03", "+1", "+50%", "same"]


@pytest.mark.parametrize("greatest", [sys.float_info.max, -sys.float_info.max])
def test_extreme_values_are_told(greatest: float) -> None:
    records = [record(0, accuracy=greatest), record(1, accuracy=-greatest), record(2, accuracy=math.inf)]
    for chosen, default in ((0, 1), (1, 0), (2, 0)):
        shown = replace(
            view(records, {"accuracy": "maximize"}, {"accuracy": "<= 1"}, chosen), default=default
        )
        assert headline(shown, context(default=default)).startswith(f"Chosen: trial {chosen}, accuracy ")
        assert paragraphs(shown, context(default=default))
        assert comparison(shown)[0].name == "accuracy"
        assert page_bytes("s", shown, context(default=default))
