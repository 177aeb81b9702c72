"""The sampler named ``auto``: expected hypervolume improvement over candidates that are screened exactly.

1. Initial design: space-filling points that pass the screen.
2. Then a Gaussian process for each metric known only after training. The screen returns the other metrics
   exactly; a model of its past answers only orders the candidates before they are screened.
3. Candidates come from the whole space and from the neighbourhood of local starts. The candidate with the
   greatest expected hypervolume improvement, times the probability of being feasible, is screened. If it is
   turned away, the next one replaces it.
4. Some proposals are made at a sampled value of an objective that is known before training, mostly where few
   trials have been (see `target_sampling`). In a conditional space some are made in the least visited branch
   (see `branches`).

Running trials count as finished with their predicted values (Kriging believer), so that parallel workers
spread out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.trial import TrialState
from scipy.spatial import cKDTree

from satisfice.search.auto.acquisition import Acquisition
from satisfice.search.auto.branches import Branch, branches, draw_visit
from satisfice.search.auto.candidates import around, pool
from satisfice.search.auto.initial_design import random_candidate_in, space_filling_candidate
from satisfice.search.auto.proposal import FeasibleCandidate, ProposalContext
from satisfice.search.auto.surrogates import Surrogates, fit_surrogates
from satisfice.search.auto.target_sampling import draw_target, most_promising
from satisfice.search.curves.finish import CurveModels
from satisfice.search.history import History
from satisfice.search.protocol import Proposal, Screen, Screened, SearchProblem
from satisfice.search.screening import ScreeningModel
from satisfice.spec.constraint import none_violated, violations
from satisfice.surrogate.encoding import Array, keys
from satisfice.surrogate.metric_model import HyperparameterCache

_CLIMB = 300  # candidates of each round of local search
_ROUNDS = 4
_BEST = 400  # candidates that are refined
_REFINED = 80  # candidates that are scored finely
_ROUGHNESS = (1.0, 1.0, 2.0, 3.0)  # the models' length scales are shorter by such a factor, equally often
_ROUGH_FROM = 25  # trained trials
_NOTHING = 1e-4  # a model with no more expected gain than this anywhere is overconfident
_GREATEST_SD_FACTOR = 16.0
_NEAR = 0.02  # candidates within this distance of a trial, in every parameter, are skipped
_EXPLORE = 0.05  # share of proposals that ignore the model
_MAXIMISED = {"gp-ehvi": "expected_gain", "gp-feasible": "probability_feasible"}  # what a method maximises
_SCREEN_ROUNDS, _SCREENS_PER_ROUND = 5, 4  # between rounds, predictions are updated with the answers
_GOOD_ENOUGH = (
    0.8  # exact gain, as a share of the predicted gain of the next candidate, at which screening ends
)


class AutoSampler:
    """Bayesian optimisation with exact screening (see the module's docstring)."""

    def __init__(self, problem: SearchProblem) -> None:
        self._problem = problem
        self._branches: tuple[Branch, ...] | None = None
        self._screening: ScreeningModel | None = None
        self._screened_trials: NDArray[np.bool_] = np.zeros(0, dtype=bool)  # trials that are in `_screening`
        self._tried: set[bytes] = set()
        self._seen: NDArray[np.bool_] = np.zeros(0, dtype=bool)  # trials that are in `_tried`
        self._cache = HyperparameterCache()
        self._curves = CurveModels()

    # -- the Sampler protocol ------------------------------------------------------------------------------
    def propose(self, history: History, screen: Screen, rng: np.random.Generator) -> Proposal:
        """The next configuration (see `Sampler`)."""
        screening = self._updated_screening(history)
        tried = self._tried_keys(history)
        screened_before = len(screening)
        # A smooth model is overconfident far from its data, so some proposals use a rougher one.
        trained = len(history.rows(TrialState.COMPLETE, TrialState.PRUNED))
        roughness = float(rng.choice(_ROUGHNESS)) if trained >= _ROUGH_FROM else 1.0
        surrogates = fit_surrogates(history, screening.known, self._cache, self._curves, roughness=roughness)
        context = ProposalContext(history, surrogates, screening, tried, screen, rng)
        visit = self._visit(context)
        found, method = _find(context, visit)
        branch = visit if visit is not None and visit.holds(found.raw[None])[0] else None
        kind = "exploit" if method in _MAXIMISED and branch is None else "explore"
        why: dict[str, Any] = {
            "method": method,
            "kind": kind,
            "screened": len(screening) - screened_before,
        }
        if method in _MAXIMISED:
            why[_MAXIMISED[method]] = found.gain
        if branch is not None:
            why["part"] = history.encoder.parameters[branch.column].name
        if surrogates is not None:
            why["predicted"] = surrogates.predict(history.encoder.scaled(found.raw[None]))
        return Proposal(params=history.encoder.params(found.raw), metrics=dict(found.answer.metrics), why=why)

    def _tried_keys(self, history: History) -> set[bytes]:
        """Keys of all proposed configurations. Each call adds only the new ones."""
        known = (history.state >= 0) & ~np.isnan(history.raw).all(axis=1)
        fresh = known.copy()
        fresh[: len(self._seen)] &= ~self._seen
        self._tried.update(keys(history.raw[fresh]))
        self._seen = known
        return self._tried

    def _updated_screening(self, history: History) -> ScreeningModel:
        """The screening model, with the metrics known before training of other workers' trials."""
        if self._screening is None:
            self._screening = ScreeningModel(self._problem, history.encoder)
        screening = self._screening
        columns = {n: history.metric_column[n] for n in sorted(screening.known) if n in history.metric_column}
        if columns:
            finite = np.isfinite(history.metrics[:, list(columns.values())]).all(axis=1) & (
                history.state >= 0
            )
            finite[: len(self._screened_trials)] &= ~self._screened_trials
            for i in np.flatnonzero(finite):
                metrics = {name: float(history.metrics[i, j]) for name, j in columns.items()}
                screening.add(history.raw[i].copy(), _known(self._problem, metrics))
            finite[: len(self._screened_trials)] |= self._screened_trials
            self._screened_trials = finite
        return screening

    def _visit(self, context: ProposalContext) -> Branch | None:
        """The branch to visit, if any. Without a model, only branches with an incomplete initial design."""
        if self._branches is None:
            self._branches = branches(context.encoder)
        if not self._branches:
            return None
        tried = context.tried_rows
        visit = draw_visit(self._branches, tried, context.screening.refused_rows(), context.rng)
        modelled = context.surrogates is not None
        wanted = context.rng.random() < visit.probability if modelled else visit.branch.is_new(tried)
        return visit.branch if wanted else None


# -- methods -------------------------------------------------------------------------------------------------
def _find(context: ProposalContext, branch: Branch | None) -> tuple[FeasibleCandidate, str]:
    """The next candidate, and the method that found it."""
    surrogates, draw = context.surrogates, context.rng.random()
    if branch is not None and branch.is_new(context.tried_rows):
        found = random_candidate_in(context, branch)
        if found is not None:
            return found, "space-filling"
        branch = None
    if surrogates is not None:
        target = draw_target(context.history, surrogates, context.screening, context.rng)
        found, method = None, "gp-feasible" if surrogates.seeks_feasible else "gp-ehvi"
        if branch is not None:
            found = _exploit(context, surrogates, branch)
        if found is None and draw >= _EXPLORE + (target.probability if target is not None else 0.0):
            found = _exploit(context, surrogates, None)
        elif found is None and target is not None and draw >= _EXPLORE:
            quantiles = most_promising(context.history, surrogates, context.screening, target, context.rng)
            raw = context.new(context.encoder.raw_from_quantiles(quantiles))
            found, _ = context.first_that_fits(raw[: _SCREEN_ROUNDS * _SCREENS_PER_ROUND])
            method = "gp-region"
        if found is not None:
            return found, method
    return space_filling_candidate(context), "space-filling"


def _exploit(
    context: ProposalContext, surrogates: Surrogates, branch: Branch | None
) -> FeasibleCandidate | None:
    """The candidate with the greatest acquisition that fits, in the whole space or in one branch."""
    history, encoder, rng = context.history, context.encoder, context.rng
    acquisition = Acquisition(surrogates, context.screening)
    starts = surrogates.local_starts
    if branch is not None:
        trained = history.raw[history.rows(TrialState.COMPLETE)]
        starts = np.vstack([starts, trained[branch.holds(trained)]])
    starts = encoder.quantiles(starts, encoder.draw(len(starts), rng))

    def into(quantiles: Array) -> Array:
        return quantiles if branch is None else branch.moved_into(encoder, quantiles, rng)

    quantiles = into(pool(encoder, starts, starts, rng))

    def score_of(quantiles: Array) -> Array:
        return acquisition.coarse(encoder.scaled(encoder.raw_from_quantiles(quantiles)))

    score = score_of(quantiles)
    while score.max() < _NOTHING and acquisition.sd_factor < _GREATEST_SD_FACTOR:
        acquisition.sd_factor *= 2.0
        score = score_of(quantiles)
    for _ in range(_ROUNDS):
        fresh = into(around(encoder, quantiles[np.argsort(-score, kind="stable")], _CLIMB, rng))
        quantiles, score = np.vstack([quantiles, fresh]), np.r_[score, score_of(fresh)]
    best = quantiles[np.argsort(-score, kind="stable")[:_BEST]]
    raw = context.new(encoder.raw_from_quantiles(best))
    # Skip candidates next to trials. If all are skipped, this proposal explores instead.
    raw = raw[_apart(encoder.scaled(raw), encoder.scaled(context.tried_rows))]
    return _best_that_fits(context, raw, acquisition)


def _best_that_fits(
    context: ProposalContext, raw: Array, acquisition: Acquisition
) -> FeasibleCandidate | None:
    """Screen the best candidates first, until one that fits has nearly the gain predicted for the next.

    Acquisition values depend on predicted sizes and latencies, so the remaining candidates are scored again
    after every few answers.
    """
    best: FeasibleCandidate | None = None
    for _ in range(_SCREEN_ROUNDS):
        raw = raw[:_REFINED]
        if len(raw) == 0:
            break
        predicted_gain = acquisition(context.encoder.scaled(raw))
        order = np.argsort(-predicted_gain, kind="stable")
        for i in order[:_SCREENS_PER_ROUND]:
            if best is not None and best.gain >= _GOOD_ENOUGH * predicted_gain[i]:
                return best
            answer = context.screen(raw[i])
            if not answer.fits:
                continue
            gain = float(acquisition(context.encoder.scaled(raw[i][None]), answer)[0])
            if best is None or gain > best.gain:
                best = FeasibleCandidate(raw[i], answer, gain)
        raw = raw[np.sort(order[_SCREENS_PER_ROUND:])]
        acquisition.refresh()
    return best


def _known(problem: SearchProblem, metrics: dict[str, float]) -> Screened:
    found = violations(problem.constraints, metrics)
    return Screened(fits=none_violated(found), metrics=metrics, violations=found)


def _apart(scaled: Array, others: Array) -> NDArray[np.bool_]:
    """Which rows differ by more than `_NEAR` from each of the others in some parameter. Shape [n]."""
    if len(others) == 0 or scaled.shape[1] == 0:
        return np.ones(len(scaled), dtype=bool)
    distance, _ = cKDTree(others).query(scaled, p=np.inf)
    return np.asarray(distance > _NEAR)
