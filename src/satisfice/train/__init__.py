"""Trainers: families of models, and the tasks they make of a study. Imported without torch.

Names are loaded on first use: scores are computed without pandas.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from satisfice.ship.model import ShippedModel
    from satisfice.train.catalog import TRAINERS, make_task
    from satisfice.train.hyperparameter import Hyperparameter
    from satisfice.train.loading import load as load_model
    from satisfice.train.trainer import Trainer

_HOMES = {
    "ShippedModel": ("satisfice.ship.model", "ShippedModel"),
    "TRAINERS": ("satisfice.train.catalog", "TRAINERS"),
    "make_task": ("satisfice.train.catalog", "make_task"),
    "Hyperparameter": ("satisfice.train.hyperparameter", "Hyperparameter"),
    "load_model": ("satisfice.train.loading", "load"),
    "Trainer": ("satisfice.train.trainer", "Trainer"),
}

__all__ = ["TRAINERS", "Hyperparameter", "ShippedModel", "Trainer", "load_model", "make_task"]


def __getattr__(name: str) -> Any:
    """Load a name (PEP 562)."""
    if name in _HOMES:
        module, attribute = _HOMES[name]
        return getattr(importlib.import_module(module), attribute)
    raise AttributeError(f"module 'satisfice.train' has no attribute {name!r}", name=name)
