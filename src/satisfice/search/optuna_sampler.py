"""The sampler named ``auto`` for people with an Optuna study of their own.

study = optuna.create_study(directions=["maximize", "minimize"], sampler=SatisficeSampler(seed=1))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from satisfice.errors import NoFeasibleProposal
from satisfice.search.auto import AutoSampler
from satisfice.search.encode import Encoder
from satisfice.search.optuna_bridge import CopyableLock, StudyReader
from satisfice.search.protocol import Screened

Exact = Callable[[Mapping[str, Any]], Mapping[str, float]]


class SatisficeSampler(BaseSampler):
    """Expected hypervolume improvement with exact screening, for one or several objectives.

    Constraints set by ``trial.set_constraint`` are learnt from finished trials. Those that are functions of
    the parameters are better given as ``constraints``: proposals that violate them are replaced before they
    are trained. Parameters that some trials lack are taken as inactive there.

    Args:
        seed: Makes a run reproducible; with several workers give each the same one.
        constraints: Parameters to constraint values by key, satisfied if <= 0. The parameters are those seen
        in
            earlier trials, so the first trial is not screened. The values are set on the trial when it ends,
            unless ``trial.set_constraint`` did so before.
    """

    def __init__(self, seed: int | None = None, constraints: Exact | None = None) -> None:
        self._seed = seed if seed is not None else int(np.random.SeedSequence().generate_state(1)[0])
        self._constraints = constraints
        self._lock = CopyableLock()
        self._independent = optuna.samplers.RandomSampler(seed=seed)
        self._reader: StudyReader | None = None
        self._sampler: AutoSampler | None = None
        self._made_for: tuple[Any, ...] = ()

    def reseed_rng(self) -> None:
        """Called by Optuna for each of several threads; proposals depend on the trial number anyway."""
        self._independent.reseed_rng()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Every parameter of the finished trials whose distribution is no constant, by name."""
        space: dict[str, BaseDistribution] = {}
        for other in study._get_trials(deepcopy=False, use_cache=True):  # noqa: SLF001  # as Optuna's samplers do
            if other.state in (TrialState.COMPLETE, TrialState.PRUNED):
                space.update(other.distributions)
        return {name: space[name] for name in sorted(space) if not space[name].single()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """A proposal for all parameters of the space; those that the trial does not ask for are not used."""
        if not search_space:
            return {}
        trials = study._get_trials(deepcopy=False, use_cache=True)  # noqa: SLF001  # as Optuna's samplers do
        rng = np.random.default_rng([self._seed, trial.number])
        with self._lock:
            reader, sampler = self._prepared(study, trials, search_space)
            history = reader.read(trials, skip=trial.number)
            try:
                return sampler.propose(history, self._screen, rng).params
            except NoFeasibleProposal:  # Optuna's contract knows no such end: propose anything
                encoder = Encoder(reader.problem.space)
                return encoder.params(encoder.raw_from_quantiles(encoder.draw(1, rng))[0])

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A random value, for parameters that no finished trial has."""
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Set the constraints that are functions of the parameters, where the objective did not."""
        if self._constraints is None or trial.constraints or state == TrialState.FAIL:
            return
        with self._lock:
            constraints = self._constraints(trial.params)
        for key, value in constraints.items():
            # What `Trial.set_constraint` does; there is no live trial here.
            study._storage.set_trial_system_attr(trial._trial_id, f"constraints:{key}", float(value))  # noqa: SLF001

    def _screen(self, params: Mapping[str, Any]) -> Screened:
        if self._constraints is None:
            return Screened(fits=True)
        values = {key: float(value) for key, value in self._constraints(params).items()}
        violations = {f"{key} <= 0": value for key, value in values.items()}
        return Screened(fits=all(v <= 0 for v in values.values()), metrics=values, violations=violations)

    def _prepared(
        self, study: Study, trials: Sequence[FrozenTrial], space: Mapping[str, BaseDistribution]
    ) -> tuple[StudyReader, AutoSampler]:
        """Reader and sampler for this space, made anew when the space or the constraints change."""
        keys = sorted({key for t in trials if t.state.is_finished() for key in t.constraints})
        made_for = (study._study_id, tuple(space.items()), tuple(keys))  # noqa: SLF001  # the only identity it has
        if self._reader is None or self._sampler is None or made_for != self._made_for:
            names = [f"objective {i}" for i in range(len(study.directions))]
            self._reader = StudyReader(study.directions, space, keys, metrics=names, seed=self._seed)
            self._sampler = AutoSampler(self._reader.problem)
            self._made_for = made_for
        return self._reader, self._sampler
