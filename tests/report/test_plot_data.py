"""What the plots show, without pixels."""

import math
from dataclasses import replace

import numpy as np
import pytest

from satisfice.choose import trial_violations
from satisfice.report import figures as drawn
from satisfice.report.context import Absent, StudyView
from satisfice.report.importance import Importances, design, importances
from satisfice.report.parallel import ParallelPlot, parallel_plot
from satisfice.report.plot_data import (
    CurvesPlot,
    HistoryPlot,
    ParetoPlot,
    curves_plots,
    history_plots,
    pareto_plots,
    wants_log,
)
from satisfice.spec import parse_dict
from satisfice.spec.trial import TrialRecord, TrialState

SPACE = {
    "x": {"low": 0.0, "high": 1.0},
    "y": {"low": 1e-3, "high": 1.0, "log": True},
    "kind": ["plain", "odd"],
    "extra": {"low": 0, "high": 3, "when": {"kind": ["odd"]}},
}


def view_of(records, *, objectives=None, constraints=None, space=SPACE, chosen=None) -> StudyView:
    content = {
        "name": "s",
        "objectives": objectives or {"gain": "maximize"},
        "constraints": constraints or {},
        "space": space,
        "budget": {"trials": 100},
    }
    spec = parse_dict(content, has_task=True)
    return StudyView(
        records=records,
        objectives=spec.objectives,
        constraints=spec.constraints,
        space=spec.space,
        chosen=chosen,
    )


def evaluated(n: int, seed: int = 0) -> list[TrialRecord]:
    """Trials of a function in which x matters most, then y, and kind not at all; cost is exactly 10 x."""
    rng = np.random.default_rng(seed)
    space = view_of([]).space
    records = []
    for number in range(n):
        params = space.sample(rng)
        gain = -3 * (params["x"] - 0.7) ** 2 - 0.05 * math.log10(params["y"]) ** 2
        records.append(
            TrialRecord(
                number=number,
                state=TrialState.COMPLETE,
                params=params,
                metrics={"gain": gain, "cost": 10 * params["x"]},
            )
        )
    return records


def test_pareto_tells_front_dominated_infeasible_and_pruned_apart(digits):
    plot, by_size = pareto_plots(digits.view)
    assert isinstance(plot, ParetoPlot)
    assert isinstance(by_size, ParetoPlot)
    assert (plot.x.metric, plot.y.metric) == ("flops", "accuracy")
    assert (by_size.x.metric, by_size.y.metric) == ("size_mb", "accuracy")
    by_number = {r.number: r for r in digits.records}
    for point in plot.points:
        record = by_number[point.number]
        fits = all(v <= 0 for v in trial_violations(record, digits.spec.constraints).values())
        assert (point.kind == "pruned") == (record.state == TrialState.PRUNED)
        if point.kind != "pruned":
            assert fits == (point.kind in ("front", "dominated"))
    kinds = {p.kind for p in plot.points}
    assert {"front", "dominated", "infeasible"} <= kinds
    fitting = [p for p in plot.points if p.kind in ("front", "dominated")]
    for p in fitting:
        beaten = any(q.x <= p.x and q.y >= p.y and (q.x, q.y) != (p.x, p.y) for q in fitting)
        assert beaten == (p.kind == "dominated")
    assert [c.key for c in by_size.bounds] == ["size_mb <= 0.05"]
    assert by_size.log_x
    assert not by_size.log_y


def test_hover_names_the_trial_its_metrics_and_its_parameters(digits):
    plot = pareto_plots(digits.view)[0]
    assert isinstance(plot, ParetoPlot)
    chosen = next(p for p in plot.points if p.number == plot.chosen)
    lines = chosen.hover.split("\n")
    assert lines[0] == f"trial {plot.chosen}"
    assert lines[1].startswith("accuracy 0.9")
    assert any(line.startswith("learning_rate = ") for line in lines)


def test_a_view_leaves_hopeless_trials_out_but_never_the_front():
    good = evaluated(40)
    hopeless = [replace(good[0], number=40 + i, metrics={"gain": -1e6, "cost": 1.0 + i}) for i in range(3)]
    view = view_of([*good, *hopeless], objectives={"gain": "maximize", "cost": "minimize"})
    plot = pareto_plots(view)[0]
    assert isinstance(plot, ParetoPlot)
    assert plot.view[1][0] > -10
    assert plot.outside >= 3
    assert all(plot.view[1][0] <= p.y <= plot.view[1][1] for p in plot.points if p.kind == "front")


def test_three_objectives_give_three_pairs_and_tell_the_front_of_all():
    records = [
        TrialRecord(
            number=i, state=TrialState.COMPLETE, params={}, metrics=dict(zip("abc", values, strict=True))
        )
        for i, values in enumerate([(1.0, 1.0, 9.0), (2.0, 2.0, 1.0), (3.0, 3.0, 3.0)])
    ]
    view = view_of(records, objectives={"a": "minimize", "b": "minimize", "c": "minimize"})
    plots = pareto_plots(view)
    assert len(plots) == 3
    assert isinstance(plots[0], ParetoPlot)
    assert [p.kind for p in plots[0].points] == ["front", "other front", "dominated"]


def test_one_objective_is_set_against_what_is_bounded():
    view = view_of(evaluated(12), constraints={"cost": "<= 5"})
    (plot,) = pareto_plots(view)
    assert isinstance(plot, ParetoPlot)
    assert (plot.x.metric, plot.x.direction) == ("cost", "minimize")
    (absent,) = pareto_plots(view_of(evaluated(12)))
    assert isinstance(absent, Absent)
    assert "nothing is traded off" in absent.sentence


def test_history_follows_the_best_feasible_only():
    values = [(0.5, 1.0), (0.9, 9.0), (0.4, 1.0), (0.7, 2.0)]
    records = [
        TrialRecord(number=i, state=TrialState.COMPLETE, params={}, metrics={"gain": g, "cost": c})
        for i, (g, c) in enumerate(values)
    ]
    (plot,) = history_plots(view_of(records, constraints={"cost": "<= 5"}))
    assert isinstance(plot, HistoryPlot)
    assert plot.best == ((0, 0.5), (3, 0.7), (3, 0.7))
    assert [p.kind for p in plot.points] == ["front", "infeasible", "dominated", "front"]


def test_what_was_trained_with_several_seeds_is_one_point_at_its_mean():
    def seeded(number: int, gain: float, cost: float, replicate_of: int | None = None) -> TrialRecord:
        return TrialRecord(
            number=number,
            state=TrialState.COMPLETE,
            params={"x": 0.5},
            metrics={"gain": gain, "cost": cost},
            replicate_of=replicate_of,
        )

    records = [seeded(0, 9.0, 1.0), seeded(1, 8.0, 2.0), seeded(2, 5.0, 1.0, 0), seeded(3, 4.0, 1.0, 0)]
    goals = {"gain": "maximize", "cost": "minimize"}
    view = view_of(records, objectives=goals, constraints={"gain": ">= 7"}, chosen=1)
    (pareto,) = pareto_plots(view)
    history = history_plots(view)[0]
    assert isinstance(pareto, ParetoPlot)
    assert isinstance(history, HistoryPlot)
    assert [(p.number, p.y, p.kind) for p in pareto.points] == [(0, 6.0, "infeasible"), (1, 8.0, "front")]
    assert [(p.number, p.y) for p in history.points] == [(0, 6.0), (1, 8.0)]
    assert history.best == ((1, 8.0), (3, 8.0))  # the chosen is the best, not one lucky seed
    mean, single = view.record(0), view.record(2)
    assert mean is not None
    assert single is not None
    assert (mean.metrics["gain"], single.metrics["gain"]) == (6.0, 5.0)
    assert view.trainings(0) == 3


def test_importance_finds_what_drives_the_metric():
    view = view_of(evaluated(80), constraints={"cost": "<= 5"})
    ranked = importances(view, "gain")
    assert isinstance(ranked, Importances)
    assert ranked.shares[0][0] == "x"
    assert ranked.shares[1][0] == "y"
    assert sum(share for _, share in ranked.shares) == pytest.approx(1)
    assert ranked.explained > 0.7
    cost = importances(view, "cost")
    assert isinstance(cost, Importances)
    assert cost.shares[0][0] == "x"
    assert cost.shares[0][1] > 0.95


@pytest.mark.parametrize(
    ("n", "words"), [(0, "No trial has"), (1, "Only one trial has"), (5, "Only 5 trials have")]
)
def test_too_few_trials_get_a_sentence(n, words):
    view = view_of(evaluated(n))
    ranked = importances(view, "gain")
    assert isinstance(ranked, Absent)
    assert ranked.sentence.startswith(words)


def test_a_constant_metric_has_no_driver():
    records = [replace(r, metrics={"gain": 1.0}) for r in evaluated(20)]
    ranked = importances(view_of(records), "gain")
    assert isinstance(ranked, Absent)
    assert ranked.sentence == "gain is the same in every trial."


def test_a_conditional_parameter_does_not_take_its_parents_credit():
    records = [replace(r, metrics={"gain": float(r.params["kind"] == "odd")}) for r in evaluated(60)]
    view = view_of(records)
    inactive = np.array([r.params["kind"] == "plain" for r in view.records])
    assert np.all(design(view, [r.params for r in view.records])[inactive, 3] == 0.5)
    ranked = importances(view, "gain")
    assert isinstance(ranked, Importances)
    assert ranked.shares[0][0] == "kind"
    assert ranked.shares[0][1] > 0.95


def test_parallel_coordinates_give_inactive_parameters_a_tick_of_their_own(digits):
    plot = parallel_plot(digits.view)
    assert isinstance(plot, ParallelPlot)
    by_name = {d.name: d for d in plot.dimensions}
    assert list(by_name) == [*digits.spec.space.names, "accuracy", "flops", "size_mb", "fits"]
    momentum = by_name["momentum"]
    assert momentum.ticks[0][1] == "not active"
    complete = digits.view.complete
    for record, value in zip(complete, momentum.values, strict=True):
        assert (value == momentum.ticks[0][0]) == (record.params["optimizer"] == "adam")
    assert plot.better_high


def test_true_is_not_one_among_choices():
    space = {"flag": [True, False], "n": [1, 2]}
    records = [
        TrialRecord(number=i, state=TrialState.COMPLETE, params=p, metrics={"gain": float(i)})
        for i, p in enumerate([{"flag": True, "n": 1}, {"flag": False, "n": 2}])
    ]
    plot = parallel_plot(view_of(records, space=space))
    assert isinstance(plot, ParallelPlot)
    assert plot.dimensions[0].values == (0.0, 1.0)
    assert [text for _, text in plot.dimensions[0].ticks] == ["True", "False"]


def test_learning_curves_keep_the_chosen_and_count_what_is_left_out(digits):
    (plot,) = curves_plots(digits.view, most=10)
    assert isinstance(plot, CurvesPlot)
    assert plot.metric == "accuracy"
    assert plot.curves[-1].number == digits.context.chosen
    assert plot.curves[-1].kind == "chosen"
    assert len(plot.curves) == 10
    assert plot.left_out == len(digits.records) - 10
    (whole,) = curves_plots(digits.view)
    assert isinstance(whole, CurvesPlot)
    assert {len(c.steps) for c in whole.curves if c.kind == "pruned"} == {2}
    (absent,) = curves_plots(view_of(evaluated(3)))
    assert isinstance(absent, Absent)


def test_every_plot_of_a_metric_that_spans_orders_is_logarithmic():
    space = {"x": {"low": 0.0, "high": 1.0}}
    losses = [500.0, 0.3, 0.2, 0.1, 0.05, 0.4, 0.2, 0.01]
    records = [
        TrialRecord(
            number=n,
            state=TrialState.COMPLETE,
            params={"x": n / 8},
            metrics={"loss": loss},
            reports={1: {"loss": 900.0}, 2: {"loss": loss}},
        )
        for n, loss in enumerate(losses)
    ]
    view = view_of(records, objectives={"loss": "minimize"}, space=space)
    (history,), (curves,), parallel = history_plots(view), curves_plots(view), parallel_plot(view)
    assert isinstance(history, HistoryPlot)
    assert isinstance(curves, CurvesPlot)
    assert isinstance(parallel, ParallelPlot)
    assert history.log
    assert curves.log
    assert parallel.colour.values == pytest.approx(np.log10(losses))
    # The first trial was the best for an instant only: it does not crush those that a reader compares.
    assert history.view == (0.01, 0.3)
    assert history.outside == 2
    for figure in (drawn.history(history), drawn.curves(curves)):
        assert figure.layout.yaxis.type == "log"
        assert -3 < figure.layout.yaxis.range[0] < -2


def test_reports_without_a_finite_value_are_no_curves():
    record = TrialRecord(
        number=0, state=TrialState.PRUNED, params={"x": 0.5}, reports={1: {"gain": math.nan}}, steps=1
    )
    (absent,) = curves_plots(view_of([record]))
    assert isinstance(absent, Absent)
    assert absent.sentence == "No trial reported a finite gain."


def test_a_logarithmic_axis_only_where_a_metric_spans_orders():
    assert wants_log("size_mb", [0.001, 1.0])
    assert not wants_log("size_mb", [0.1, 1.0])
    assert not wants_log("size_mb", [0.0, 1.0])
    assert not wants_log("accuracy", [0.001, 1.0])
    assert not wants_log("size_mb", [])
