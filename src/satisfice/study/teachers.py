"""Teachers: finished trials of other studies in the same storage, which a study's models learn from."""

from __future__ import annotations

import re
from typing import Any

from optuna.trial import TrialState

from satisfice.data import same_data
from satisfice.errors import InputError, SpecError
from satisfice.spec.study import StudySpec
from satisfice.spec.task import LearnsFromTeachers, Task
from satisfice.store.artefacts import artefacts_root
from satisfice.store.database.engine import Database
from satisfice.store.reader import Reader
from satisfice.study.given import task_of
from satisfice.study.models import load_model
from satisfice.study.opening import find, opened_from
from satisfice.study.stored import file_of, spec_of


def missing(task: Task) -> tuple[str, ...]:
    """Names of the teachers that a task was not given yet."""
    return task.missing_teachers if isinstance(task, LearnsFromTeachers) else ()


def hand_over(task: Task, spec: StudySpec, data: str | None, db: Database) -> None:
    """Load the teachers that a task was not given yet, and give them to it.

    Args:
        task: Of the study whose models learn.
        spec: That study.
        data: The fingerprint of its data.
        db: Where the teachers' studies are.

    Raises:
        SpecError: A teacher is not there, kept no model, or learnt something else, or from other rows: what
            this study validates and tests on must be new to it.
    """
    for name in missing(task):
        assert isinstance(task, LearnsFromTeachers)
        try:
            task.set_teacher(name, _teacher(name, spec, data, db))
        except InputError as error:
            key = "space.teacher" if "teacher" in spec.space.by_name else "model.teacher"
            told = f"{name!r} cannot be the teacher: {error.message}"
            raise SpecError(told, key=key, file=file_of(spec), hint=error.hint) from None


def _teacher(name: str, spec: StudySpec, data: str | None, db: Database) -> Any:
    """The model of a trial.

    Raises:
        InputError: It is not there, or may not be the teacher.
    """
    matched = re.fullmatch(r"(.+)/(\d+)", name)
    if matched is None:
        raise InputError("the name is none of a trial", hint='write it as "study-name/12"')
    row = find(db, matched[1])
    theirs = spec_of(row)
    if theirs.model is None or theirs.data is None:
        raise InputError(f"study {theirs.name!r} trains code of its own", hint="name a trial of a family")
    if not same_data(row["data_fingerprint"], data):
        raise InputError(
            f"study {theirs.name!r} learns from other data, or splits them otherwise",
            hint="its [data] must say the same as this study's",
        )
    if theirs.seed != spec.seed:
        raise InputError(
            f"study {theirs.name!r} has the seed {theirs.seed} and this one {spec.seed}, so that it learnt "
            "from rows which this study validates or tests on",
            hint=f"write seed = {theirs.seed}",
        )
    opened = opened_from(db, row, theirs, lambda: task_of(theirs, None), artefacts_root(db.url))
    record = Reader(db, opened.rows, row["uuid"], theirs).record(int(matched[2]))
    if record is None:
        raise InputError(f"study {theirs.name!r} has no trial {matched[2]}", hint="name a finished trial")
    if record.state is not TrialState.COMPLETE:
        state = record.state.name
        raise InputError(f"trial {record.number} is {state}", hint="name a trial that is COMPLETE")
    return load_model(opened, record)
