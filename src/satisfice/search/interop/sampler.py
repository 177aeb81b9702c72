"""The sampler named ``auto`` for people with an Optuna study of their own.

study = optuna.create_study(directions=["maximize", "minimize"], sampler=SatisficeSampler(seed=1))
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from satisfice.errors import NoFeasibleProposal
from satisfice.search.auto.sampler import AutoSampler
from satisfice.search.interop.history import CopyableLock, Exact, StudyReader, constraint_of, space_of
from satisfice.search.protocol import Screened
from satisfice.spec.space import Parameter
from satisfice.surrogate.encoding import Encoder
from satisfice.threads import one_blas_thread

logger = logging.getLogger(__name__)

_LAST_RESORT = 64  # configurations looked at where the sampler finds nothing that fits


class SatisficeSampler(BaseSampler):
    """Expected hypervolume improvement with exact screening, for one or several objectives.

    Constraints set by ``trial.set_constraint`` are learnt from finished trials. Those that are functions of
    the parameters are better given as ``constraints``: proposals that violate them are replaced before they
    are trained. Both go together. Parameters that some trials lack are taken as inactive there.

    Args:
        seed: Makes a run reproducible; with several workers give each the same one.
        constraints: Parameters to constraint values by key, satisfied if <= 0; never called by two threads at
            once. The parameters are those seen in earlier trials, so the first trial is not screened, nor is
            what a ``KeyError`` says to lack a parameter. The values are set on the trial when it ends, for
            keys that ``trial.set_constraint`` did not set before.
    """

    def __init__(self, seed: int | None = None, constraints: Exact | None = None) -> None:
        self._seed = seed if seed is not None else int(np.random.SeedSequence().generate_state(1)[0])
        self._constraints = constraints
        self._lock = CopyableLock()
        self._exact_keys: set[str] = set()  # that `constraints` has given so far
        self._lacked: set[str] = set()  # by trials that have ended, as it said
        self._reader: StudyReader | None = None
        self._sampler: AutoSampler | None = None
        self._made_for: tuple[Any, ...] = ()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Every parameter of the finished trials, by name; constants too, which constraints may ask for."""
        trials = study._get_trials(deepcopy=False, use_cache=True)  # noqa: SLF001  # as Optuna's samplers do
        space = space_of([t for t in trials if t.state in (TrialState.COMPLETE, TrialState.PRUNED)])
        return {name: space[name] for name in sorted(space)}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """A proposal for all parameters of the space; those that the trial does not ask for are not used."""
        if not search_space:
            return {}
        trials = study._get_trials(deepcopy=False, use_cache=True)  # noqa: SLF001  # as Optuna's samplers do
        rng = np.random.default_rng([self._seed, trial.number])
        # Surrogates factor small matrices: several threads only get in each other's way.
        with self._lock, one_blas_thread():
            reader, sampler = self._prepared(study, trials, search_space)
            history = reader.read(trials, skip=trial.number)
            try:
                return sampler.propose(history, self._screen, rng).params
            except NoFeasibleProposal:  # Optuna's contract knows no such end
                return self._last_resort(history.encoder, rng)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A random value, for parameters that no finished trial has; another one for each trial."""
        rng = np.random.default_rng([self._seed, trial.number, *param_name.encode()])
        return Parameter(name=param_name, distribution=param_distribution).draw(rng)

    def after_trial(
        self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Set the constraints that are functions of the parameters, where the objective did not."""
        if state == TrialState.FAIL:
            return
        with self._lock:
            exact = self._exact(trial.params, trial.number if state == TrialState.COMPLETE else None)
        for key in exact.keys() - trial.constraints.keys():
            # What `Trial.set_constraint` does; there is no live trial here.
            study._storage.set_trial_system_attr(trial._trial_id, f"constraints:{key}", exact[key])  # noqa: SLF001

    def _exact(self, params: Mapping[str, Any], number: int | None = None) -> dict[str, float]:
        """Values of the constraints that are functions of the parameters, none where these lack one.

        Args:
            params: Parameters.
            number: Of the trial, if it has all parameters that it will ever have.
        """
        if self._constraints is None:
            return {}
        try:
            values = self._constraints(params)
        except KeyError as lacking:  # of another part of the space, or not yet asked for
            if number is not None and str(lacking) not in self._lacked:
                self._lacked.add(str(lacking))
                logger.warning(
                    "trial %d and its like are not judged by `constraints`: no %s", number, lacking
                )
            return {}
        exact = {key: math.inf if math.isnan(v) else float(v) for key, v in values.items()}
        self._exact_keys |= exact.keys()
        return exact

    def _screen(self, params: Mapping[str, Any]) -> Screened:
        exact = {constraint_of(key): value for key, value in self._exact(params).items()}
        return Screened(
            fits=all(value <= 0 for value in exact.values()),
            metrics={constraint.metric: value for constraint, value in exact.items()},
            violations={constraint.key: value for constraint, value in exact.items()},
        )

    def _last_resort(self, encoder: Encoder, rng: np.random.Generator) -> dict[str, Any]:
        """A random configuration, tried before or not, that misses the constraints by least."""
        raw = encoder.raw_from_quantiles(encoder.draw(_LAST_RESORT, rng))
        found = [encoder.params(row) for row in raw]
        return min(found, key=lambda params: sum(max(v, 0.0) for v in self._exact(params).values()))

    def _prepared(
        self, study: Study, trials: Sequence[FrozenTrial], space: Mapping[str, BaseDistribution]
    ) -> tuple[StudyReader, AutoSampler]:
        """Reader and sampler, made again when the study, the space or the constraints change."""
        keys = sorted(self._exact_keys.union(*(t.constraints for t in trials if t.state.is_finished())))
        # Ids and names are given again, in other storages or after a study was deleted.
        made_for = (study.study_name, trials[0].datetime_start, tuple(space.items()), tuple(keys))
        if self._reader is None or self._sampler is None or made_for != self._made_for:
            names = [f"objective {i}" for i in range(len(study.directions))]
            self._reader = StudyReader(
                study.directions, space, keys, metrics=names, seed=self._seed, exact=self._exact
            )
            self._sampler = AutoSampler(self._reader.problem)
            self._made_for = made_for
        return self._reader, self._sampler
