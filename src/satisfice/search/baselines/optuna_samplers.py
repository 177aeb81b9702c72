"""Optuna's own samplers with screening in front.

The sampler runs on a mirror: an in-memory Optuna study in this process, fed from the history, so that
redraws never touch the shared database. A new sampler is made for each proposal, seeded from the caller's
generator.

How each sampler treats a proposal that was turned away (observed on Optuna 5.0.0):

- TPE reads PRUNED trials with constraints: the proposal is told as one.
- NSGA-II reads finished COMPLETE trials only: redrawing is all that is needed.
- GPSampler reads COMPLETE trials only, and redraws cluster at one peak of its acquisition: after a few,
  candidates around its proposal are screened instead. It reads constraints by position: all are set, in the
  study's order.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from satisfice.search.baselines.space_filling import nothing_fits
from satisfice.search.history import History
from satisfice.search.protocol import Proposal, Screen, Screened, SearchProblem
from satisfice.search.screening import ScreeningModel
from satisfice.surrogate.encoding import Array, keys, neighbours

MakeSampler = Callable[[int], optuna.samplers.BaseSampler]
_AROUND = 60  # candidates screened around a proposal
_RANDOM = 400  # and then anywhere


class OptunaSampler:
    """One of Optuna's samplers on a mirror of the study.

    Args:
        problem: The problem.
        name: For `Proposal.why`.
        make: Seed to sampler.
        redraws: How often the sampler itself is asked before candidates around its proposal are screened.
        tell_rejected: Whether a rejected proposal is told as PRUNED with its violations.
    """

    def __init__(
        self, problem: SearchProblem, *, name: str, make: MakeSampler, redraws: int, tell_rejected: bool
    ) -> None:
        self._problem, self._name, self._make = problem, name, make
        self._redraws, self._tell_rejected = redraws, tell_rejected
        self._study = optuna.create_study(directions=[o.direction for o in problem.objectives])
        self._mirrored: dict[int, tuple[int, bool]] = {}  # number -> (trial id in the mirror, finished)
        self._unclaimed: dict[bytes, int] = {}  # accepted here, not yet seen in the history -> trial id
        self._screening: ScreeningModel | None = None

    def propose(self, history: History, screen: Screen, rng: np.random.Generator) -> Proposal:
        """The next configuration (see `Sampler`)."""
        if self._screening is None:
            self._screening = ScreeningModel(self._problem, history.encoder)
        self._mirror(history)
        # At the ends of what floats hold, densities are zero and their logarithms infinite: that is right.
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", category=optuna.exceptions.ExperimentalWarning)
            self._study.sampler = self._make(int(rng.integers(2**31)))
            return self._ask(history, screen, rng)

    def _ask(self, history: History, screen: Screen, rng: np.random.Generator) -> Proposal:
        assert self._screening is not None
        first: Array | None = None
        for count in range(1, self._redraws + 1):
            trial = self._study.ask()
            params = self._suggest(trial)
            raw = history.encoder.raw(params)
            first = raw if first is None else first
            try:
                answer = self._screening.screen(raw, screen)
            except BaseException:
                self._study.tell(trial, state=TrialState.FAIL)
                raise
            if answer.fits:
                self._unclaimed[keys(raw[None])[0]] = trial._trial_id  # noqa: SLF001  # the only handle to it
                return self._proposal(history, raw, answer, count)
            if self._tell_rejected:
                self._set_constraints(trial, answer)
                self._study.tell(trial, state=TrialState.PRUNED)
            else:
                self._study.tell(trial, state=TrialState.FAIL)
        assert first is not None
        return self._around(history, first, screen, rng)

    def _around(self, history: History, first: Array, screen: Screen, rng: np.random.Generator) -> Proposal:
        """The first that fits among ever wider surroundings of the sampler's own proposal."""
        assert self._screening is not None
        encoder = history.encoder
        base = encoder.quantiles(first[None], encoder.draw(1, rng))
        tried = self._redraws
        for scale in (0.05, 0.15, 0.4, None):
            count = _RANDOM if scale is None else _AROUND // 3
            partners = encoder.draw(count, rng)
            starts = np.repeat(base, count, axis=0)
            quantiles = partners if scale is None else neighbours(encoder, starts, partners, (scale,), rng)
            for raw in encoder.raw_from_quantiles(quantiles):
                tried += 1
                answer = self._screening.screen(raw, screen)
                if answer.fits:
                    return self._proposal(history, raw, answer, tried)
        raise nothing_fits(self._screening, tried)

    def _proposal(self, history: History, raw: Array, answer: Screened, count: int) -> Proposal:
        why = {"method": self._name, "kind": "exploit", "screened": count}
        return Proposal(params=history.encoder.params(raw), metrics=dict(answer.metrics), why=why)

    def _suggest(self, trial: optuna.Trial) -> dict[str, Any]:
        """All active parameters; parents come first, so that each condition is decided when it is asked."""
        params: dict[str, Any] = {}
        for p in self._problem.space.ordered:
            if self._problem.space.is_active(p, params):
                suggested = trial._suggest(p.name, p.numeric)  # noqa: SLF001  # the one for any distribution
                params[p.name] = p.from_raw(p.numeric.to_internal_repr(suggested))
        return params

    def _set_constraints(self, trial: optuna.Trial, answer: Screened) -> None:
        for constraint in self._problem.constraints:
            trial.set_constraint(constraint.key, _finite(answer.violations.get(constraint.key, 0.0)))

    # -- the mirror ----------------------------------------------------------------------------------------
    def _mirror(self, history: History) -> None:
        """Bring the mirror up to date with the history."""
        for number in np.flatnonzero(history.state >= 0):
            known = self._mirrored.get(int(number))
            if known is not None and known[1]:
                continue
            state = TrialState(int(history.state[number]))
            if state == TrialState.WAITING:
                continue
            key = keys(history.raw[number][None])[0]
            if known is None and key in self._unclaimed:
                known = (self._unclaimed.pop(key), False)
                self._mirrored[int(number)] = known
            if known is not None:
                if state.is_finished():
                    self._finish(history, int(number), known[0], state)
            else:
                self._mirrored[int(number)] = (self._add(history, int(number), state), state.is_finished())

    def _values(
        self, history: History, number: int, state: TrialState
    ) -> tuple[TrialState, list[float] | None]:
        if state != TrialState.COMPLETE:
            return state, None
        values = [
            float(v)
            for v in history.metrics[number, [history.metric_column[n] for n in history.objective_names]]
        ]
        return (state, values) if np.isfinite(values).all() else (TrialState.FAIL, None)

    def _constraints(self, history: History, number: int) -> dict[str, float]:
        out = {}
        for c in self._problem.constraints:
            value = history.metrics[number, history.metric_column[c.metric]]
            out[c.key] = _finite(c.violation(value)) if np.isfinite(value) else 0.0
        return out

    def _finish(self, history: History, number: int, trial_id: int, state: TrialState) -> None:
        storage = self._study._storage  # noqa: SLF001  # `tell` needs a live Trial; the storage is our own
        for key, value in self._constraints(history, number).items():
            storage.set_trial_system_attr(trial_id, f"constraints:{key}", value)
        state, values = self._values(history, number, state)
        storage.set_trial_state_values(trial_id, state, values)
        self._mirrored[number] = (trial_id, True)

    def _add(self, history: History, number: int, state: TrialState) -> int:
        raw, encoder = history.raw[number], history.encoder
        known = {p.name: p for j, p in enumerate(encoder.parameters) if np.isfinite(raw[j])}
        params = {
            name: p.numeric.to_external_repr(float(raw[encoder.column[name]])) for name, p in known.items()
        }
        state, values = self._values(history, number, state)
        trial: FrozenTrial = create_trial(
            state=state,
            values=values,
            params=params,
            distributions={name: p.numeric for name, p in known.items()},
            system_attrs={f"constraints:{k}": v for k, v in self._constraints(history, number).items()},
        )
        study = self._study
        return study._storage.create_new_trial(study._study_id, template_trial=trial)  # noqa: SLF001  # `add_trial` gives no id


def _finite(violation: float) -> float:
    """GPSampler and TPE's sums do not take infinity well."""
    return float(np.clip(violation, -1e6, 1e6))


def tpe(problem: SearchProblem) -> OptunaSampler:
    """Optuna's TPE, multivariate. Proposals that were turned away are told to it."""
    return OptunaSampler(
        problem,
        name="tpe",
        make=lambda seed: optuna.samplers.TPESampler(
            seed=seed, multivariate=True, group=True, constant_liar=True
        ),
        redraws=100,
        tell_rejected=True,
    )


def nsga2(problem: SearchProblem) -> OptunaSampler:
    """Optuna's NSGA-II, redrawn until a proposal fits. The population is a fifth of the budget, 20 to 50."""
    size = int(np.clip((problem.n_trials or 100) // 5, 20, 50))
    return OptunaSampler(
        problem,
        name="nsga2",
        make=lambda seed: optuna.samplers.NSGAIISampler(seed=seed, population_size=size),
        redraws=200,
        tell_rejected=False,
    )
