"""What users of Optuna call on a trial: docs/coming-from-optuna.md says what each does here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from satisfice.errors import BadReport, InputError
from satisfice.study.optuna_api.refused import attribute

if TYPE_CHECKING:
    from satisfice.study.lifecycle.running_trial import RunningTrial

_INSTEAD = {
    "set_constraint": 'bound a metric in the study, [constraints] size_mb = "<= 0.5", and report the metric',
    "set_system_attr": "trial.set_user_attr(key, value) keeps a note",
    "system_attrs": "trial.user_attrs has the notes of a trial",
    "study": "the study is whatever `create_study` or `load_study` returned",
    "relative_params": "trial.params has all parameters",
    "suggest_uniform": "trial.suggest_float(name, low, high)",
    "suggest_loguniform": "trial.suggest_float(name, low, high, log=True)",
    "suggest_discrete_uniform": "trial.suggest_float(name, low, high, step=q)",
    "last_step": "the task counts its own steps",
    "intermediate_values": "study.records(with_reports=True)[number].reports has them once they are stored",
    "value": "study.records()[number].metrics has the metrics of a trial that was told",
    "values": "study.records()[number].metrics has the metrics of a trial that was told",
    "state": "study.records()[number].state",
}


class OptunaTrial:
    """The part of `Trial` that is as in Optuna."""

    if TYPE_CHECKING:
        _running: RunningTrial

        params: Mapping[str, Any]

    if not TYPE_CHECKING:  # a type checker shall still find a name that is misspelled

        def __getattr__(self, name: str) -> Any:
            """Name what stands for a habit that has no place here."""
            return attribute(self, "Trial", name, _INSTEAD)

    @property
    def objective_names(self) -> tuple[str, ...]:
        """The objectives, in the order of ``study.directions``."""
        return self._running.session.objective_order

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """Distributions of the active parameters."""
        by_name = self._running.session.spec.space.by_name
        return {name: by_name[name].distribution for name in self.params}

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """The trial's value of a parameter that [space] declares so.

        Raises:
            InputError: [space] has no such parameter, declares another one, or it is inactive here.
        """
        return float(self._suggested(name, FloatDistribution(low, high, step=step, log=log)))

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """As `suggest_float`, for a whole number."""
        return int(self._suggested(name, IntDistribution(low, high, step=step, log=log)))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """As `suggest_float`, for a choice."""
        return self._suggested(name, CategoricalDistribution(tuple(choices)))

    def _suggested(self, name: str, asked: BaseDistribution) -> Any:
        space = self._running.session.spec.space
        parameter = space.by_name.get(name)
        if parameter is None:
            raise InputError(
                f"{name!r} is not a parameter of the study",
                hint=f"declare it in [space]: {name} = {_as_declared(asked)}",
            )
        if parameter.distribution != asked:
            raise InputError(
                f"[space] declares {name} = {_as_declared(parameter.distribution)}, and the code asks for "
                f"{_as_declared(asked)}",
                hint="let both say the same",
            )
        if name not in self.params:
            raise InputError(
                f"{name!r} is inactive in this trial, by its condition in [space]",
                hint="ask for it only where the condition holds, or read trial.params.get",
            )
        return self.params[name]

    @property
    def user_attrs(self) -> dict[str, Any]:
        """Notes on the trial."""
        return dict(self._frozen().user_attrs)

    @property
    def datetime_start(self) -> datetime | None:
        """When it began."""
        return self._frozen().datetime_start

    def set_user_attr(self, key: str, value: Any) -> None:
        """Keep a note on the trial, in Optuna's tables: JSON content."""
        db, trial_id = self._running.session.db, self._running.claim.trial_id
        assert trial_id is not None
        number = trial_id
        db.by_optuna(lambda storage: storage.set_trial_user_attr(number, key, value))

    def _frozen(self) -> optuna.trial.FrozenTrial:
        db, trial_id = self._running.session.db, self._running.claim.trial_id
        assert trial_id is not None
        number = trial_id
        return db.by_optuna(lambda storage: storage.get_trial(number))


def report_of(
    args: tuple[Any, ...], given: Mapping[str, Any], names: Sequence[str]
) -> tuple[Any, Mapping[str, float]]:
    """Step and metrics of a report, as we write it or as Optuna does.

    Args:
        args: ``(step, metrics)``, or Optuna's ``(value, step)``.
        given: The same by name.
        names: Of the objectives.

    Raises:
        BadReport: It is neither, or one value stands for several objectives.
    """
    if len(args) == 2 and not given:
        first, second = args
        if not isinstance(second, Mapping) and _is_count(second) and not isinstance(first, Mapping):
            return second, _of_one(first, names)
        return first, second
    if (not args and given.keys() == {"step", "metrics"}) or (len(args) == 1 and given.keys() == {"metrics"}):
        return (args[0] if args else given["step"]), given["metrics"]
    if (not args and given.keys() == {"value", "step"}) or (len(args) == 1 and given.keys() == {"step"}):
        value = args[0] if args else given["value"]
        return given["step"], value if isinstance(value, Mapping) else _of_one(value, names)
    raise BadReport("report takes a step and metrics", hint='for instance report(3, {"accuracy": 0.9})')


def _is_count(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and int(value) == value
    except (TypeError, ValueError, OverflowError):
        return False


def _of_one(value: Any, names: Sequence[str]) -> dict[str, Any]:
    if len(names) > 1:
        shown = ", ".join(f'"{name}": ...' for name in names)
        raise BadReport(
            f"one value was reported, and the study has {len(names)} objectives",
            hint=f"trial.report(step, {{{shown}}})",
        )
    return {names[0]: value}


def _as_declared(distribution: BaseDistribution) -> str:
    """As a study file would write it."""
    if isinstance(distribution, CategoricalDistribution):
        return str(list(distribution.choices))
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    step = distribution.step if not isinstance(distribution, IntDistribution) else None
    if isinstance(distribution, IntDistribution) and distribution.step != 1:
        step = distribution.step
    further = f", step = {step}" if step is not None else ""
    further += ", log = true" if distribution.log else ""
    return f"{{ low = {distribution.low}, high = {distribution.high}{further} }}"
