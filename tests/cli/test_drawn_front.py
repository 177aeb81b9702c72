"""A front in characters, and tables of trials that fit the terminal."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState
from rich.console import Console

from satisfice.cli import answer, output
from satisfice.cli.drawn_front import DrawnTrial, drawn
from satisfice.spec.study import Objective
from satisfice.spec.trial import TrialRecord

VALUES = st.floats(-1e300, 1e300, allow_subnormal=False)


def test_what_is_higher_stands_higher() -> None:
    points = [DrawnTrial(number=i, x=x, y=y) for i, x, y in ((0, 1.0, 10.0), (7, 2.0, 30.0), (12, 3.0, 40.0))]
    lines = drawn(points, ("size_mb", "minimize"), ("score", "maximize"), 40)
    assert lines[0] == "score (higher is better)"
    assert lines[-1].strip() == "size_mb (lower is better)"
    where = {n: next((i, line.index(n)) for i, line in enumerate(lines) if n in line) for n in ("o7", "12o")}
    assert lines[1].startswith("40 |")
    assert lines[10].startswith("10 |o0")
    assert 1 == where["12o"][0] < where["o7"][0] < 10
    assert where["o7"][1] < where["12o"][1]


def test_values_of_several_orders_are_spread() -> None:
    points = [DrawnTrial(number=i, x=10.0**i, y=float(i)) for i in range(4)]
    lines = drawn(points, ("size_mb", "minimize"), ("f1", "maximize"), 60)
    assert "logarithmic" in lines[-1]
    columns = [line.index("o") for line in lines if "o" in line and "|" in line]
    gaps = [b - a for a, b in zip(columns[1:], columns, strict=False)]
    assert max(gaps) - min(gaps) <= 1


@settings(max_examples=100)
@given(st.lists(st.tuples(VALUES, VALUES), max_size=20), st.integers(0, 120))
def test_each_line_fits_and_each_trial_is_drawn(values: list[tuple[float, float]], width: int) -> None:
    points = [DrawnTrial(number=i, x=x, y=y) for i, (x, y) in enumerate(values)]
    lines = drawn(points, ("x", "minimize"), ("y", "minimize"), width)
    assert all(len(line) <= max(width, len("y (lower is better, logarithmic)")) for line in lines)
    marks = sum(line.partition("|")[2].count("o") for line in lines[1:-3])
    assert bool(lines) == (marks > 0)
    assert marks <= len(values)


def test_one_trial_or_what_is_infinite_is_not_drawn() -> None:
    points = [DrawnTrial(number=0, x=1.0, y=1.0), DrawnTrial(number=1, x=float("inf"), y=1.0)]
    assert drawn(points, ("x", "minimize"), ("y", "minimize"), 80) == []


def trials() -> list[TrialRecord]:
    names = ("accuracy", "balanced_accuracy", "latency_ms", "size_mb", "memory_mb", "throughput", "log_loss")
    return [
        TrialRecord(
            number=i,
            state=TrialState.COMPLETE,
            params={"learning_rate": 0.001 * i, "hidden_layers": i},
            metrics={name: 0.123456 + i + j for j, name in enumerate(names)},
        )
        for i in range(1, 4)
    ]


@pytest.mark.parametrize("width", [80, 200])
def test_a_table_of_many_metrics_fits(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.StringIO()
    monkeypatch.setattr(output, "console", lambda: Console(file=text, width=width, soft_wrap=True))
    monkeypatch.setattr(answer, "give", text.write)
    shown = trials()
    objectives = [Objective(metric="accuracy", direction="maximize")]
    output.print_trials(shown, list(shown[0].metrics), title="front", objectives=objectives)
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert "accuracy ↑" in lines[1]
    flat = "".join(text.getvalue().split())
    # Nothing is cut: what has no column stands before the parameters.
    assert all(f"{m:.4g}" in flat for t in shown for m in t.metrics.values())
    assert ("log_loss=" in flat) == (width == 80)
