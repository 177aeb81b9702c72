"""The initial design, and proposals that explore: configurations far from all trials."""

from __future__ import annotations

import numpy as np

from satisfice.search.auto.branches import Branch
from satisfice.search.auto.proposal import FeasibleCandidate, ProposalContext
from satisfice.search.baselines.space_filling import nothing_fits
from satisfice.surrogate.encoding import Array

MAX_SCREENS = 240  # per proposal
_BRANCH_SCREENS = 20  # per visit to one branch of a conditional space


def space_filling_candidate(context: ProposalContext) -> FeasibleCandidate:
    """A random configuration that fits, far from those already tried.

    Raises:
        NoFeasibleProposal: No configuration that fits was found within `MAX_SCREENS` screenings.
    """
    budget, drawn = MAX_SCREENS, 0
    for attempt in range(12):
        quantiles = context.encoder.draw(64 if attempt < 2 else 512, context.rng)
        raw = _far_first(context, quantiles)[: min(8 + 4 * attempt, budget)]
        found, screened = context.first_that_fits(raw)
        if found is not None:
            return found
        budget, drawn = budget - screened, drawn + screened
    raise nothing_fits(context.screening, drawn)


def random_candidate_in(context: ProposalContext, branch: Branch) -> FeasibleCandidate | None:
    """A random configuration of one branch, or None if `_BRANCH_SCREENS` screenings find none that fits.

    It need not be far from earlier trials: the farthest points are corners, which are mostly bad and costly.
    """
    encoder, rng = context.encoder, context.rng
    quantiles = branch.moved_into(encoder, encoder.draw(64, rng), rng)
    raw = context.new(encoder.raw_from_quantiles(quantiles))
    chance = context.chance(encoder.scaled(raw))
    likely = np.argsort(chance <= 0.5 * chance.max(initial=0.0), kind="stable")
    return context.first_that_fits(raw[likely[:_BRANCH_SCREENS]])[0]


def _far_first(context: ProposalContext, quantiles: Array) -> Array:
    """Raw rows at the quantiles, sorted: those that probably fit and are far from earlier trials first."""
    encoder = context.encoder
    raw = context.new(encoder.raw_from_quantiles(quantiles))
    if len(raw) == 0:
        return raw
    scaled = encoder.scaled(raw)
    chance = context.chance(scaled)
    far = _distance(context, scaled)
    worth = far * np.where(chance > 0.5 * chance.max(), 1.0, 1e-3) * chance
    return raw[np.argsort(-worth, kind="stable")]


def _distance(context: ProposalContext, scaled: Array) -> Array:
    """Mean distance per parameter to the nearest of the latest 300 trials. Shape [n]."""
    tried = context.encoder.scaled(context.tried_rows)
    if len(tried) == 0 or scaled.shape[1] == 0:
        return np.ones(len(scaled))
    delta = np.abs(scaled[:, None, :] - tried[-300:][None])
    delta = np.where(context.encoder.layout.ordered, delta, delta != 0)
    return np.asarray(delta.mean(axis=2).min(axis=1))
