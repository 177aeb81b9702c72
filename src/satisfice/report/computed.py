"""Metrics that are a function of the configuration: computed, never guessed."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from satisfice.spec.space import SearchSpace

# Metrics of a configuration that are computed and not measured, in the units that the study names. Of one
# that cannot be built: nothing.
ExactMetrics = Callable[[Mapping[str, Any]], Mapping[str, float]]


class Computed:
    """What can be computed of the configurations of a space, remembered.

    Args:
        exact: Computes it.
        space: The space.
        seconds: After so long, of this thread's processor time, nothing new is computed: a report must not
            take minutes. The first few configurations do not count, for which libraries are loaded.
    """

    def __init__(self, exact: ExactMetrics, space: SearchSpace, *, seconds: float = 12.0) -> None:
        self._exact = exact
        self._space = space
        self._kept: dict[str, Mapping[str, float]] = {}
        self._left = math.inf
        some = [self.at(params) for params in self.drawn(8)]
        self._left = seconds
        self.names = frozenset().union(*(found.keys() for found in some))

    def at(self, params: Mapping[str, Any]) -> Mapping[str, float]:
        """Metrics of one configuration."""
        key = _key(params)
        if key not in self._kept:
            begun = time.thread_time()
            self._kept[key] = self._exact(params)
            self._left -= time.thread_time() - begun
        return self._kept[key]

    @property
    def is_spent(self) -> bool:
        """Whether the time is over."""
        return self._left <= 0

    def drawn(self, n: int) -> list[dict[str, Any]]:
        """Configurations drawn uniformly, the same ones each time; fewer where the time is over."""
        rng = np.random.default_rng(0)
        out = []
        for _ in range(n):
            params = self._space.sample(rng)
            if (
                self._kept
                and self.is_spent
                and json.dumps(params, sort_keys=True, default=repr) not in self._kept
            ):
                break
            out.append(params)
            self.at(params)
        return out


def _key(params: Mapping[str, Any]) -> str:
    return json.dumps(params, sort_keys=True, default=repr)
