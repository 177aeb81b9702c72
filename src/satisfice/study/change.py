"""A changed spec: refused with a way out, or stored with its history."""

from __future__ import annotations

import itertools
import json
import os
import shlex
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeGuard

from satisfice.errors import StudyChanged
from satisfice.spec import to_dict
from satisfice.spec.study import StudySpec
from satisfice.store import studies
from satisfice.store.database.engine import Database
from satisfice.store.database.repeated import repeated
from satisfice.store.database.url import MEMORY, masked, resolve
from satisfice.store.optuna_rows import OptunaRows
from satisfice.store.reader import Reader
from satisfice.store.spec_versions import Change, apply, history, lost_under
from satisfice.study import changeable
from satisfice.study.stored import file_of, spec_of


def check_same(db: Database, row: Mapping[str, Any], spec: StudySpec, storage: str | None) -> None:
    """Refuse what may not change.

    Args:
        db: The database.
        row: Our row of the study.
        spec: What it is to be.
        storage: As a person named it.

    Raises:
        StudyChanged: Something differs that may not; names the command that starts another study.
    """
    found = changeable.differences(json.loads(row["spec"]), json.loads(json.dumps(to_dict(spec))))
    if found:
        taken = studies.names(db)
        raise StudyChanged(
            f"{file_of(spec) or 'study'}: another study {spec.name!r} is stored; "
            f"what differs: {', '.join(found)}",
            hint="only [budget], [constraints], [profiles], [choose] and the order of [objectives] may "
            "change. Undo the change, or start the changed study from the best trials of this one: "
            + _as_new(spec, taken, storage),
        )


def _as_new(spec: StudySpec, taken: Collection[str], storage: str | None) -> str:
    """What starts a study by the changed spec under another name, from the best trials of the stored one."""
    name = next(f"{spec.name}-{i}" for i in itertools.count(2) if f"{spec.name}-{i}" not in taken)
    file = file_of(spec)
    if file is None:
        return f'create_study({{..., "name": "{name}"}}, ..., start_from="{spec.name}")'
    where = f" --storage {shlex.quote(masked(resolve(storage)))}" if _is_named(storage) else ""
    shown = os.path.relpath(file) if Path(file).is_relative_to(Path.cwd()) else file
    return f"satisfice run {shlex.quote(shown)} --name {name} --from {shlex.quote(spec.name)}{where}"


def _is_named(storage: str | None) -> TypeGuard[str]:
    """Whether a command must name the storage: it is not where satisfice looks anyway."""
    return bool(storage) and resolve(storage) not in (resolve(None), resolve(MEMORY))


def change(
    db: Database, row: Mapping[str, Any], new: StudySpec, file_budget: Mapping[str, Any] | None = None
) -> tuple[str, ...]:
    """Store another version of a study's spec, already checked for what may not change.

    Args:
        db: The database.
        row: Our row of the study.
        new: The spec to be.
        file_budget: The file's own budget, where options override it.

    Returns:
        What changed; nothing where somebody else changed the study meanwhile: look again.

    Raises:
        StudyChanged: A new bound cannot be judged.
    """
    old, uuid = spec_of(row), row["uuid"]
    rows = OptunaRows.of(db)
    if set(new.metric_names) - set(old.metric_names):
        records = Reader(db, rows, row["uuid"], old).records()
        changeable.check_recorded(old, new, records, file_of(new))
    said = changeable.sentences(old, new)
    versions = [spec_of({**row, "spec": json.dumps(v["spec"])}) for v in history(db, uuid)]
    keys = [c.key for c in changeable.loosened(old, new, versions)]
    if keys:
        said += changeable.unexplored(_lost(db, uuid, keys))
    made = Change(old=old, new=new, content=to_dict(new), sentences=said, file_budget=file_budget)
    return tuple(said) if apply(db, row, made) else ()


@repeated
def _lost(db: Database, uuid: str, keys: list[str]) -> dict[str, tuple[int, int]]:
    with db.read() as connection:
        return lost_under(connection, uuid, keys)
