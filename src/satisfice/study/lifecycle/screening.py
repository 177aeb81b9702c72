"""The exact check before training, as the sampler sees it."""

from __future__ import annotations

import logging
import math
from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from satisfice.errors import SatisficeError
from satisfice.measure import ProbeFailed
from satisfice.search import Screen, Screened
from satisfice.spec.constraint import Constraint, none_violated, violated
from satisfice.spec.profile import turned_away_by
from satisfice.spec.standard_error import split
from satisfice.store.ledger.types import TurnedAway
from satisfice.study.measuring.evaluator import Evaluator

logger = logging.getLogger(__name__)

_EXAMPLES = 3


def is_of_configuration(error: Exception) -> bool:
    """Whether what was raised before training is the fault of one configuration alone."""
    return isinstance(error, ProbeFailed) or not isinstance(error, SatisficeError | sa.exc.SQLAlchemyError)


class StudyScreen:
    """Screens proposals of one ask, and counts what it turned away.

    A configuration for which the task's own code raises before training is turned away too, by the error's
    name.

    Attributes:
        error: What the code raised first, if it raised for every configuration that was turned away.
    """

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._away = 0
        self._by_constraint: dict[str, int] = {}
        self._examples: list[dict[str, Any]] = []
        self._raised: list[Exception] = []

    def __call__(self, params: Mapping[str, Any]) -> Screened:
        """Check one configuration: it fits if the study, or one of its profiles, can use it."""
        try:
            metrics = self._evaluator.before(params)
            own, *of_each = self._evaluator.judged_by_each(params, metrics)
        except Exception as error:
            if not is_of_configuration(error):
                raise
            return self._broke(params, error)
        missed = turned_away_by(own, of_each)
        if missed:
            decided = self._evaluator.decided_by_bounds(params, self._evaluator.spec.bounds)
            self._turn_away(list(missed), {"params": dict(params), "metrics": split(metrics | decided)[0]})
        return Screened(fits=not missed, metrics=metrics, violations=dict(ChainMap(own, *of_each)))

    def within(self, constraints: Sequence[Constraint]) -> Screen:
        """The same check for one profile: what only others can use is passed over, and not turned away.

        Args:
            constraints: All that hold for the profile.
        """
        keys = {c.key for c in constraints}

        def check(params: Mapping[str, Any]) -> Screened:
            answer = self._passed_over(params, constraints) or self(params)
            missed = keys.intersection(violated(answer.violations))
            return replace(answer, fits=False) if missed else answer

        return check

    def _passed_over(self, params: Mapping[str, Any], constraints: Sequence[Constraint]) -> Screened | None:
        """The answer where nothing need be measured: the profile cannot use what another one may."""
        if not self._evaluator.times:
            return None
        try:
            metrics = self._evaluator.exact(params)
            found = self._evaluator.judged(params, metrics, constraints)
            if none_violated(found) or self._evaluator.turned_away(params, metrics):
                return None
        except Exception as error:
            if not is_of_configuration(error):
                raise
            return None  # the full check tells what was raised
        return Screened(fits=False, metrics=metrics, violations=found)

    def _broke(self, params: Mapping[str, Any], error: Exception) -> Screened:
        said = f"{type(error).__name__}: {error}"
        if not self._raised:
            logger.warning("turned away, for it cannot be built or measured: %s: %s", dict(params), said)
        self._raised.append(error)
        why = f"{type(error).__name__} before training"
        self._turn_away([why], {"params": dict(params), "metrics": {}, "error": said[:500]})
        return Screened(fits=False, violations={why: math.inf})

    def _turn_away(self, reasons: list[str], example: dict[str, Any]) -> None:
        self._away += 1
        for reason in reasons:
            self._by_constraint[reason] = self._by_constraint.get(reason, 0) + 1
        if len(self._examples) < _EXAMPLES:
            self._examples.append(example)

    @property
    def error(self) -> Exception | None:
        """See the class."""
        return self._raised[0] if self._raised and len(self._raised) == self._away else None

    @property
    def turned_away(self) -> TurnedAway | None:
        """The record of this ask, if anything was turned away."""
        if not self._away:
            return None
        return TurnedAway(proposals=self._away, by_constraint=self._by_constraint, examples=self._examples)
