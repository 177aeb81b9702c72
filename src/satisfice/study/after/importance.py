"""What the model of a trial goes by."""

from __future__ import annotations

from typing import Any

from satisfice.errors import InputError
from satisfice.results.importance import Coefficient, ColumnImportance, Importance
from satisfice.spec.study import StudySpec
from satisfice.spec.trial import TrialRecord, TrialState
from satisfice.train.family_task import FamilyTask
from satisfice.train.importance import importance_of


def importance(spec: StudySpec, task: Any, record: TrialRecord, model: Any, repeats: int) -> Importance:
    """The permutation importance of its columns, with gains of trees and coefficients of linear models.

    Args:
        spec: The study.
        task: Its task.
        record: The trial.
        model: Its model, as `FamilyTask.load_model` gives it.
        repeats: Permutations of each column.

    Raises:
        InputError: The data are images, or the task is a person's own.
    """
    if not isinstance(task, FamilyTask):
        raise InputError(
            f"study {spec.name!r} trains code of its own, whose columns nobody here knows",
            hint="importance is told of studies with [data] and [model]",
        )
    if repeats < 1:
        raise InputError(f"{repeats} repeats tell nothing", hint="give at least 1")
    found = importance_of(task, record.params, model, repeats=repeats, seed=spec.seed)
    return Importance(
        study=spec.name,
        trial=record.number,
        metric=found.metric,
        value=found.value,
        rows_used=found.rows,
        repeats=repeats,
        columns=[
            ColumnImportance(
                column=each.column,
                importance=each.mean,
                deviation=each.deviation,
                gain=found.gains.get(each.column),
            )
            for each in found.columns
        ],
        coefficients=[
            Coefficient(column=column, feature=feature, label=label, value=value)
            for column, feature, label, value in found.coefficients
        ]
        or None,
    )


def refuse_unfinished(record: TrialRecord) -> None:
    """Refuse a trial that has no finished model.

    Raises:
        InputError: It is not complete.
    """
    if record.state is not TrialState.COMPLETE:
        raise InputError(
            f"trial {record.number} is {record.state.name}, not complete",
            hint="name one that finished: satisfice pareto lists those that fit",
        )
