"""From a spec and a storage to an open study."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from satisfice.data import DATASETS, dataset_of, fingerprint
from satisfice.errors import DataError, InputError, StudyChanged, StudyNotFound
from satisfice.search import PRUNERS, SAMPLERS
from satisfice.spec import parse_dict, parse_file, to_dict
from satisfice.spec.entry import load_task
from satisfice.spec.study import StudySpec
from satisfice.spec.study_file.family_checks import check_against, check_names
from satisfice.spec.task import Prepares, Task
from satisfice.store import capacity, data_notes, migrate, studies
from satisfice.store.artefacts import Artefacts, artefacts_in, artefacts_of, artefacts_root
from satisfice.store.database.engine import DEFAULT_PATIENCE_S, Database
from satisfice.store.database.url import MEMORY, is_memory, resolve
from satisfice.store.database.url import given as given_url
from satisfice.store.ledger.ledger import Ledger
from satisfice.store.optuna_rows import OptunaRows
from satisfice.store.reader import Reader
from satisfice.study import changeable
from satisfice.study.before.never_known import never_known
from satisfice.study.change import change, check_same
from satisfice.study.environment import PATIENCE_VARIABLE, seconds_of
from satisfice.study.optuna_api.objective import ObjectiveTask
from satisfice.study.starting import Wanted, best_of, content_of, first_entries
from satisfice.study.stored import as_stored, file_of, needs_task, spec_of
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
    changes: tuple[str, ...] = ()  # what opening it changed, in sentences
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
    try:
        found = fingerprint(spec.data, spec.base_dir)
        if isinstance(task, Prepares):
            task.prepare()
    except DataError as error:
        raise DataError(f"{file_of(spec) or 'study'}: {error.message}", hint=error.hint) from None
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
    spec: str | Path | Mapping[str, Any] | StudySpec,
    storage: str | None,
    task: object | None,
    *,
    wanted: Wanted | None = None,
) -> Opened:
    """Create a study, or open it; what differs from the stored one is changed where that is allowed."""
    wanted = wanted or Wanted()
    has_task = task is not None
    checked = read_spec(spec, has_task=has_task)
    file_budget = to_dict(checked)["budget"]
    given = wanted.apply(spec, checked)
    if given is not None:
        checked = parsed(given, checked, has_task=has_task)
    # Own code may change the working directory: relative paths are made absolute before it runs.
    address = resolve(given_url(storage) or MEMORY)
    root = artefacts_root(address)
    # Before anything is written: what cannot be loaded here is refused.
    SAMPLERS.get(checked.search.sampler), PRUNERS.get(checked.search.pruner)
    made = task_of(checked, task)
    unknowable = never_known(checked, made, file=file_of(checked))
    if unknowable is not None and not _is_stored(checked.name, address):
        raise unknowable
    data = prepare(checked, made)
    db = open_database(address)
    best = _best_of(db, wanted)
    stored = db.retrying(lambda: studies.find(db, checked.name))
    if stored is not None and wanted.new:
        raise studies.exists(checked.name)
    if stored is None:
        db.retrying(lambda: capacity.check_study(db, checked))
        held = file_budget if wanted.budget else None
        db.retrying(lambda: studies.create(db, checked, to_dict(checked), data, held))
        _keep_notes(db, find(db, checked.name), made)
    ready = Prepared(spec=checked, task=made, data=data)
    content = given if given is not None else content_of(spec)
    opened = _continued(db, root, ready, content, file_budget, wanted, task=task, storage=storage)
    opened = replace(opened, given=task)
    if best is not None:
        entries = first_entries(opened.spec, opened.task, best)
        ledger = ledger_of(opened)
        db.retrying(lambda: ledger.enqueue_first(entries))
    return opened


def _best_of(db: Database, wanted: Wanted) -> list[Mapping[str, Any]] | None:
    """Configurations of the study to start from; None where none is named.

    Raises:
        StudyNotFound: It is not there.
    """
    if wanted.start_from is None:
        return None
    row = find(db, wanted.start_from)
    spec = spec_of(row)
    reader = Reader(db, db.retrying(lambda: OptunaRows(db.engine)), row["uuid"], spec)
    return best_of(db.retrying(reader.records), spec, wanted.top)


def ledger_of(opened: Opened) -> Ledger:
    """A ledger for who is no worker."""
    return Ledger(
        opened.db,
        opened.rows,
        study_uuid=opened.row["uuid"],
        optuna_study_id=opened.row["optuna_study_id"],
        space=opened.spec.space,
        worker="",
        seed=opened.spec.seed,
    )


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A checked spec with what it needs here."""

    spec: StudySpec
    task: Task
    data: str | None  # fingerprint


def _continued(
    db: Database,
    root: Path | None,
    ready: Prepared,
    given: Mapping[str, Any] | None,
    file_budget: Mapping[str, Any],
    wanted: Wanted,
    *,
    task: object | None,
    storage: str | None,
) -> Opened:
    """Open a stored study by a file: see `satisfice.study.changeable`.

    Args:
        db: The database.
        root: Folder of the artefacts.
        ready: As the file says.
        given: The file's content, options included; None where the spec is whole.
        file_budget: The file's own [budget].
        wanted: The options.
        task: As passed to `create`.
        storage: As passed to `create`.
    """
    said: tuple[str, ...] = ()
    while True:
        row = find(db, ready.spec.name)
        stored = json.loads(row["spec"])
        now, held = ready, file_budget if wanted.budget else None
        if given is not None:
            whole = changeable.completed(given, stored)
            if row["file_budget"] and json.loads(row["file_budget"]) == file_budget:
                # The file was not edited since: what options said earlier holds.
                whole["budget"], held = {**stored["budget"], **wanted.budget}, file_budget
            lifted = {key for key, value in wanted.budget.items() if value is None}
            whole["budget"] = {k: v for k, v in whole["budget"].items() if k not in lifted}
            if whole != given:
                spec = parsed(whole, ready.spec, has_task=task is not None)
                made = task_of(spec, task)
                now = Prepared(spec=spec, task=made, data=prepare(spec, made))
        kept = as_stored(row, now.spec)
        if kept is not now.spec:  # its cells are read, and its models named, as when it was made
            made = task_of(kept, task)
            now = Prepared(spec=kept, task=made, data=prepare(kept, made))
        check_same(db, row, now.spec, storage)
        _check_data(row, now.spec, now.data)
        if not changeable.any_between(stored, to_dict(now.spec)):
            return replace(_opened(db, row, now.spec, partial(_same, now.task), root), changes=said)
        said = change(db, row, now.spec, held)


def changed(opened: Opened, wanted: Mapping[str, Any]) -> Opened:
    """The study with other tables of its spec.

    Args:
        opened: The study.
        wanted: ``budget`` (keys; None lifts a limit), ``constraints`` (all), ``objectives`` (names in order).

    Raises:
        SpecError: A value is wrong.
        StudyChanged: A bound cannot be judged, or there are other objectives.
    """
    db, name = opened.db, opened.spec.name
    said: tuple[str, ...] = ()
    while True:
        row = find(db, name)
        stored = json.loads(row["spec"])
        spec = parsed(changeable.with_tables(stored, wanted), opened.spec, has_task=needs_task(stored))
        new = as_stored(row, spec)
        if not changeable.any_between(stored, to_dict(new)):
            return replace(opened, row=row, spec=new, make_task=lambda: opened.task, changes=said)
        check_same(db, row, new, None)
        held = None
        if "budget" in wanted:  # the file, while nobody edits it, does not take this back
            held = json.loads(row["file_budget"]) if row["file_budget"] else stored["budget"]
        elif row["file_budget"]:
            held = json.loads(row["file_budget"])
        said = change(db, row, new, held)


def _is_stored(name: str, url: sa.URL) -> bool:
    """Whether a study of that name is there; no database is made to find out."""
    if is_memory(url) or (url.get_backend_name() == "sqlite" and not Path(str(url.database)).is_file()):
        return False
    with closing(open_database(url)) as db:
        return db.retrying(lambda: studies.find(db, name)) is not None


def load(name: str, storage: str | None, task: object | None) -> Opened:
    """Open a stored study by name."""
    address = resolve(storage)
    root = artefacts_root(address)
    db = open_database(address)
    row = find(db, name)
    own = needs_task(json.loads(row["spec"]))
    spec = spec_of(row)
    given = _Untrainable() if own and task is None else task
    if given is not None:
        made = task_of(spec, given)
        return replace(_opened(db, row, spec, lambda: made, root), given=task)
    return _opened(db, row, spec, lambda: task_of(spec, None, row["source_dir"]), root)


def _keep_notes(db: Database, row: Mapping[str, Any], task: Task) -> None:
    """What became of columns and values of the data is stored: a report is written without them."""
    notes = [asdict(note) for note in getattr(task, "data_notes", ())]
    if notes:
        db.retrying(lambda: data_notes.put(db, OptunaRows(db.engine), row["optuna_study_id"], notes))


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


def _same(task: Task) -> Task:
    return task


class _Untrainable:
    """Stands for a task object that only the program which made the study has: reading works without it."""

    def train(self, _params: Mapping[str, Any], _trial: Any) -> Mapping[str, float]:
        raise InputError(
            "this study was made with a task object", hint="pass it again: load_study(..., task=...)"
        )


def can_be_replaced(task: Task) -> bool:
    """Whether a function may train instead: there is none yet, or only another function."""
    return isinstance(task, ObjectiveTask | _Untrainable)


def _opened(
    db: Database, row: Mapping[str, Any], spec: StudySpec, make_task: Callable[[], Task], root: Path | None
) -> Opened:
    artefacts = artefacts_in(root, row["uuid"])
    rows = db.retrying(lambda: OptunaRows(db.engine))
    return Opened(db=db, rows=rows, row=row, spec=spec, make_task=make_task, artefacts=artefacts)


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
            f"{file_of(spec) or 'study'}: the data of study {spec.name!r} has changed since it was made",
            hint="give the study another name, or restore the data",
        )
