"""What commands print: JSON documents and tables."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from satisfice.cli import answer
from satisfice.cli.errors import without_secrets

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def plain(value: Any) -> Any:
    """The value as JSON can hold it: NaN as null, infinities as "inf" and "-inf", times in ISO 8601."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, str | bool | int) or value is None:
        return value
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return value if math.isfinite(value) else ("inf" if value > 0 else "-inf")
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "item"):  # a numpy scalar
        return plain(value.item())
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    return str(value)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    answer.give(without_secrets(json.dumps(plain(value), indent=2, allow_nan=False)) + "\n")


def trial_json(trial: Any) -> dict[str, Any]:
    """A trial, as every command prints it."""
    return {
        "number": trial.number,
        "params": dict(trial.params),
        "metrics": dict(trial.metrics),
        "feasible": trial.feasible,
        "state": state_name(trial.state),
    }


def state_name(state: Any) -> str:
    """Optuna's name of a state."""
    return state.name if isinstance(state, Enum) else str(state)


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
    """A rich console; plain where the output is no terminal."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=True)


def trial_table(
    trials: Sequence[Any], metrics: Sequence[str], *, title: str, chosen: int | None = None
) -> Table:
    """Trials with the metrics that the study names, and the parameters that differ between them."""
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, header_style="bold", pad_edge=False)
    varied = _varied([trial.params for trial in trials])
    for name in ("trial", *metrics):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("parameters", overflow="fold")  # one column: a dozen do not fit side by side
    for trial in trials:
        mark = " *" if trial.number == chosen else ""
        cells = [number(trial.metrics.get(name)) for name in metrics]
        params = [f"{name}={number(trial.params[name])}" for name in varied if name in trial.params]
        table.add_row(f"{trial.number}{mark}", *cells, " ".join(params))
    return table


def _varied(configurations: Sequence[Mapping[str, Any]]) -> list[str]:
    names = dict.fromkeys(name for params in configurations for name in params)
    if len(configurations) == 1:
        return list(names)
    return [n for n in names if len({repr(params.get(n)) for params in configurations}) > 1]
