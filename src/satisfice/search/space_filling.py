"""Samplers that learn nothing: independent draws, and a low-discrepancy sequence; both screened."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import qmc

from satisfice.errors import NoFeasibleProposal
from satisfice.search.encode import Array, Encoder, keys
from satisfice.search.history import History
from satisfice.search.memory import ScreenMemory
from satisfice.search.protocol import Proposal, Screen, SearchProblem

MAX_SCREENS = 500  # per proposal


class RandomSampler:
    """Independent draws from the space, those that do not fit replaced."""

    def __init__(self, problem: SearchProblem) -> None:
        self._memory = ScreenMemory(problem, Encoder(problem.space))

    def propose(self, history: History, screen: Screen, rng: np.random.Generator) -> Proposal:
        """The next configuration (see `Sampler`)."""
        encoder = history.encoder
        for count in range(1, MAX_SCREENS + 1):
            raw = encoder.raw_from_quantiles(encoder.draw(1, rng))[0]
            answer = self._memory.screen(raw, screen)
            if answer.fits:
                why = {"method": "random", "kind": "explore", "screened": count}
                return Proposal(params=encoder.params(raw), metrics=dict(answer.metrics), why=why)
        raise nothing_fits(self._memory, MAX_SCREENS)


class QmcSampler:
    """A scrambled Sobol sequence, walked in order; what was tried or does not fit is passed over.

    The sequence depends on the study's seed alone, so that workers share it without saying so.
    """

    def __init__(self, problem: SearchProblem) -> None:
        self._encoder = Encoder(problem.space)
        self._memory = ScreenMemory(problem, self._encoder)
        self._seed = problem.seed
        self._points: Array = np.zeros((0, 0))

    def propose(self, history: History, screen: Screen, rng: np.random.Generator) -> Proposal:
        """The next point of the sequence that fits and was not tried (see `Sampler`)."""
        tried = set(keys(history.raw[history.state >= 0]))
        screened, i = 0, 0
        while screened < MAX_SCREENS and i < MAX_SCREENS + 2 * len(history) + 64:
            raw = self._encoder.raw_from_quantiles(self._point(i)[None])[0]
            i += 1
            key = keys(raw[None])[0]
            if key in tried or self._memory.refused(key):
                continue
            screened += 1
            answer = self._memory.screen(raw, screen)
            if answer.fits:
                why = {"method": "qmc", "kind": "explore", "screened": screened}
                return Proposal(params=self._encoder.params(raw), metrics=dict(answer.metrics), why=why)
        raise nothing_fits(self._memory, screened)

    def _point(self, i: int) -> Array:
        if i >= len(self._points):
            free = self._encoder.free
            power = max(6, math.ceil(math.log2(i + 1)) + 1)
            points = np.full((2**power, len(self._encoder.parameters)), 0.5)
            if len(free):
                engine = qmc.Sobol(len(free), scramble=True, seed=self._seed)
                points[:, free] = np.minimum(engine.random_base2(power), 1 - 1e-12)
            self._points = points
        return np.asarray(self._points[i])


def nothing_fits(memory: ScreenMemory, tried: int) -> NoFeasibleProposal:
    """The error for when screening found nothing, with what is known of the feasible share."""
    share = memory.share_that_fits()
    if tried == 0 and share > 0:
        return NoFeasibleProposal("every configuration that fits has been tried", feasible_share=share)
    worst = memory.most_violated()
    # None of n fits: the share is below 3/n with 95% confidence (rule of three).
    upper = share if share > 0 else min(1.0, 3.0 / max(len(memory), 1))
    return NoFeasibleProposal(
        f"none of {tried} new configurations fits ({len(memory)} screened so far); "
        f"at most about {upper:.1%} of the space does",
        feasible_share=upper,
        hint=f"{worst} turns most away" if worst else "",
    )
