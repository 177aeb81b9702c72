"""What may be switched off in a configuration, one technique at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from satisfice.train.hyperparameter import Hyperparameter, Hyperparameters

# The value that means "without it".
_OFF: Mapping[str, Any] = {
    "augment": 0.0,
    "averaging": "none",
    "batch_norm": False,
    "ccp_alpha": 0.0,
    "class_weight": "none",
    "compression": "none",
    "distillation": 0.0,
    "dropout": 0.0,
    "l1": 0.0,
    "l2": 0.0,
    "patience": 0,
    "prune": 0.0,
    "residual": False,
    "scaling": "none",
    "schedule": "constant",
    "select": 0,
    "threshold": 0.5,
    "warmup_epochs": 0,
}
OF_TABLES = ("scaling", "select")  # without a meaning for images
# Sizes: half of it, and one less.
_HALVED = ("width", "channels", "trees", "rounds")
_ONE_LESS = ("hidden_layers", "blocks", "convolutions")
# What has no effect on its own: parameter -> (its parent, the parent's value that silences it).
_SILENT: Mapping[str, tuple[str, Any]] = {
    "augment_flips": ("augment", 0.0),
    "augment_shifts": ("augment", 0.0),
    "augment_crops": ("augment", 0.0),
    "augment_colour": ("augment", 0.0),
    "augment_mixup": ("augment", 0.0),
    "final_learning_rate": ("schedule", "constant"),
    "temperature": ("distillation", 0.0),
    "teacher": ("distillation", 0.0),
}
_PLAIN_SGD = {"optimizer": "sgd", "momentum": 0.0}


@dataclass(frozen=True, kw_only=True)
class Technique:
    """One change of a configuration."""

    name: str  # of the parameter, or of the pair that it is about
    changes: Mapping[str, Any]  # parameter -> value without the technique
    said: str  # what is done, such as "dropout 0.3 -> 0"


def techniques_of(config: Mapping[str, Any], known: Hyperparameters) -> list[Technique]:
    """What can be taken away from a configuration of a family.

    Args:
        config: Every hyperparameter of the family with its value.
        known: The family's hyperparameters.

    Returns:
        In the order of ``known``: techniques switched off, sizes reduced, all else put back to its default.
    """
    found = []
    for name, about in known.items():
        changes = _without(name, about, config)
        if changes and all(_taken(known, key, value) for key, value in changes.items()):
            found.append(Technique(name=name, changes=changes, said=_said(config, changes)))
    return found


def defaults_back(config: Mapping[str, Any], defaults: Mapping[str, Any]) -> list[Technique]:
    """Each parameter put back to its default alone: for tasks of one's own.

    Args:
        config: The configuration.
        defaults: Values that the task names.
    """
    return [
        Technique(name=name, changes={name: defaults[name]}, said=_said(config, {name: defaults[name]}))
        for name, value in config.items()
        if name in defaults and defaults[name] != value
    ]


def _taken(known: Hyperparameters, name: str, value: Any) -> bool:
    """Whether the family takes the value."""
    return name in known and known[name].problem_with(value) is None


def _without(name: str, about: Hyperparameter, config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The changes that take the parameter's technique away; empty where there is nothing to take."""
    value = config[name]
    if name in _SILENT:
        parent, silent = _SILENT[name]
        if config.get(parent, silent) == silent:
            return {}
    if name == "optimizer":
        return {} if value == "sgd" else {key: _PLAIN_SGD[key] for key in _PLAIN_SGD if key in config}
    if name in ("momentum", "nesterov"):
        if config.get("optimizer") != "sgd" or not config.get("momentum"):
            return {}
        return {"momentum": 0.0} if name == "momentum" else ({"nesterov": False} if value else {})
    if name in _OFF:
        return {} if value == _OFF[name] else {name: _OFF[name]}
    if name in _HALVED:
        return _smaller(name, value // 2, about, config)
    if name in _ONE_LESS:
        return _smaller(name, value - 1, about, config)
    return {} if value == about.default else {name: about.default}


def _smaller(name: str, value: int, about: Hyperparameter, config: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value} if about.low <= value < config[name] and value >= 1 else {}


def _said(config: Mapping[str, Any], changes: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {_show(config.get(key))} -> {_show(value)}" for key, value in changes.items())


def _show(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.3g}" if isinstance(value, float) else str(value)
