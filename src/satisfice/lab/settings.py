"""What a visitor asks to be trained, checked before anything is queued."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from satisfice.errors import InputError
from satisfice.registry import did_you_mean
from satisfice.train import TRAINERS

MOST_TRAININGS = 60  # in one request
MOST_EPOCHS = 300
SHOWN = ("coefficients", "surface", "latency")  # what may be asked for beside curve and metrics
_MOST_SEED = 2**31 - 1
_MOST_TEXT = 64  # characters of a visitor's or a group's name
# So that no training takes minutes: the rest of a hyperparameter's range is for searches.
_MOST: Mapping[str, float] = {
    "hidden_layers": 6,
    "width": 512,
    "rounds": 1000,
    "trees": 1000,
    "max_iter": 5000,
    "blocks": 4,
    "channels": 64,
    "kernel": 9,
}
_KEYS = ("family", "values", "seed", "epochs", "shows", "group")


@dataclass(frozen=True, kw_only=True)
class LabTraining:
    """One training."""

    family: str
    values: Mapping[str, Any] = field(default_factory=dict)  # hyperparameters that differ from the defaults
    seed: int = 0  # of the training, as a trial has one; the split goes by the study's
    epochs: int = 40  # at most
    shows: tuple[str, ...] = ()  # of `SHOWN`
    group: str = ""  # which of the settings it repeats, where several are compared

    def as_dict(self) -> dict[str, Any]:
        """JSON content from which `training_of` makes it again."""
        return {**asdict(self), "shows": list(self.shows)}


@dataclass(frozen=True, kw_only=True)
class LabRequest:
    """What one visitor wants trained, one training after the other."""

    visitor: str
    trainings: tuple[LabTraining, ...]


def request_of(content: Mapping[str, Any]) -> LabRequest:
    """The request that a page sent: ``visitor`` and ``trainings``, or the keys of a single training.

    Raises:
        InputError: Something is missing, or is not what can be trained.
    """
    visitor = _text(content, "visitor", "anybody")
    rest = {key: value for key, value in content.items() if key != "visitor"}
    given = rest.pop("trainings", None)
    if given is None:
        return LabRequest(visitor=visitor, trainings=(training_of(rest),))
    if rest:
        raise InputError(f"{next(iter(rest))!r} is no key beside trainings", hint="move it into a training")
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_TRAININGS:
        raise InputError(f"trainings is no list of 1 to {MOST_TRAININGS} trainings", hint="ask for fewer")
    return LabRequest(visitor=visitor, trainings=tuple(training_of(each) for each in given))


def training_of(content: Any) -> LabTraining:
    """One training from JSON content.

    Raises:
        InputError: It is not what can be trained; it tells key and fix.
    """
    if not isinstance(content, Mapping):
        raise InputError("a training is a JSON object", hint='for instance {"family": "mlp"}')
    for key in content:
        if key not in _KEYS:
            raise InputError(
                f"{str(key)[:40]!r} is no key of a training", hint=did_you_mean(str(key), list(_KEYS))
            )
    family = content.get("family")
    if not isinstance(family, str) or family not in TRAINERS.names():
        raise InputError("family names no family of models", hint=f"one of {', '.join(TRAINERS.names())}")
    shows = content.get("shows", [])
    if not isinstance(shows, list) or any(each not in SHOWN for each in shows):
        raise InputError("shows is no list of what can be shown", hint=f"of {', '.join(SHOWN)}")
    return LabTraining(
        family=family,
        values=_values(family, content.get("values", {})),
        seed=_whole(content, "seed", 0, 0, _MOST_SEED),
        epochs=_whole(content, "epochs", 40, 1, MOST_EPOCHS),
        shows=tuple(shows),
        group=_text(content, "group", ""),
    )


def _values(family: str, given: Any) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise InputError("values is no JSON object", hint='for instance {"dropout": 0.2}')
    known = TRAINERS.get(family).hyperparameters
    found = {}
    for name, value in given.items():
        if name not in known or name in ("teacher", "distillation"):
            raise InputError(
                f"values.{str(name)[:40]} is no hyperparameter of {family} in the lab",
                hint=did_you_mean(str(name), list(known)),
            )
        problem = known[name].problem_with(value)
        if problem is None and not isinstance(value, str) and value > _MOST.get(name, value):
            problem = f"{value!r} is above {_MOST[name]:g}, the most that the lab trains"
        if problem is not None:
            raise InputError(f"values.{name}: {problem[:200]}", hint=f"allowed: {known[name].allowed}")
        found[name] = value if isinstance(value, str) else known[name].typed(value)
    return found


def _whole(content: Mapping[str, Any], key: str, default: int, low: int, high: int) -> int:
    value = content.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InputError(f"{key} is no whole number from {low} to {high}", hint=f"for instance {default}")
    return value


def _text(content: Mapping[str, Any], key: str, default: str) -> str:
    value = content.get(key, default)
    if not isinstance(value, str) or len(value) > _MOST_TEXT:
        raise InputError(f"{key} is no text of at most {_MOST_TEXT} characters", hint=f"for instance {key}-1")
    return value
