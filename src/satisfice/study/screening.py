"""The exact check before training, as the sampler sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from satisfice.search import Screened
from satisfice.spec.constraint import violations
from satisfice.store.claim import TurnedAway
from satisfice.study.known import Evaluator

_EXAMPLES = 3


class StudyScreen:
    """Screens proposals of one ask, and counts what it turned away."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._away = 0
        self._by_constraint: dict[str, int] = {}
        self._examples: list[dict[str, Any]] = []

    def __call__(self, params: Mapping[str, Any]) -> Screened:
        """Check one configuration."""
        metrics = self._evaluator.before(params)
        decided = self._evaluator.decided_by_bounds(params)
        found = violations(self._evaluator.spec.constraints, metrics | decided)
        violated = [key for key, value in found.items() if value > 0]
        if violated:
            self._away += 1
            for key in violated:
                self._by_constraint[key] = self._by_constraint.get(key, 0) + 1
            if len(self._examples) < _EXAMPLES:
                self._examples.append({"params": dict(params), "metrics": metrics | decided})
        return Screened(fits=not violated, metrics=metrics, violations=found)

    @property
    def turned_away(self) -> TurnedAway | None:
        """The record of this ask, if anything was turned away."""
        if not self._away:
            return None
        return TurnedAway(proposals=self._away, by_constraint=self._by_constraint, examples=self._examples)
