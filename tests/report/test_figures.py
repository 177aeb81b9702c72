"""What plotly is given to draw."""

from typing import Any

import pytest

from satisfice.report.all_figures import all_figures
from satisfice.report.context import StudyView
from satisfice.spec import parse_dict
from satisfice.spec.trial import TrialRecord, TrialState


def view_of(records, space, **content) -> StudyView:
    spec = parse_dict({"name": "s", "space": space, "budget": {"trials": 99}} | content, has_task=True)
    return StudyView(
        records=records, objectives=spec.objectives, constraints=spec.constraints, space=spec.space
    )


def complete(number: int, params, metrics) -> TrialRecord:
    return TrialRecord(number=number, state=TrialState.COMPLETE, params=params, metrics=metrics)


def figures_of(view: StudyView) -> dict[str, Any]:
    return {f.group: f.figure for f in all_figures(view) if f.figure is not None}


@pytest.fixture(scope="module")
def strange():
    """Names with quotes, markup and more characters than an axis has room for."""
    one, two = f"{'rate' * 20} of one", f"{'rate' * 20} of two"
    kinds = ['<b>"x"', "y" * 60]
    space = {one: {"low": 0.0, "high": 1.0}, two: {"low": 0.0, "high": 1.0}, "kind": kinds}
    records = [
        complete(
            n,
            {one: n / 20, two: (n * 7 % 20) / 20, "kind": kinds[n % 2]},
            {'it\'s %{x} "good" & so': n + (n * 7 % 20) * 0.5},
        )
        for n in range(20)
    ]
    view = view_of(records, space, objectives={'it\'s %{x} "good" & so': "maximize"})
    return figures_of(view)


def test_names_are_drawn_as_they_are_written(strange):
    title = strange["history"].layout.yaxis.title.text
    assert title == 'it\'s %{x} "good" &amp; so (more is better)'
    kind = strange["parallel"].data[0].dimensions[2]
    assert kind.ticktext[0] == '<b>"x"'  # plotly reads no markup there
    surface = strange["contours"].data[0]
    assert "%{x}" not in surface.hovertemplate  # it would be filled in
    assert surface.name == 'it\'s %{x} "good" &amp; so'


def test_long_names_are_cut_where_they_agree(strange):
    bars = strange["importances"]
    labels = bars.layout.yaxis.ticktext
    assert len(set(labels)) == len(bars.data[0].y) == 3
    assert all(len(text) <= 24 for text in labels)
    assert {text[-3:] for text in labels if "…" in text} == {"one", "two"}
    assert all(len(text) <= 12 for text in strange["parallel"].data[0].dimensions[2].ticktext)


def test_labels_of_bounds_lie_within_the_plot_and_apart():
    """A bound at the left edge has its label to its right; two bounds have theirs in two rows."""
    records = [complete(n, {"x": 0.5}, {"gain": n / 10, "cost": 10.0**n}) for n in range(9)]
    view = view_of(
        records,
        {"x": {"low": 0.0, "high": 1.0}},
        objectives={"gain": "maximize", "cost": "minimize"},
        constraints={"cost": [">= 1", "<= 1e8"], "gain": [">= 0.0", "<= 0.3"]},
    )
    labels = {label.text: label for label in figures_of(view)["pareto"].layout.annotations}
    low, high = labels["cost &gt;= 1"], labels["cost &lt;= 100000000"]
    assert (low.xanchor, high.xanchor) == ("left", "right")
    assert low.yshift != high.yshift
    # Both horizontal lines are in the lower part, where the label of the first begins too.
    assert labels["gain &gt;= 0"].x == labels["gain &lt;= 0.3"].x == 0
    assert low.y == high.y == 1


def test_a_plot_with_one_kind_of_trials_says_which(strange):
    assert strange["contours"].layout.showlegend
    assert strange["history"].layout.showlegend
    assert not strange["importances"].layout.showlegend
