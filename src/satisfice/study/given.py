"""What a person gives, a spec and a task, checked before anything is stored."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from satisfice.data import DATASETS
from satisfice.errors import DataError, InputError
from satisfice.search import PRUNERS, SAMPLERS
from satisfice.spec import parse_dict, parse_file
from satisfice.spec.entry import load_task
from satisfice.spec.study import StudySpec
from satisfice.spec.study_file.family_checks import check_against, check_names
from satisfice.spec.task import Prepares, Task
from satisfice.study.optuna_api.objective import ObjectiveTask
from satisfice.study.stored import file_of
from satisfice.train import TRAINERS, make_task


def read_spec(spec: str | Path | Mapping[str, Any] | StudySpec, *, has_task: bool) -> StudySpec:
    """A checked spec from a path, a dict or a spec."""
    known = _registered()
    if isinstance(spec, StudySpec):
        checked = spec
    elif isinstance(spec, Mapping):
        checked = parse_dict(spec, has_task=has_task, families=TRAINERS.get, known=known)
    else:
        checked = parse_file(spec, families=TRAINERS.get, known=known)
    _check_registered(checked)
    return checked


def parsed(content: Mapping[str, Any], like: StudySpec, *, has_task: bool) -> StudySpec:
    """A checked spec from a file's content with what was added to it."""
    file = str(like.source) if like.source is not None else None
    checked = parse_dict(
        content,
        source=like.source,
        file=file,
        has_task=has_task,
        stored=True,  # what was accepted once is
        families=TRAINERS.get,
        known=_registered(),
    )
    _check_registered(checked)
    return checked


def _registered() -> dict[str, list[str]]:
    """Names that a spec may use, by key."""
    return {
        "data.name": DATASETS.names(),
        "model.family": TRAINERS.names(),
        "search.sampler": SAMPLERS.names(),
        "search.pruner": PRUNERS.names(),
    }


def _check_registered(checked: StudySpec) -> None:
    known, file = _registered(), str(checked.source) if checked.source is not None else None
    check_names(checked, known, file=file)
    if checked.model is not None and checked.data is not None:
        from satisfice.data import dataset_of  # with pandas, which who only reads a study does not need

        registered = dataset_of(checked.data)
        kind = checked.data.task or (registered.task if registered is not None else None)
        check_against(checked, TRAINERS.get(checked.model.family), kind, file=file)


def task_of(spec: StudySpec, task: object | None, source_dir: str | None = None) -> Task:
    """The task: the object given, or what the spec names."""
    if task is not None:
        made = task() if isinstance(task, type) else task
        if inspect.isroutine(made):
            return ObjectiveTask(made)
        if not callable(getattr(made, "train", None)) and not callable(getattr(made, "profile", None)):
            raise InputError(
                "the task has neither train nor profile", hint="give it a method train(params, trial)"
            )
        return made  # type: ignore[return-value]  # duck-typed; ask and tell need no train
    if spec.task is not None:
        folder = Path(source_dir) if source_dir else spec.base_dir
        loaded: Task = load_task(spec.task.entry, folder, spec.task.options, file=file_of(spec))
        return loaded
    if spec.model is None:
        raise InputError(f"study {spec.name!r} was made with a task object", hint="pass it again: task=...")
    return make_task(spec)


def prepare(spec: StudySpec, task: Task) -> str | None:
    """Load what every trial needs; returns the fingerprint of the data, if the study names data.

    Raises:
        DataError: They cannot be used.
        SpecError: A metric does not go with them.
    """
    if spec.data is None:
        return None
    from satisfice.data import fingerprint

    try:
        found = fingerprint(spec.data, spec.base_dir)
        if isinstance(task, Prepares):
            task.prepare()
    except DataError as error:
        raise DataError(f"{file_of(spec) or 'study'}: {error.message}", hint=error.hint) from None
    return found
