"""Samplers that learn nothing: independent draws, and a low-discrepancy sequence; both screened."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import qmc

from satisfice.errors import NoFeasibleProposal
from satisfice.search.history import History
from satisfice.search.protocol import Proposal, Screen, SearchProblem
from satisfice.search.screening import ScreeningModel
from satisfice.surrogate.encoding import Array, Encoder, keys

MAX_SCREENS = 500  # per proposal


class RandomSampler:
    """Independent draws from the space, those that do not fit replaced."""

    def __init__(self, problem: SearchProblem) -> None:
        self._screening = ScreeningModel(problem, Encoder(problem.space))
        self._drawn = self._fitting = 0

    def propose(self, history: History, screen: Screen, rng: np.random.Generator) -> Proposal:
        """The next configuration (see `Sampler`)."""
        encoder = history.encoder
        for count in range(1, MAX_SCREENS + 1):
            raw = encoder.raw_from_quantiles(encoder.draw(1, rng))[0]
            answer = self._screening.screen(raw, screen)
            self._drawn += 1
            if answer.fits:
                self._fitting += 1
                why = {"method": "random", "kind": "explore", "screened": count}
                return Proposal(params=encoder.params(raw), metrics=dict(answer.metrics), why=why)
        raise nothing_fits(self._screening, MAX_SCREENS, drawn=self._drawn, fitting=self._fitting)


class QmcSampler:
    """A scrambled Sobol sequence, walked in order; what was tried or does not fit is passed over.

    The sequence depends on the study's seed alone, so that workers share it without saying so.
    """

    def __init__(self, problem: SearchProblem) -> None:
        self._encoder = Encoder(problem.space)
        self._screening = ScreeningModel(problem, self._encoder)
        self._seed = problem.seed
        self._points: Array = np.zeros((0, 0))
        self._next = 0  # place in the sequence: everything before was tried or does not fit
        self._fitting = 0  # points before it that were tried

    def propose(self, history: History, screen: Screen, rng: np.random.Generator) -> Proposal:
        """The next point of the sequence that fits and was not tried (see `Sampler`)."""
        tried = set(keys(history.raw[history.state >= 0]))
        patience = MAX_SCREENS + 2 * (len(tried) + len(self._screening))
        screened = in_vain = passed = 0
        while in_vain < MAX_SCREENS and passed < patience:
            raw = self._encoder.raw_from_quantiles(self._point(self._next)[None])[0]
            key = keys(raw[None])[0]
            if key in tried:
                self._fitting += 1
                in_vain, passed = 0, passed + 1  # another worker got as far: where nothing fits is behind
            elif self._screening.refused(key):
                passed += 1
            else:
                screened, in_vain, passed = screened + 1, in_vain + 1, 0
                answer = self._screening.screen(raw, screen)
                if answer.fits:
                    why = {"method": "qmc", "kind": "explore", "screened": screened}
                    return Proposal(params=self._encoder.params(raw), metrics=dict(answer.metrics), why=why)
            self._next += 1
        raise nothing_fits(self._screening, screened, drawn=self._next, fitting=self._fitting)

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


def nothing_fits(
    screening: ScreeningModel, tried: int, *, drawn: int | None = None, fitting: int = 0
) -> NoFeasibleProposal:
    """The error for when screening found nothing, with what is known of the feasible share.

    Args:
        screening: What screens have said.
        tried: Configurations that were screened for this proposal.
        drawn: Configurations drawn evenly from the space, repetitions included; None: what was screened was
            chosen as likely to fit, and its share stands for an upper estimate.
        fitting: How many of those drawn fit.
    """
    count = len(screening) if drawn is None else drawn
    share = screening.share_that_fits() if drawn is None else fitting / drawn
    if tried == 0 and share > 0:
        return NoFeasibleProposal("every configuration that fits has been tried", feasible_share=share)
    worst = screening.most_violated()
    # None of n fits: the share is below 3/n with 95% confidence (rule of three).
    upper = share if share > 0 else min(1.0, 3.0 / max(count, 1))
    seen = "screened" if drawn is None else "drawn"
    none = (
        "the one new configuration does not fit" if tried == 1 else f"none of {tried} new configurations fits"
    )
    return NoFeasibleProposal(
        f"{none} ({count} {seen} so far); at most about {100 * upper:.3g}% of the space does",
        feasible_share=upper,
        hint=f"{worst} turns most away" if worst else "",
    )
