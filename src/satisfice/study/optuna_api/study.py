"""What users of Optuna call on a study: docs/coming-from-optuna.md says what each does here."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from satisfice.errors import SeveralObjectives
from satisfice.study.optuna_api.refused import attribute

if TYPE_CHECKING:
    from satisfice.spec.study import StudySpec
    from satisfice.spec.trial import TrialRecord

T = TypeVar("T")

_ADDING = (
    "study.enqueue_trial(params) has a configuration tried; satisfice.import_study(URL) adopts the finished "
    "trials of an Optuna study"
)
_INSTEAD = {
    "add_trial": _ADDING,
    "add_trials": _ADDING,
    "system_attrs": "study.user_attrs has the notes on a study",
    "set_system_attr": "study.set_user_attr(key, value) keeps a note",
    "set_metric_names": 'objectives have their names from the study: [objectives] accuracy = "maximize"',
    "sampler": 'the study names it: [search] sampler = "tpe"; study.spec.search.sampler reads it',
    "pruner": 'the study names it: [search] pruner = "auto"; study.spec.search.pruner reads it',
}


class OptunaStudy:
    """The part of `Study` that is as in Optuna.

    Trials are Optuna's `FrozenTrial` here, with the values in the order of `directions`; what is best
    satisfies every constraint, as in Optuna.
    """

    if TYPE_CHECKING:
        spec: StudySpec
        name: str

        @property
        def optuna_study(self) -> optuna.Study:
            """See `Study`."""

        def best(self) -> TrialRecord:
            """See `Study`."""

        def pareto_front(self) -> list[TrialRecord]:
            """See `Study`."""

        def _by_optuna(self, read: Callable[[optuna.Study], T]) -> T: ...

    if not TYPE_CHECKING:  # a type checker shall still find a name that is misspelled

        def __getattr__(self, name: str) -> Any:
            """Name what stands for a habit that has no place here."""
            return attribute(self, "Study", name, _INSTEAD)

    def __iter__(self) -> Iterator[optuna.Study]:
        """Optuna's plots take a study of its own class, or several studies: this one, as Optuna's."""
        return iter([self.optuna_study])

    @property
    def study_name(self) -> str:
        """The study's name."""
        return self.name

    @property
    def directions(self) -> list[StudyDirection]:
        """Of each objective, in the order of the trials' values."""
        return self._by_optuna(lambda study: study.directions)

    @property
    def direction(self) -> StudyDirection:
        """Of the one objective.

        Raises:
            SeveralObjectives: There are several.
        """
        self._single("direction", "study.directions has that of each")
        return self.directions[0]

    @property
    def metric_names(self) -> list[str]:
        """Names of the objectives, in the order of `directions`."""
        named = self._by_optuna(lambda study: study.metric_names)
        return list(named or [o.metric for o in self.spec.objectives])

    @property
    def n_objectives(self) -> int:
        """How many objectives there are."""
        return len(self.spec.objectives)

    def _is_multi_objective(self) -> bool:
        """Asked by Optuna's plots."""
        return self.n_objectives > 1

    @property
    def best_trial(self) -> FrozenTrial:
        """The best finished trial that satisfies every constraint.

        Raises:
            SeveralObjectives: There are several.
            NoFeasibleTrial: None does; a ValueError, as in Optuna.
        """
        self._single("best_trial", f"{self._best_on_first()}; study.best_trials has the front")
        return self._frozen([self.best().number])[0]

    @property
    def best_params(self) -> dict[str, Any]:
        """Parameters of `best_trial`, which says what is raised."""
        self._single("best_params", f"{self._best_on_first()}, with .params")
        return dict(self.best().params)

    @property
    def best_value(self) -> float:
        """The objective's value of `best_trial`, which says what is raised."""
        self._single("best_value", f"{self._best_on_first()}, with .metrics")
        return self.best().metrics[self.spec.objectives[0].metric]

    @property
    def best_trials(self) -> list[FrozenTrial]:
        """The finished trials that satisfy every constraint and that no other one dominates."""
        return self._frozen([record.number for record in self.pareto_front()])

    def _best_on_first(self) -> str:
        return f"study.best() gives the best on {self.spec.objectives[0].metric} that fits"

    def _single(self, name: str, instead: str) -> None:
        if len(self.spec.objectives) > 1:
            raise SeveralObjectives(
                f"{name} is of one objective, and the study has {len(self.spec.objectives)}", hint=instead
            )

    def _frozen(self, numbers: Sequence[int]) -> list[FrozenTrial]:
        by_number = {t.number: t for t in self.get_trials(deepcopy=False)}
        return [by_number[number] for number in numbers]

    @property
    def trials(self) -> list[FrozenTrial]:
        """All trials by number, as Optuna has them; `records` has every metric and verdict."""
        return self.get_trials()

    def get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """The same, perhaps only those in some states."""
        return self._by_optuna(lambda study: study.get_trials(deepcopy=deepcopy, states=states))

    @property
    def user_attrs(self) -> dict[str, Any]:
        """Notes on the study."""
        every = self._by_optuna(lambda study: study.user_attrs)
        return {key: value for key, value in every.items() if not key.startswith("satisfice:")}

    def set_user_attr(self, key: str, value: Any) -> None:
        """Keep a note on the study, in Optuna's tables: JSON content."""
        self._by_optuna(lambda study: study.set_user_attr(key, value))
