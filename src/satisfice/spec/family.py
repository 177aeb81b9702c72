"""What a study spec needs to know of a family of models.

The families themselves live in `satisfice.train`, which this package may not import.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol


class HyperparameterInfo(Protocol):
    """One hyperparameter of a family."""

    @property
    def kind(self) -> str:
        """One of "float", "int", "categorical" and "text"."""

    @property
    def default(self) -> Any:
        """Its value where a study names none."""

    @property
    def allowed(self) -> str:
        """The allowed values in words."""

    def problem_with(self, value: Any) -> str | None:
        """Why the value is not allowed, or None."""


class FamilyInfo(Protocol):
    """A family of models as the spec sees it."""

    @property
    def hyperparameters(self) -> Mapping[str, HyperparameterInfo]:
        """By name."""

    @property
    def measures(self) -> Collection[str]:
        """Names of the metrics it measures."""

    @property
    def tasks(self) -> Collection[str]:
        """Of "classification" and "regression", those it can learn."""
