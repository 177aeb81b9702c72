"""What a family of models can be tuned by. The study parser, the schema and the docs read this: no torch."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from satisfice.data.features.shape import SCALINGS


@dataclass(frozen=True, kw_only=True, slots=True)
class Hyperparameter:
    """One name that `[space]` and `[model]` may use."""

    kind: Literal["float", "int", "categorical", "text"]
    default: Any
    doc: str  # one line
    low: float = -math.inf  # least value that makes sense; of numbers
    high: float = math.inf  # greatest value that makes sense; of numbers
    choices: tuple[Any, ...] = ()  # of categories
    words: tuple[str, ...] = ()  # texts that a number may be instead
    pattern: str = ""  # of texts: a regular expression that the whole of one matches
    example: str = ""  # of texts
    architecture: bool = False  # whether size or latency depend on it
    # Of the architecture: whether its default is left out where an architecture is written, as in those that
    # were written before there was the hyperparameter.
    optional: bool = False

    def problem_with(self, value: Any) -> str | None:
        """Why ``value`` is not allowed, or None."""
        if self.kind == "categorical":
            if any(type(value) is type(choice) and value == choice for choice in self.choices):
                return None
            return f"{value!r} is none of {', '.join(repr(c) for c in self.choices)}"
        if isinstance(value, str) and value in self.words:
            return None
        if self.kind == "text":
            if value == self.default or (isinstance(value, str) and re.fullmatch(self.pattern, value)):
                return None
            return f"{value!r} is not {self.allowed}"
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return f"{value!r} is not a number" + "".join(f" and not {word!r}" for word in self.words)
        if self.kind == "int" and value != int(value):
            return f"{value!r} is not a whole number"
        if not self.low <= value <= self.high:
            return f"{value!r} is outside {self.allowed}"
        return None

    def typed(self, value: Any) -> Any:
        """An allowed value in its own type: a study file may write a whole number as 2 and as 2.0."""
        numbers = {"int": int, "float": float}
        return numbers[self.kind](value) if self.kind in numbers else value

    @property
    def allowed(self) -> str:
        """The allowed values, as the docs show them."""
        if self.kind == "categorical":
            return ", ".join(_show(c) for c in self.choices)
        if self.kind == "text":
            return f'text like "{self.example}"'
        return f"{_show(self.low)} to {_show(self.high)}" + "".join(f' or "{word}"' for word in self.words)


Hyperparameters = Mapping[str, Hyperparameter]


def written(known: Hyperparameters, architecture: Mapping[str, Any]) -> dict[str, Any]:
    """An architecture as it is kept: without the defaults that are left out."""
    return {
        name: value
        for name, value in architecture.items()
        if not (known[name].optional and value == known[name].default)
    }


def filled(known: Hyperparameters, architecture: Mapping[str, Any]) -> dict[str, Any]:
    """An architecture that was kept, with the defaults that were left out."""
    return {name: h.default for name, h in known.items() if h.optional} | dict(architecture)


COMPRESSION, THRESHOLD = "compression", "threshold"
SCALING, SELECT = "scaling", "select"
IMAGE_SIZE = "image_size"  # 0 for the size that the data have
AUTO = "auto"


def of_tables(*, scaled: bool) -> Hyperparameters:
    """What every family is tuned by that learns from tables: how their columns are prepared.

    Args:
        scaled: Whether the family depends on the scale of numbers.
    """
    scaling = Hyperparameter(
        kind="categorical",
        default=SCALINGS[0],
        choices=SCALINGS,
        doc="Of a table's numbers: zero mean and unit variance; by median and quartiles (`robust`); or as "
        "they stand (`none`: their units then matter).",
        architecture=True,
    )
    select = Hyperparameter(
        kind="int",
        default=0,
        low=0,
        high=1_000_000,
        doc="Keep so many columns of a table, those that say most about the target in the training fold; "
        "0 for all.",
        architecture=True,
    )
    return {SCALING: scaling, SELECT: select} if scaled else {SELECT: select}


def of_the_file(precisions: tuple[str, ...]) -> Hyperparameters:
    """What every family that can be written as ONNX is tuned by: how its file is written.

    Args:
        precisions: In which its numbers can be stored; the first one is exact.
    """
    return {
        COMPRESSION: Hyperparameter(
            kind="categorical",
            default=precisions[0],
            choices=precisions,
            doc="How the ONNX file stores numbers; size, latency and scores are those of that file.",
            architecture=True,
        ),
        THRESHOLD: Hyperparameter(
            kind="float",
            default=0.5,
            low=0.0,
            high=1.0,
            words=(AUTO,),
            doc="Probability from which the positive of two classes is answered; `auto` is fitted to the "
            "validation rows at the end of a training, for the study's objective under its bounds.",
        ),
    }


def _show(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
