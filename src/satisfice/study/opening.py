"""From a spec and a storage to an open study."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from satisfice.data import DATASETS, dataset_of, fingerprint
from satisfice.errors import DataError, InputError, StudyChanged, StudyNotFound
from satisfice.search import PRUNERS, SAMPLERS
from satisfice.spec import parse_dict, parse_file, to_dict
from satisfice.spec.entry import load_task
from satisfice.spec.family import check_against, check_names
from satisfice.spec.study import StudySpec
from satisfice.spec.task import Prepares, Task
from satisfice.store import migrate, studies
from satisfice.store.artefacts import Artefacts, artefacts_in, artefacts_of, artefacts_root
from satisfice.store.engine import DEFAULT_PATIENCE_S, Database
from satisfice.store.optuna_rows import OptunaRows
from satisfice.store.url import MEMORY, given, resolve
from satisfice.study.environment import PATIENCE_VARIABLE, seconds_of
from satisfice.train import TRAINERS, make_task


@dataclass(frozen=True, kw_only=True)
class Opened:
    """An open study."""

    db: Database
    rows: OptunaRows
    row: Mapping[str, Any]  # of our table
    spec: StudySpec
    make_task: Callable[[], Task]
    artefacts: Artefacts
    given: object | None = None  # the task object that was passed, where the spec names none

    @cached_property
    def task(self) -> Task:
        """What trains. Own code is imported here and not before: a study is read and deleted without it.

        Raises:
            SpecError: It cannot be imported or made.
        """
        return self.make_task()


def read_spec(spec: str | Path | Mapping[str, Any] | StudySpec, *, has_task: bool) -> StudySpec:
    """A checked spec from a path, a dict or a spec."""
    if isinstance(spec, StudySpec):
        checked = spec
    elif isinstance(spec, Mapping):
        checked = parse_dict(spec, has_task=has_task, families=TRAINERS.get)
    else:
        checked = parse_file(spec, families=TRAINERS.get)
    file = str(checked.source) if checked.source is not None else None
    known = {
        "data.name": DATASETS.names(),
        "model.family": TRAINERS.names(),
        "search.sampler": SAMPLERS.names(),
        "search.pruner": PRUNERS.names(),
    }
    check_names(checked, known, file=file)
    if checked.model is not None and checked.data is not None:
        registered = dataset_of(checked.data)
        kind = checked.data.task or (registered.task if registered is not None else None)
        check_against(checked, TRAINERS.get(checked.model.family), kind, file=file)
    return checked


def task_of(spec: StudySpec, task: object | None, source_dir: str | None = None) -> Task:
    """The task: the object given, or what the spec names."""
    if task is not None:
        made = task() if isinstance(task, type) else task
        if not callable(getattr(made, "train", None)) and not callable(getattr(made, "profile", None)):
            raise InputError(
                "the task has neither train nor profile", hint="give it a method train(params, trial)"
            )
        return made  # type: ignore[return-value]  # duck-typed; ask and tell need no train
    if spec.task is not None:
        folder = Path(source_dir) if source_dir else spec.base_dir
        loaded: Task = load_task(spec.task.entry, folder, spec.task.options, file=_file(spec))
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
    try:
        found = fingerprint(spec.data, spec.base_dir)
        if isinstance(task, Prepares):
            task.prepare()
    except DataError as error:
        raise DataError(f"{_file(spec) or 'study'}: {error.message}", hint=error.hint) from None
    return found


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
    db.check_reachable()
    migrate.ensure_ready(db)
    return db


def create(
    spec: str | Path | Mapping[str, Any] | StudySpec, storage: str | None, task: object | None
) -> Opened:
    """Create a study, or open it: a larger budget continues it, another change is refused."""
    checked = read_spec(spec, has_task=task is not None)
    # Own code may change the working directory: relative paths are made absolute before it runs.
    address = resolve(given(storage) or MEMORY)
    root = artefacts_root(address)
    # Before anything is written: what cannot be loaded here is refused.
    SAMPLERS.get(checked.search.sampler), PRUNERS.get(checked.search.pruner)
    made = task_of(checked, task)
    data = prepare(checked, made)
    db = open_database(address)
    content = to_dict(checked)
    if db.retrying(lambda: studies.find(db, checked.name)) is None:
        db.retrying(lambda: studies.create(db, checked, content, data))
    row = find(db, checked.name)
    _check_same(row, checked, content, data)
    if json.loads(row["spec"])["budget"] != content["budget"]:
        uuid = row["uuid"]
        db.retrying(lambda: studies.change_budget(db, uuid, checked.budget, content))
        row = find(db, checked.name)
    return replace(_opened(db, row, checked, lambda: made, root), given=task)


def load(name: str, storage: str | None, task: object | None) -> Opened:
    """Open a stored study by name."""
    address = resolve(storage)
    root = artefacts_root(address)
    db = open_database(address)
    row = find(db, name)
    content = json.loads(row["spec"])
    own = not ({"model", "task"} & content.keys())
    source = Path(row["source_dir"]) / f"{name}.toml" if row["source_dir"] else None
    spec = parse_dict(content, source=source, has_task=own, families=TRAINERS.get)
    given = _Untrainable() if own and task is None else task
    if given is not None:
        made = task_of(spec, given)
        return replace(_opened(db, row, spec, lambda: made, root), given=task)
    return _opened(db, row, spec, lambda: task_of(spec, None, row["source_dir"]), root)


def find(db: Database, name: str) -> Mapping[str, Any]:
    """Our row of a study.

    Raises:
        StudyNotFound: There is none of that name.
    """
    row = db.retrying(lambda: studies.find(db, name))
    if row is None:
        known = db.retrying(lambda: studies.names(db))
        hint = "studies there: " + ", ".join(known[:10]) if known else "the storage has no study yet"
        raise StudyNotFound(f"no study {name!r} in the storage", hint=hint)
    return row


def delete(db: Database, row: Mapping[str, Any], artefacts: Artefacts | None = None) -> None:
    """Remove a study with its artefacts, given our row; its spec need not be readable."""
    db.retrying(lambda: studies.delete(db, row))
    (artefacts or artefacts_of(db.url, row["uuid"])).discard_all()


class _Untrainable:
    """Stands for a task object that only the program which made the study has: reading works without it."""

    def train(self, _params: Mapping[str, Any], _trial: Any) -> Mapping[str, float]:
        raise InputError(
            "this study was made with a task object", hint="pass it again: load_study(..., task=...)"
        )


def _opened(
    db: Database, row: Mapping[str, Any], spec: StudySpec, make_task: Callable[[], Task], root: Path | None
) -> Opened:
    artefacts = artefacts_in(root, row["uuid"])
    rows = db.retrying(lambda: OptunaRows(db.engine))
    return Opened(db=db, rows=rows, row=row, spec=spec, make_task=make_task, artefacts=artefacts)


def _check_same(
    row: Mapping[str, Any], spec: StudySpec, content: Mapping[str, Any], data: str | None
) -> None:
    if row["digest"] != spec.digest():
        differs = ", ".join(_differences(json.loads(row["spec"]), content)) or "the order of its objectives"
        raise StudyChanged(
            f"{_file(spec) or 'study'}: another study {spec.name!r} is stored; what differs: {differs}",
            hint="only [budget] may change: give it another name, or undo the change",
        )
    _check_data(row, spec, data)


def check_data(opened: Opened) -> None:
    """See that this machine has the data that the study was made with.

    Raises:
        DataError: They cannot be used here.
        StudyChanged: They are others.
    """
    _check_data(opened.row, opened.spec, prepare(opened.spec, opened.task))


def _check_data(row: Mapping[str, Any], spec: StudySpec, data: str | None) -> None:
    if row["data_fingerprint"] != data:
        raise StudyChanged(
            f"{_file(spec) or 'study'}: the data of study {spec.name!r} has changed since it was made",
            hint="give the study another name, or restore the data",
        )


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    found = []
    for key in dict.fromkeys([*old, *new]):
        if prefix == "" and key == "budget":
            continue
        a, b = old.get(key), new.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += _differences(a, b, f"{prefix}{key}.")
        elif a != b:
            found.append(f"{prefix}{key}")
    return found


def _file(spec: StudySpec) -> str | None:
    """The study file. Of a stored study only the folder is kept: then its likely name, where that exists."""
    return str(spec.source) if spec.source is not None and spec.source.is_file() else None
