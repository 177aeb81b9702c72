"""The inputs of one proposal, and the ways to screen candidates for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from satisfice.search.auto.surrogates import Surrogates
from satisfice.search.history import History
from satisfice.search.protocol import Screen, Screened
from satisfice.search.screening import ScreeningModel
from satisfice.surrogate.encoding import Array, Encoder, keys


@dataclass(frozen=True)
class FeasibleCandidate:
    """A configuration that fits."""

    raw: Array  # shape [d]
    answer: Screened
    gain: float = 0.0  # expected, where a model was asked


@dataclass(frozen=True)
class ProposalContext:
    """All inputs of one proposal."""

    history: History
    surrogates: Surrogates | None  # None while the trials are too few for a model
    screening: ScreeningModel
    tried: set[bytes]  # keys of all configurations that were proposed
    ask_screen: Screen
    rng: np.random.Generator

    @property
    def encoder(self) -> Encoder:
        """Of the space."""
        return self.history.encoder

    @property
    def tried_rows(self) -> Array:
        """Raw rows of all trials, shape [n, d]."""
        return self.history.raw[self.history.state >= 0]

    def screen(self, row: Array) -> Screened:
        """The screen's answer for one raw row, asked once."""
        return self.screening.screen(row, self.ask_screen)

    def first_that_fits(self, raw: Array) -> tuple[FeasibleCandidate | None, int]:
        """The first of the raw rows that fits, and how many were screened."""
        for i, row in enumerate(raw):
            answer = self.screen(row)
            if answer.fits:
                return FeasibleCandidate(row, answer), i + 1
        return None, len(raw)

    def new(self, raw: Array) -> Array:
        """Raw rows without duplicates, what was tried, and what was turned away."""
        seen: set[bytes] = set()
        keep = []
        for i, key in enumerate(keys(raw)):
            if key in self.tried or key in seen or self.screening.refused(key):
                continue
            seen.add(key)
            keep.append(i)
        return raw[keep]

    def chance(self, scaled: Array) -> Array:
        """Probability that each scaled row fits, by all that is known. Shape [n]."""
        chance = self.screening.probability_fits(scaled)
        return chance if self.surrogates is None else chance * self.surrogates.probability_feasible(scaled)
