"""Studies: created, opened, worked on, and asked."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from satisfice.data import ColumnNote
from satisfice.errors import InputError
from satisfice.results.check import CheckResult, ConstraintShare
from satisfice.results.rehearsal import Rehearsal
from satisfice.spec.study import StudySpec
from satisfice.store import studies
from satisfice.study.after.exchange import import_studies
from satisfice.study.creating import create
from satisfice.study.lifecycle.trial import Trial
from satisfice.study.opening import delete, find, load, open_database
from satisfice.study.optuna_api.refused import refuse_search_objects
from satisfice.study.starting import DEFAULT_TOP, Wanted
from satisfice.study.study import Study

__all__ = [
    "CheckResult",
    "ColumnNote",
    "ConstraintShare",
    "Rehearsal",
    "Study",
    "Trial",
    "create_study",
    "delete_study",
    "import_study",
    "list_studies",
    "load_study",
]


def create_study(
    spec: str | Path | Mapping[str, Any] | StudySpec | None = None,
    storage: str | None = None,
    task: object | None = None,
    *,
    name: str | None = None,
    budget: Mapping[str, Any] | None = None,
    start_from: str | None = None,
    top: int = DEFAULT_TOP,
    study_name: str | None = None,
    load_if_exists: bool | None = None,
    sampler: object = None,
    pruner: object = None,
    direction: object = None,
    directions: object = None,
) -> Study:
    """Create a study, or open the stored one of that name.

    What the spec says otherwise of [budget], of bounds in [constraints] and of the order of [objectives]
    changes the stored study; a key that is left out takes the stored value.

    Args:
        spec: A study file, a dict with its content, or a checked spec.
        storage: Database URL; without one the study lives in memory (or where ``SATISFICE_STORAGE`` says).
        task: Own training code, instead of what the spec names.
        name: Instead of the spec's.
        budget: Keys of [budget] instead of the spec's, None to lift a limit. They hold until the spec's own
            [budget] is edited.
        start_from: A stored study whose best trials are tried first, moved into this space.
        top: How many of them.
        study_name: As ``name``.
        load_if_exists: False refuses a study that is stored already; else it is opened.
        sampler: Of Optuna; refused with what to write in the spec, as are ``pruner`` and the directions.
        pruner: See ``sampler``.
        direction: See ``sampler``.
        directions: See ``sampler``.

    Raises:
        InputError: No spec is given, or an argument of Optuna's that has no place here.
        SpecError: The spec is wrong.
        StudyChanged: Another study of that name is stored.
        StudyNotFound: There is no study to start from.
        StorageError: The database cannot be used.
    """
    refuse_search_objects(sampler=sampler, pruner=pruner, direction=direction, directions=directions)
    if spec is None:
        raise InputError(
            "create_study needs a study file or a dict with its content",
            hint='for instance create_study({"name": "mine", "objectives": {"accuracy": "maximize"}, '
            '"space": {"x": {"low": 0.0, "high": 1.0}}, "budget": {"trials": 20}}, task=objective)',
        )
    name = name if name is not None else study_name
    wanted = Wanted(
        new=load_if_exists is False, name=name, budget=dict(budget or {}), start_from=start_from, top=top
    )
    return Study(create(spec, storage, task, wanted=wanted))


def load_study(
    name: str | None = None,
    storage: str | None = None,
    task: object | None = None,
    *,
    study_name: str | None = None,
    sampler: object = None,
    pruner: object = None,
) -> Study:
    """Open a stored study.

    Args:
        name: Its name; ``study_name`` is the same.
        storage: Database URL.
        task: The task object, where the study was made with one.
        study_name: See ``name``.
        sampler: Of Optuna; refused: the study names its own.
        pruner: See ``sampler``.

    Raises:
        InputError: No name, or an argument of Optuna's that has no place here.
        StudyNotFound: There is none of that name.
        StorageError: The database cannot be used.
    """
    refuse_search_objects(sampler=sampler, pruner=pruner)
    return Study(load(_named("load_study", name, study_name), storage, task))


def _named(function: str, name: str | None, study_name: str | None) -> str:
    found = name if name is not None else study_name
    if found is None:
        raise InputError(f"{function} needs the name of a study", hint="list_studies() has all names")
    return found


def list_studies(storage: str | None = None) -> list[str]:
    """Names of all studies in a storage, oldest first."""
    with closing(open_database(storage)) as db:
        return studies.names(db)


def delete_study(
    name: str | None = None, storage: str | None = None, *, study_name: str | None = None
) -> None:
    """Remove a study with its trials and artefacts; ``study_name`` is the same as ``name``.

    Raises:
        InputError: No name.
        StudyNotFound: There is none of that name.
    """
    with closing(open_database(storage)) as db:
        delete(db, find(db, _named("delete_study", name, study_name)))


def import_study(source: str | Path, storage: str | None = None) -> list[Study]:
    """Take in an exported file, or adopt the Optuna studies of another database."""
    return [load_study(name, storage) for name in import_studies(str(source), storage)]
