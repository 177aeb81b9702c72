"""A study is created, or opened by its file and changed where it differs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from satisfice.search import PRUNERS, SAMPLERS
from satisfice.spec import to_dict
from satisfice.spec.study import StudySpec
from satisfice.spec.task import Task
from satisfice.store import capacity, data_notes, studies
from satisfice.store.artefacts import artefacts_root
from satisfice.store.database.engine import Database
from satisfice.store.database.url import MEMORY, is_memory, resolve
from satisfice.store.optuna_rows import OptunaRows
from satisfice.store.reader import Reader
from satisfice.study import changeable
from satisfice.study.before.never_known import never_known
from satisfice.study.change import change, check_same
from satisfice.study.given import parsed, prepare, read_spec, task_of
from satisfice.study.opening import Opened, check_data_of, find, ledger_of, open_database, opened_from
from satisfice.study.starting import Wanted, best_of, content_of, first_entries
from satisfice.study.stored import as_stored, file_of, needs_task, spec_of
from satisfice.study.teachers import hand_over


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
    address = resolve(storage, default=MEMORY)
    root = artefacts_root(address)
    # Before anything is written: what cannot be loaded here is refused.
    SAMPLERS.get(checked.search.sampler), PRUNERS.get(checked.search.pruner)
    made = task_of(checked, task)
    unknowable = never_known(checked, made, file=file_of(checked))
    if unknowable is not None and not _is_stored(checked.name, address):
        raise unknowable
    data = prepare(checked, made)
    db = open_database(address)
    with db.closed_on_error():
        best = _best_of(db, wanted)
        stored = studies.find(db, checked.name)
        if stored is not None and wanted.new:
            raise studies.exists(checked.name)
        if stored is None:
            capacity.check_study(db, checked)
            if not db.in_memory:  # where no other study is; who works on this one is refused then
                hand_over(made, checked, data, db)
            held = file_budget if wanted.budget else None
            studies.create(db, checked, to_dict(checked), data, held)
            _keep_notes(db, find(db, checked.name), made)
        ready = Prepared(spec=checked, task=made, data=data)
        content = given if given is not None else content_of(spec)
        opened = _continued(db, root, ready, content, file_budget, wanted, task=task, storage=storage)
        opened = replace(opened, given=task)
        if best is not None:
            entries = first_entries(opened.spec, opened.task, best)
            ledger = ledger_of(opened)
            ledger.queue.enqueue_first(entries)
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
    reader = Reader(db, OptunaRows.of(db), row["uuid"], spec)
    return best_of(reader.records(), spec, wanted.top)


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
        check_data_of(row, now.spec, now.data)
        if not changeable.any_between(stored, to_dict(now.spec)):
            return replace(opened_from(db, row, now.spec, partial(_same, now.task), root), changes=said)
        said = change(db, row, now.spec, held)


def changed(opened: Opened, wanted: Mapping[str, Any]) -> Opened:
    """The study with other tables of its spec.

    Args:
        opened: The study.
        wanted: ``budget`` (keys; None lifts a limit), ``constraints`` and ``profiles`` (all), ``objectives``
            (names in order), ``choose`` (keys).

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
        return studies.find(db, name) is not None


def _keep_notes(db: Database, row: Mapping[str, Any], task: Task) -> None:
    """What became of columns and values of the data is stored: a report is written without them."""
    notes = [asdict(note) for note in getattr(task, "data_notes", ())]
    if notes:
        data_notes.put(db, OptunaRows.of(db), row["optuna_study_id"], notes)


def _same(task: Task) -> Task:
    return task
