"""A view of an Optuna storage that shows what optuna-dashboard 0.21 does not know.

The dashboard reads constraints only from an attribute that Optuna 5 no longer writes: infeasible trials look
feasible. Writing it would make Optuna count every constraint twice; this view adds it on the way out.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Container, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NoReturn

from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from satisfice.dashboard.insight import FIGURES, Insights, best_of, view_from_optuna
from satisfice.dashboard.trials import Shown, Trials, as_shown
from satisfice.errors import InputError
from satisfice.report.context import StudyView
from satisfice.results.followed import Followed
from satisfice.spec.study import StudySpec

_NAMES_KEY = "study:metric_names"

# The study whose detail is being answered, as it was read for it: only then are its figures needed.
asked_for: ContextVar[Detail | None] = ContextVar("asked_for", default=None)

# While a file is named after a study: ids by the names that stand for those that no header can hold.
aliases: ContextVar[dict[str, int] | None] = ContextVar("aliases", default=None)

_PLAIN = re.compile(r"[\w .()+@-]+", re.ASCII)

Live = Callable[[str], "Followed | None"]  # by name, as satisfice's own tables tell it; None: not made by it


@dataclass(frozen=True, kw_only=True)
class Detail:
    """One study as it stands while a request is answered."""

    study: Any  # Optuna's frozen study
    shown: Shown
    best: Sequence[int]  # numbers of its best trials
    extra: Mapping[str, str]  # system attributes that show its note and figures


class StorageView(BaseStorage):
    """An Optuna storage as the dashboard should see it.

    Args:
        storage: The storage underneath.
        insights: Makes figures and notes.
        allow_writes: Pass writes on; else every write raises InputError.
        live: Follows studies of satisfice: replicates and reports are in its own tables.
    """

    def __init__(
        self,
        storage: BaseStorage,
        insights: Insights,
        *,
        allow_writes: bool = False,
        live: Live | None = None,
    ) -> None:
        self._storage = storage
        self._insights = insights
        self._allow_writes = allow_writes
        self._live = live or (lambda _: None)
        self._trials = Trials(storage)
        self._views: dict[int, tuple[int, StudyView]] = {}
        self._best: dict[int, tuple[object, list[int]]] = {}

    # ---- what is shown differently

    def get_all_studies(self) -> list[Any]:
        """Studies by id; while a detail is answered that one alone, with its note."""
        asked = asked_for.get()
        if asked is not None:
            return [_with_extra(asked)]
        return sorted(self._storage.get_all_studies(), key=lambda s: s._study_id)  # noqa: SLF001  # no public name

    def detail(self, study_id: int) -> Detail | None:
        """A study as it stands now; None where there is none of that id."""
        studies = self._storage.get_all_studies()
        study = next((s for s in studies if s._study_id == study_id), None)  # noqa: SLF001  # no public name
        if study is None:
            return None
        try:
            followed, shown = self._now(study_id, study.study_name)
        except KeyError:  # deleted meanwhile
            return None
        if followed is not None:
            view = _view_of(followed)
            best = self._chosen(study_id, followed, followed.spec)
        else:
            view = self._view(study_id, study.directions, study.system_attrs.get(_NAMES_KEY), shown)
            best = self._chosen(study_id, view, view)
        extra = self._insights.attributes(study_id, study.study_name, view)
        return Detail(study=study, shown=shown, best=best, extra=extra)

    def _now(self, study_id: int, name: str) -> tuple[Followed | None, Shown]:
        followed = self._live(name)
        return followed, self._trials.of(study_id, {} if followed is None else followed.curves)

    def _shown(self, study_id: int) -> Shown:
        asked = asked_for.get()
        if asked is not None and asked.study._study_id == study_id:  # noqa: SLF001  # no public name
            return asked.shown
        return self._now(study_id, self._storage.get_study_name_from_id(study_id))[1]

    def _view(
        self, study_id: int, directions: Sequence[StudyDirection], names: Sequence[str] | None, shown: Shown
    ) -> StudyView:
        kept = self._views.get(study_id)
        if kept is None or kept[0] != shown.judged:
            kept = (shown.judged, view_from_optuna(directions, names, shown.trials))
            self._views[study_id] = kept
        return kept[1]

    def _chosen(self, study_id: int, of: Followed | StudyView, judged: StudySpec | StudyView) -> list[int]:
        """Numbers of the best trials; where satisfice made the study, its replicates are judged together."""
        kept = self._best.get(study_id)
        if kept is None or kept[0] is not of.records:
            found = best_of(of.records, judged.objectives, judged.constraints)
            kept = self._best[study_id] = of.records, found
        return kept[1]

    def study_view(self, study_id: int) -> StudyView:
        """The study as its Optuna rows tell it; kept until a finished trial changes."""
        names = self._storage.get_study_system_attrs(study_id).get(_NAMES_KEY)
        return self._view(
            study_id, self._storage.get_study_directions(study_id), names, self._shown(study_id)
        )

    def best_numbers(self, study_id: int) -> list[int]:
        """Numbers of the trials that are best: feasible, COMPLETE, on the front."""
        asked = asked_for.get()
        if asked is not None and asked.study._study_id == study_id:  # noqa: SLF001  # no public name
            return list(asked.best)
        followed = self._live(self._storage.get_study_name_from_id(study_id))
        if followed is not None:
            return self._chosen(study_id, followed, followed.spec)
        view = self.study_view(study_id)
        return self._chosen(study_id, view, view)

    def get_best_trial(self, study_id: int) -> FrozenTrial:
        """The best feasible trial; where nothing fits, while a detail is answered, any complete one."""
        numbers = self.best_numbers(study_id)
        trials = self.get_all_trials(study_id, deepcopy=False, states=(TrialState.COMPLETE,))
        fitting = [t for t in trials if t.number in numbers]
        if fitting or (trials and asked_for.get() is not None):
            return (fitting or trials)[0]
        raise ValueError("No feasible trials are completed yet.")

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """The trial, with its constraints as the dashboard reads them."""
        return as_shown(self._storage.get_trial(trial_id))

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """All trials, with their constraints as the dashboard reads them, and their curves."""
        trials = [t for t in self._shown(study_id).trials if states is None or t.state in states]
        return copy.deepcopy(trials) if deepcopy else trials

    # ---- what is passed on as it is

    def get_study_id_from_name(self, study_name: str) -> int:
        """As the storage underneath; also by an alias."""
        known = aliases.get() or {}
        return known.get(study_name) or self._storage.get_study_id_from_name(study_name)

    def get_study_name_from_id(self, study_id: int) -> str:
        """As the storage underneath; an alias where one is wanted."""
        name, given = self._storage.get_study_name_from_id(study_id), aliases.get()
        if given is None or _PLAIN.fullmatch(name):
            return name
        alias = f"study-{study_id}"
        given[alias] = study_id
        return alias

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


def _view_of(followed: Followed) -> StudyView:
    """What figures and note are drawn from until the whole study is read for them."""
    spec = followed.spec
    return StudyView(
        records=followed.records,
        objectives=spec.objectives,
        constraints=spec.constraints,
        space=spec.space,
    )


def _with_extra(asked: Detail) -> Any:
    shown = copy.copy(asked.study)
    note = {key: text for key, text in asked.extra.items() if not key.startswith(FIGURES)}
    shown.system_attrs = {**note, **asked.study.system_attrs}  # a person's own note wins
    # With several objectives the dashboard would look for best trials itself: infeasible ones too, and
    # in quadratic time. One direction spares that; the answer is put right in `detail`.
    shown._directions = asked.study.directions[:1]  # noqa: SLF001  # the class has no setter
    return shown


def _refuse() -> NoReturn:
    raise InputError("the dashboard is read-only", hint="start it with allow_writes=True")
