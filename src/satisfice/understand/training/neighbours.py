"""The other trials of a study, to compare a training with: which did better, and with which parameters."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from satisfice.choose.bounds import number_text
from satisfice.choose.endings import joined
from satisfice.understand.training.curves import Curves

Role = Literal["step", "penalty", "capacity", "patience", "length", "batch"]
Side = Literal["high", "low"]

# Parameters by what they do, as the families and the usual libraries call them.
ROLES: Mapping[Role, tuple[str, ...]] = {
    "step": ("learning_rate", "lr", "eta", "step_size", "initial_lr", "base_lr"),
    "penalty": (
        "l1", "l2", "alpha", "weight_decay", "wd", "reg_alpha", "reg_lambda", "lambda_l1", "lambda_l2",
        "l2_regularization", "dropout", "dropout_rate", "ccp_alpha", "min_samples_leaf", "min_child_weight",
        "min_child_samples", "gamma", "label_smoothing",
    ),
    "capacity": (
        "width", "hidden_layers", "hidden_size", "layers", "n_layers", "units", "channels", "blocks",
        "growth",        "max_depth", "max_leaves", "num_leaves", "depth",
    ),
    "patience": ("patience", "early_stopping_rounds"),
    "length": ("rounds", "trees", "n_estimators", "max_iter", "epochs", "num_boost_round"),
    "batch": ("batch_size", "momentum"),
}  # fmt: skip
_ROLE_OF = {name: role for role, names in ROLES.items() for name in names}
_FAR = 3.0  # times the range of those that did better
_FAR_FROM_DEFAULT = 10.0  # times the default, where nobody did better
_SHARES = ("dropout", "dropout_rate", "label_smoothing")  # compared by difference, not by ratio
_TINY = 1e-12


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """A parameter that is unlike those of better trainings."""

    name: str
    side: Side
    far: float  # times
    words: str  # "learning_rate 0.2 is 100 times that of better trials (0.002)"


@dataclass(frozen=True, kw_only=True)
class Neighbourhood:
    """All trainings of a study."""

    curves: Sequence[Curves]
    fixed: Mapping[str, Any]  # hyperparameters that the study fixes
    defaults: Mapping[str, Any]  # of the family

    @cached_property
    def ranked(self) -> list[Curves]:
        """Those with a loss, the best first."""
        return sorted((c for c in self.curves if math.isfinite(c.best)), key=lambda c: c.best)

    def better(self, than: Curves, by: float, most: int = 10) -> list[Curves]:
        """Other trainings whose loss is lower by a share (see `shortfall`), the best first."""
        found = (c for c in self.ranked if c is not than and shortfall(than.best, c.best) >= by)
        return [c for c, _ in zip(found, range(most), strict=False)]

    def best_other(self, than: Curves) -> Curves | None:
        """The best of the others."""
        return next((c for c in self.ranked if c is not than), None)

    def values(self, of: Curves) -> dict[str, Any]:
        """All hyperparameters that are known of a training."""
        return {**self.defaults, **self.fixed, **of.record.params}

    def suspects(
        self, of: Curves, wanted: Iterable[tuple[Role, Side]], better: Sequence[Curves]
    ) -> list[Suspect]:
        """Parameters that are unlike those of better trainings, the farthest first.

        Without better ones, the family's defaults are what a value is compared with.
        """
        mine, sides, found = self.values(of), dict(wanted), []
        for name, value in mine.items():
            role = _ROLE_OF.get(name.rsplit(".", 1)[-1].lower())
            if role is None or role not in sides or not _is_number(value):
                continue
            theirs = [float(v) for b in better if _is_number(v := self.values(b).get(name, math.nan))]
            suspect = (
                _unlike(name, value, sides[role], theirs)
                if theirs
                else _unlike_default(name, value, sides[role], self.defaults.get(name))
            )
            if suspect is not None:
                found.append(suspect)
        return sorted(found, key=lambda s: -s.far)


def shortfall(loss: float, best: float) -> float:
    """How much of the way from a guess to a better loss is missing, by their logarithms: 0 for none."""
    best = min(best, 0.999)
    return math.log(max(loss, _TINY) / max(best, _TINY)) / -math.log(max(best, _TINY))


def blamed(suspects: Sequence[Suspect], most: int = 2) -> str:
    """The suspects in words; empty where there is none."""
    return joined([s.words for s in suspects[:most]]) if suspects else ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and math.isfinite(value)


def _unlike(name: str, value: float, side: Side, theirs: Sequence[float]) -> Suspect | None:
    edge, typical = (max(theirs) if side == "high" else min(theirs)), float(np.median(theirs))
    far = _far(name, value, edge, side)
    if far < _FAR:
        return None
    return Suspect(name=name, side=side, far=far, words=_words(name, value, typical, "better trials have"))


def _unlike_default(name: str, value: float, side: Side, default: Any) -> Suspect | None:
    if not _is_number(default) or name == "patience":
        return None
    far = _far(name, value, float(default), side)
    if default == 0 and name not in _SHARES:  # no penalty by default: one that is strong in itself is told
        far = value / 1e-2 if value > 0 and side == "high" else 0.0
    if far < _FAR_FROM_DEFAULT:
        return None
    return Suspect(name=name, side=side, far=far, words=_words(name, value, default, "the default is"))


def _far(name: str, value: float, other: float, side: Side) -> float:
    if name in _SHARES:
        return (value - other if side == "high" else other - value) * 15.0  # 0.2 apart is far
    mine, theirs = (value, other) if side == "high" else (other, value)
    if theirs <= 0:
        return math.inf if mine > 0 else 0.0
    return mine / theirs


def _words(name: str, value: float, other: float, what: str) -> str:
    return f"{name} is {number_text(float(value))} ({what} {number_text(float(other))})"
