"""What training code reports: steps that a database can count, and metrics as floats."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from satisfice.errors import BadReport

_LAST_STEP = 2**63 - 1  # that every database counts to


def step_hint(step: Any) -> str:
    """What to report instead of what is no step."""
    if isinstance(step, int) and step > _LAST_STEP:
        return f"steps end at {_LAST_STEP}"
    return "count epochs, or steps of your own, by whole numbers from 1"


def is_step(step: Any) -> bool:
    """Whether a database can count it."""
    try:
        return not isinstance(step, bool) and int(step) == step and 0 <= step <= _LAST_STEP
    except (TypeError, ValueError, OverflowError):
        return False


def as_floats(metrics: Mapping[str, Any], example: str = "accuracy") -> dict[str, float]:
    """Metrics as training code gave them, as floats.

    Args:
        metrics: What it gave.
        example: A metric that it might give, for the error.

    Raises:
        BadReport: One is no number, or they are no dict with names.
    """
    if not isinstance(metrics, Mapping):
        raise BadReport(f"metrics = {_shown(metrics)} is no dict", hint=f'give {{"{example}": 0.9}}')
    out = {}
    for name, value in metrics.items():
        if not isinstance(name, str):
            raise BadReport(f"{_shown(name)} is no metric's name", hint="name metrics by strings")
        number = _number(value)
        if number is None:
            raise BadReport(f"metric {name} = {_shown(value)} is no number", hint="return floats")
        out[name] = number
    return out


def _number(value: Any) -> float | None:
    """The value as a float, or None; a text that looks like a number is none."""
    if isinstance(value, str | bytes):
        return None
    try:
        return float(value.item() if hasattr(value, "item") else value)
    except Exception:  # noqa: BLE001  # arrays and tensors of other packages raise what they like
        return None


def _shown(value: Any) -> str:
    """A value in one short line."""
    return " ".join(f"{value!r:.200}".split())


def diverged(metrics: Mapping[str, float], names: tuple[str, ...]) -> str | None:
    """The first of ``names`` that is NaN or infinite."""
    return next((name for name in names if not math.isfinite(metrics.get(name, 0.0))), None)
