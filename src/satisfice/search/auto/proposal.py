"""The inputs of one proposal, and methods that screen candidates for it."""

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
    """A configuration that passed the screen."""

    raw: Array  # shape [d]
    answer: Screened
    gain: float = 0.0  # expected gain; 0 without a model


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
        """The encoder of the space."""
        return self.history.encoder

    @property
    def tried_rows(self) -> Array:
        """Raw rows of all trials, shape [n, d]."""
        return self.history.raw[self.history.state >= 0]

    def screen(self, row: Array) -> Screened:
        """Screen one raw row. The answer is cached."""
        return self.screening.screen(row, self.ask_screen)

    def first_that_fits(self, raw: Array) -> tuple[FeasibleCandidate | None, int]:
        """The first raw row that fits (None if none does), and how many were screened."""
        for i, row in enumerate(raw):
            answer = self.screen(row)
            if answer.fits:
                return FeasibleCandidate(row, answer), i + 1
        return None, len(raw)

    def new(self, raw: Array) -> Array:
        """The raw rows without duplicates, without those already tried and without those turned away."""
        seen: set[bytes] = set()
        keep = []
        for i, key in enumerate(keys(raw)):
            if key in self.tried or key in seen or self.screening.refused(key):
                continue
            seen.add(key)
            keep.append(i)
        return raw[keep]

    def chance(self, scaled: Array) -> Array:
        """Probability that each scaled row is feasible, by screening and surrogates. Shape [n]."""
        chance = self.screening.probability_fits(scaled)
        return chance if self.surrogates is None else chance * self.surrogates.probability_feasible(scaled)
