"""Studies: created, opened, worked on, and asked."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from satisfice.data import ColumnNote
from satisfice.spec.study import StudySpec
from satisfice.store import studies
from satisfice.study.check import CheckResult, ConstraintShare
from satisfice.study.exchange import import_studies
from satisfice.study.opening import create, delete, find, load, open_database
from satisfice.study.rehearsal import Rehearsal
from satisfice.study.study import Study
from satisfice.study.trial import Trial

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
    spec: str | Path | Mapping[str, Any] | StudySpec, storage: str | None = None, task: object | None = None
) -> Study:
    """Create a study, or open the stored one of that name.

    Args:
        spec: A study file, a dict with its content, or a checked spec.
        storage: Database URL; without one the study lives in memory (or where ``SATISFICE_STORAGE`` says).
        task: Own training code, instead of what the spec names.

    Raises:
        SpecError: The spec is wrong.
        StudyChanged: Another study of that name is stored. A changed budget alone continues it.
        StorageError: The database cannot be used.
    """
    return Study(create(spec, storage, task))


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
