"""A plain function as Optuna takes it, ``objective(trial)``, as a task of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from satisfice.errors import BadReport


class ObjectiveTask:
    """Trains by calling a function with the trial; what it returns are the objectives' values.

    Args:
        function: Takes a `Trial`, on which it may call ``suggest_float`` and its like; returns a number, a
            sequence of numbers in the order of ``study.directions``, or a dict of metrics.
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function

    def train(self, params: Mapping[str, Any], trial: Any) -> Mapping[str, float]:
        """Call the function.

        Raises:
            BadReport: It returned something else.
        """
        del params  # the function asks the trial for them
        return as_metrics(self.function(trial), trial.objective_names)


def as_metrics(told: Any, names: Sequence[str]) -> dict[str, Any]:
    """Metrics by name, from what Optuna's users give: a number, or a sequence of them.

    Args:
        told: What was given.
        names: Of the objectives, in the order of their values.

    Raises:
        BadReport: They are none, or not as many as there are objectives.
    """
    if isinstance(told, Mapping):
        return dict(told)
    if told is None:
        raise BadReport("the objective returned None", hint="return its value, or a dict of metrics")
    if isinstance(told, str):
        raise BadReport(f"{told!r:.200} is no value of an objective", hint="give a number")
    try:
        values = list(told)
    except TypeError:
        values = [told]
    if len(values) != len(names):
        raise BadReport(
            f"{len(values)} values were given for {len(names)} objectives",
            hint=f"give {', '.join(names)} in this order, or a dict of metrics",
        )
    return dict(zip(names, values, strict=True))
