"""Studies: created, opened, worked on, and asked."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from satisfice.spec.study import StudySpec
from satisfice.store import studies
from satisfice.study.check import CheckResult, ConstraintShare
from satisfice.study.exchange import import_studies
from satisfice.study.opening import create, delete, find, load, open_database
from satisfice.study.starting import DEFAULT_TOP, Wanted
from satisfice.study.study import Study
from satisfice.study.trial import Trial

__all__ = [
    "CheckResult",
    "ConstraintShare",
    "Study",
    "Trial",
    "create_study",
    "delete_study",
    "import_study",
    "list_studies",
    "load_study",
]


def create_study(
    spec: str | Path | Mapping[str, Any] | StudySpec,
    storage: str | None = None,
    task: object | None = None,
    *,
    name: str | None = None,
    budget: Mapping[str, Any] | None = None,
    start_from: str | None = None,
    top: int = DEFAULT_TOP,
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

    Raises:
        SpecError: The spec is wrong.
        StudyChanged: Another study of that name is stored.
        StudyNotFound: There is no study to start from.
        StorageError: The database cannot be used.
    """
    wanted = Wanted(name=name, budget=dict(budget or {}), start_from=start_from, top=top)
    return Study(create(spec, storage, task, wanted=wanted))


def load_study(name: str, storage: str | None = None, task: object | None = None) -> Study:
    """Open a stored study.

    Raises:
        StudyNotFound: There is none of that name.
        StorageError: The database cannot be used.
    """
    return Study(load(name, storage, task))


def list_studies(storage: str | None = None) -> list[str]:
    """Names of all studies in a storage, oldest first."""
    with closing(open_database(storage)) as db:
        return db.retrying(lambda: studies.names(db))


def delete_study(name: str, storage: str | None = None) -> None:
    """Remove a study with its trials and artefacts.

    Raises:
        StudyNotFound: There is none of that name.
    """
    with closing(open_database(storage)) as db:
        delete(db, find(db, name))


def import_study(source: str | Path, storage: str | None = None) -> list[Study]:
    """Take in an exported file, or adopt the Optuna studies of another database."""
    return [load_study(name, storage) for name in import_studies(str(source), storage)]
