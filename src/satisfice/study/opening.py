"""Stored studies: opened by name, found, deleted."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from satisfice.errors import InputError, StudyChanged, StudyNotFound
from satisfice.spec.study import StudySpec
from satisfice.spec.task import Task
from satisfice.store import migrate, studies
from satisfice.store.artefacts import Artefacts, artefacts_in, artefacts_of, artefacts_root
from satisfice.store.database.engine import Database
from satisfice.store.database.patience import DEFAULT_PATIENCE_S
from satisfice.store.database.reachable import check_reachable
from satisfice.store.database.url import resolve
from satisfice.store.ledger.ledger import Ledger
from satisfice.store.ledger.study_rows import StudyRows
from satisfice.store.optuna_rows import OptunaRows
from satisfice.study.environment import PATIENCE_VARIABLE, seconds_of
from satisfice.study.given import prepare, task_of
from satisfice.study.optuna_api.objective import ObjectiveTask
from satisfice.study.stored import file_of, needs_task, spec_of


@dataclass(frozen=True, kw_only=True)
class Opened:
    """An open study."""

    db: Database
    rows: OptunaRows
    row: Mapping[str, Any]  # of our table
    spec: StudySpec
    make_task: Callable[[], Task]
    artefacts: Artefacts
    changes: tuple[str, ...] = ()  # what opening it changed, in sentences
    given: object | None = None  # the task object that was passed, where the spec names none

    @cached_property
    def task(self) -> Task:
        """What trains. Own code is imported here and not before: a study is read and deleted without it.

        Raises:
            SpecError: It cannot be imported or made.
        """
        return self.make_task()


def open_database(storage: str | sa.URL | None) -> Database:
    """A reachable database with its tables."""
    url = storage if isinstance(storage, sa.URL) else resolve(storage)
    if url.get_backend_name() == "sqlite" and url.database:
        folder = Path(url.database).parent
        if not folder.is_dir():
            literal = "~" in folder.parts
            hint = "~ means nothing in a URL: write the whole path" if literal else "create it first"
            raise InputError(f"the folder {folder} of the storage does not exist", hint=hint)
    db = Database(url, patience_s=seconds_of(PATIENCE_VARIABLE, DEFAULT_PATIENCE_S))
    with db.closed_on_error():
        check_reachable(db)
        migrate.ensure_ready(db)
    return db


def ledger_of(opened: Opened) -> Ledger:
    """A ledger for who is no worker."""
    return Ledger(
        StudyRows(
            opened.db,
            opened.rows,
            study_uuid=opened.row["uuid"],
            optuna_study_id=opened.row["optuna_study_id"],
            space=opened.spec.space,
            worker="",
            seed=opened.spec.seed,
        )
    )


def load(name: str, storage: str | None, task: object | None) -> Opened:
    """Open a stored study by name."""
    address = resolve(storage)
    root = artefacts_root(address)
    db = open_database(address)
    with db.closed_on_error():
        row = find(db, name)
        own = needs_task(json.loads(row["spec"]))
        spec = spec_of(row)
        given = _Untrainable() if own and task is None else task
        if given is not None:
            made = task_of(spec, given)
            return replace(opened_from(db, row, spec, lambda: made, root), given=task)
        return opened_from(db, row, spec, lambda: task_of(spec, None, row["source_dir"]), root)


def find(db: Database, name: str) -> Mapping[str, Any]:
    """Our row of a study.

    Raises:
        StudyNotFound: There is none of that name.
    """
    row = studies.find(db, name)
    if row is None:
        known = studies.names(db)
        hint = "studies there: " + ", ".join(known[:10]) if known else "the storage has no study yet"
        raise StudyNotFound(f"no study {name!r} in the storage", hint=hint)
    return row


def delete(db: Database, row: Mapping[str, Any], artefacts: Artefacts | None = None) -> None:
    """Remove a study with its artefacts, given our row; its spec need not be readable."""
    studies.delete(db, row)
    (artefacts or artefacts_of(db.url, row["uuid"])).discard_all()


class _Untrainable:
    """Stands for a task object that only the program which made the study has: reading works without it."""

    def train(self, _params: Mapping[str, Any], _trial: Any) -> Mapping[str, float]:
        raise InputError(
            "this study was made with a task object", hint="pass it again: load_study(..., task=...)"
        )


def can_be_replaced(task: Task) -> bool:
    """Whether a function may train instead: there is none yet, or only another function."""
    return isinstance(task, ObjectiveTask | _Untrainable)


def opened_from(
    db: Database, row: Mapping[str, Any], spec: StudySpec, make_task: Callable[[], Task], root: Path | None
) -> Opened:
    """An open study from our row of it."""
    artefacts = artefacts_in(root, row["uuid"])
    rows = OptunaRows.of(db)
    return Opened(db=db, rows=rows, row=row, spec=spec, make_task=make_task, artefacts=artefacts)


def check_data(opened: Opened) -> None:
    """See that this machine has the data that the study was made with.

    Raises:
        DataError: They cannot be used here.
        StudyChanged: They are others.
    """
    check_data_of(opened.row, opened.spec, prepare(opened.spec, opened.task))


def check_data_of(row: Mapping[str, Any], spec: StudySpec, data: str | None) -> None:
    """The same, of data whose fingerprint is known; None where the study names none."""
    if row["data_fingerprint"] != data:
        raise StudyChanged(
            f"{file_of(spec) or 'study'}: the data of study {spec.name!r} has changed since it was made",
            hint="give the study another name, or restore the data",
        )
