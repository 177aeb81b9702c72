"""A view of an Optuna storage that shows what optuna-dashboard 0.21 does not know.

The dashboard reads constraints only from an attribute that Optuna 5 no longer writes: infeasible trials look
feasible. Writing it would make Optuna count every constraint twice; this view adds it on the way out.
"""

from __future__ import annotations

import copy
from collections.abc import Container, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, NoReturn

from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from satisfice.choose import (
    constraints_from_optuna,
    describe_miss,
    objectives_from_optuna,
    records_from_trials,
)
from satisfice.dashboard.insight import Insights, best_numbers, view_from_optuna
from satisfice.errors import InputError
from satisfice.report.context import StudyView, fits
from satisfice.spec.constraint import Constraint
from satisfice.spec.trial import TrialRecord

_OLD_KEY = "constraints"  # what the dashboard reads: a list of violations
_NAMES_KEY = "study:metric_names"

# The study whose detail is being answered: only then are its figures needed, its best trials chosen here.
detail_of: ContextVar[int | None] = ContextVar("detail_of", default=None)


Constraints = Mapping[str, float]  # by key


class StorageView(BaseStorage):
    """An Optuna storage as the dashboard should see it.

    Args:
        storage: The storage underneath.
        insights: Makes figures and notes.
        allow_writes: Pass writes on; else every write raises InputError.
    """

    def __init__(self, storage: BaseStorage, insights: Insights, *, allow_writes: bool = False) -> None:
        self._storage = storage
        self._insights = insights
        self._allow_writes = allow_writes
        self._shown: dict[
            int, tuple[Constraints, FrozenTrial]
        ] = {}  # of finished ones only bounds may change
        self._views: dict[int, tuple[tuple[int, int, int], StudyView]] = {}

    # ---- what is shown differently

    def get_all_studies(self) -> list[Any]:
        """Studies by id; the one whose detail is asked for with its figures and note."""
        studies = sorted(self._storage.get_all_studies(), key=lambda s: s._study_id)  # noqa: SLF001  # no public name
        wanted = detail_of.get()
        return [self._detailed(s) if s._study_id == wanted else s for s in studies]  # noqa: SLF001  # as above

    def _detailed(self, study: Any) -> Any:
        study_id: int = study._study_id  # noqa: SLF001  # no public name
        shown = copy.copy(study)
        added = self._insights.attributes(study_id, study.study_name, self.study_view(study_id))
        shown.system_attrs = {**added, **study.system_attrs}  # a person's own note and figures win
        # With several objectives the dashboard would look for best trials itself: infeasible ones too, and
        # in quadratic time. One direction spares that; the answer is put right in `app`.
        shown._directions = study.directions[:1]  # noqa: SLF001  # the class has no setter
        return shown

    def study_view(self, study_id: int) -> StudyView:
        """The study as its Optuna rows tell it; kept until a trial changes."""
        trials = self._storage.get_all_trials(study_id, deepcopy=False)
        judged = hash(tuple(tuple(t.constraints.items()) for t in trials if t.state.is_finished()))
        state = (len(trials), sum(t.state.is_finished() for t in trials), judged)
        kept = self._views.get(study_id)
        if kept is None or kept[0] != state:
            names = self._storage.get_study_system_attrs(study_id).get(_NAMES_KEY)
            kept = (state, view_from_optuna(self._storage.get_study_directions(study_id), names, trials))
            self._views[study_id] = kept
        return kept[1]

    def best_numbers(self, study_id: int) -> list[int]:
        """Numbers of the trials that are best: feasible, COMPLETE, on the front."""
        return best_numbers(self.study_view(study_id))

    def get_best_trial(self, study_id: int) -> FrozenTrial:
        """The best feasible trial; where nothing fits, while a detail is answered, any complete one."""
        numbers = best_numbers(self.study_view(study_id))
        trials = self.get_all_trials(study_id, deepcopy=False, states=(TrialState.COMPLETE,))
        fitting = [t for t in trials if t.number in numbers]
        if fitting or (trials and detail_of.get() == study_id):
            return (fitting or trials)[0]
        raise ValueError("No feasible trials are completed yet.")

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """The trial, with its constraints as the dashboard reads them."""
        return self._show(self._storage.get_trial(trial_id))

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """All trials, with their constraints as the dashboard reads them."""
        trials = self._storage.get_all_trials(study_id, deepcopy=False, states=states)
        shown = [self._show(t) for t in trials]
        return copy.deepcopy(shown) if deepcopy else shown

    def _show(self, trial: FrozenTrial) -> FrozenTrial:
        trial_id: int = trial._trial_id  # noqa: SLF001  # no public name
        constraints = trial.constraints
        judged, kept = self._shown.get(trial_id, (None, trial))
        same = kept.number == trial.number and kept.datetime_start == trial.datetime_start
        if judged == constraints and same:
            return kept
        shown = copy.copy(trial)
        if constraints and _OLD_KEY not in trial.system_attrs:
            shown.system_attrs = {**trial.system_attrs, _OLD_KEY: list(constraints.values())}
        if constraints:
            shown.user_attrs = {**_told(trial), **trial.user_attrs}
        if trial.state.is_finished():
            self._shown[trial_id] = constraints, shown
        return shown

    # ---- what is passed on as it is

    def get_study_id_from_name(self, study_name: str) -> int:
        """As the storage underneath."""
        return self._storage.get_study_id_from_name(study_name)

    def get_study_name_from_id(self, study_id: int) -> str:
        """As the storage underneath."""
        return self._storage.get_study_name_from_id(study_id)

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        """As the storage underneath."""
        return self._storage.get_study_directions(study_id)

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        """As the storage underneath."""
        return self._storage.get_study_user_attrs(study_id)

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """As the storage underneath."""
        return self._storage.get_study_system_attrs(study_id)

    def remove_session(self) -> None:
        """As the storage underneath."""
        self._storage.remove_session()

    # ---- writes

    def _writable(self) -> BaseStorage:
        if not self._allow_writes:
            _refuse()
        return self._storage

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> int:
        """Write, where writes are allowed."""
        return self._writable().create_new_study(directions, study_name)

    def delete_study(self, study_id: int) -> None:
        """Write, where writes are allowed."""
        self._writable().delete_study(study_id)

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        """Write, where writes are allowed."""
        self._writable().set_study_user_attr(study_id, key, value)

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """Write, where writes are allowed."""
        self._writable().set_study_system_attr(study_id, key, value)

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Write, where writes are allowed."""
        return self._writable().create_new_trial(study_id, template_trial)

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        """Write, where writes are allowed."""
        self._writable().set_trial_param(trial_id, param_name, param_value_internal, distribution)

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """Write, where writes are allowed."""
        return self._writable().set_trial_state_values(trial_id, state, values)

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        """Write, where writes are allowed."""
        self._writable().set_trial_intermediate_value(trial_id, step, intermediate_value)

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Write, where writes are allowed."""
        self._writable().set_trial_user_attr(trial_id, key, value)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Write, where writes are allowed."""
        self._writable().set_trial_system_attr(trial_id, key, value)


def _told(trial: FrozenTrial) -> dict[str, Any]:
    """Whether the trial fits, and the values behind its constraints: the trial pages say neither."""
    unnamed = objectives_from_optuna([StudyDirection.MINIMIZE] * len(trial.values or [0]), None)
    record = records_from_trials([trial], unnamed)[0]
    constraints = constraints_from_optuna([trial], unnamed)
    values = {c.metric: record.metrics[c.metric] for c in constraints if c.metric in record.metrics}
    return {"fits": _fits(record, constraints), **values}


def _fits(record: TrialRecord, constraints: Sequence[Constraint]) -> str:
    verdict, missed = fits(record, constraints), describe_miss(record, constraints)
    if verdict is not None:
        return "yes" if verdict else f"no: {missed}"
    ended = {"PRUNED": "stopped early", "FAIL": "failed", "RUNNING": "still running"}.get(record.state.name)
    return f"not known ({'; '.join(part for part in (ended, missed) if part) or 'no verdict yet'})"


def _refuse() -> NoReturn:
    raise InputError("the dashboard is read-only", hint="start it with allow_writes=True")
