"""What commands print: JSON documents and tables."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from satisfice.cli import answer
from satisfice.cli.errors import without_secrets
from satisfice.results.as_json import plain

if TYPE_CHECKING:
    from rich.console import Console

    from satisfice.spec.constraint import Constraint
    from satisfice.spec.study import Objective

_WIDE = 1000  # characters
_LEAST_FOLDED = 24  # characters of the column that holds the parameters
_DRAWN_WIDTH = 80  # characters of a picture, at most
_FEWEST_DRAWN = 3  # trials: two need no picture


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    answer.give(without_secrets(json.dumps(plain(value), indent=2, allow_nan=False)) + "\n")


def print_csv(rows: Sequence[Mapping[str, Any]]) -> None:
    """One CSV table on standard output: a header and the rows; nothing where there is no row."""
    if not rows:
        return
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows({column: plain(value) for column, value in row.items()} for row in rows)
    answer.give(without_secrets(text.getvalue()))


def print_rows(rows: Sequence[Mapping[str, Any]], *, title: str) -> None:
    """A table of rows that have the same columns; nothing where there is no row."""
    from rich.table import Table

    if not rows:
        return
    table = Table(title=title, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for name, value in rows[0].items():
        table.add_column(name, justify="left" if isinstance(value, str) else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(number(value) for value in row.values()))
    console().print(table)


def number(value: Any) -> str:
    """A metric or parameter in a table."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, float):
        # Counts come as floats: 123456.0 is no 1.235e+05.
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e12 else f"{value:.4g}"
    return str(value)


def seconds(value: float | None) -> str:
    """A time span for people: ``42 s``, ``3 min 5 s``, ``2 h 10 min``."""
    if value is None or not math.isfinite(value):
        return "unknown"
    whole = max(0, round(value))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def console(*, stderr: bool = False) -> Console:
    """A rich console; plain where the output is no terminal, and then wide: a file has no edge to wrap at."""
    from rich.console import Console

    made = Console(stderr=stderr, highlight=False, soft_wrap=True)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = _WIDE
    return made


def print_trials(
    trials: Sequence[Any],
    metrics: Sequence[str],
    *,
    title: str,
    chosen: int | None = None,
    constraints: Sequence[Constraint] = (),
    objectives: Sequence[Objective] = (),
    covered_by: Mapping[int, int] | None = None,
) -> None:
    """A table of trials: metrics in one unit each, the parameters that differ, and below those that do not.

    On a narrow terminal the metrics that have no column stand before the parameters.

    Args:
        trials: One row each.
        metrics: Those that the study names.
        title: Above the table.
        chosen: Number of the trial to mark.
        constraints: A metric is shown with as many digits as its bounds need.
        objectives: Their directions are shown: an arrow to what is better.
        covered_by: By number of a trial, the number of another one that it adds nothing to beyond noise.
    """
    from rich.table import Table

    from satisfice.choose.bounds import beside, metric_value
    from satisfice.spec.metric import one_unit

    out = console()
    table = Table(title=title, title_justify="left", box=None, header_style="bold", pad_edge=False)
    varied, same = _varied([trial.params for trial in trials])
    arrows = {o.metric: " \u2191" if o.direction == "maximize" else " \u2193" for o in objectives}
    columns: dict[str, list[str]] = {}
    for name in one_unit(metrics):
        bounds = [c for c in constraints if c.metric == name]
        values = [metric_value(trial, name) for trial in trials]
        columns[name] = [number(None) if v is None else beside(v, bounds) for v in values]
    numbers = [f"{trial.number}{' *' if trial.number == chosen else ''}" for trial in trials]
    labels = {n: next((each for t in trials if (each := t.label(n)) != n), n) for n in columns}
    heads = {name: label + arrows.get(name, "") for name, label in labels.items()}
    room = out.width - _width("trial", numbers) - _LEAST_FOLDED
    shown = []
    for name, cells in columns.items():
        room -= _width(heads[name], cells)
        if room < 0:
            break
        shown.append(name)
    for head in ("trial", *(heads[name] for name in shown)):
        table.add_column(head, justify="right", no_wrap=True)
    rest = [name for name in columns if name not in shown]
    if covered_by:
        table.add_column("noise", no_wrap=True)
    # One column: a dozen parameters do not fit side by side.
    table.add_column("other metrics, parameters" if rest else "parameters", overflow="fold")
    for i, trial in enumerate(trials):
        others = [f"{labels[name]}={columns[name][i]}" for name in rest]
        folded = " ".join([*others, _pairs(trial.params, varied)])
        other = (covered_by or {}).get(trial.number)
        covered = ["" if other is None else f"same as {other}"] if covered_by else []
        table.add_row(numbers[i], *(columns[name][i] for name in shown), *covered, folded)
    out.print(table)
    if same:
        answer.give(f"the same in all {len(trials)} trials: {_pairs(trials[0].params, same)}\n")


def _width(head: str, cells: Sequence[str]) -> int:
    """Characters of a column, with the space to its right."""
    return max(map(len, (head, *cells))) + 2


def print_front(trials: Sequence[Any], objectives: Sequence[Objective]) -> None:
    """The front of two objectives, the second against the first, in characters; of others nothing."""
    from satisfice.choose.bounds import metric_value
    from satisfice.cli.drawn_front import DrawnTrial, drawn

    if len(objectives) != 2 or len(trials) < _FEWEST_DRAWN:
        return
    first, second = objectives
    points = []
    for trial in trials:
        y, x = metric_value(trial, first.metric), metric_value(trial, second.metric)
        if x is not None and y is not None:
            points.append(DrawnTrial(number=trial.number, x=x, y=y))
    width = min(console().width, _DRAWN_WIDTH)
    across, up = (second.metric, second.direction), (first.metric, first.direction)
    for line in drawn(points, across, up, width):
        answer.give(line + "\n")


def _pairs(params: Mapping[str, Any], names: Sequence[str]) -> str:
    return " ".join(f"{name}={number(params[name])}" for name in names if name in params)


def _varied(configurations: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """Names of the parameters that differ between configurations, and of those that are the same in all."""
    names = dict.fromkeys(name for params in configurations for name in params)
    if len(configurations) == 1:
        return list(names), []
    absent = object()
    varied = [n for n in names if len({repr(params.get(n, absent)) for params in configurations}) > 1]
    return varied, [n for n in names if n not in varied]
