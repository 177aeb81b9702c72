"""Adopting the studies of a plain Optuna database: what has finished there is history to learn from here."""

from __future__ import annotations

import json
import uuid
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import optuna
import sqlalchemy as sa
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial

from satisfice.choose import (
    constraints_from_optuna,
    objectives_from_optuna,
    records_from_trials,
    space_from_optuna,
)
from satisfice.errors import InputError, SpecError, StorageError
from satisfice.spec import parse_dict, to_dict
from satisfice.spec.study import Budget, StudySpec
from satisfice.spec.trial import TrialRecord
from satisfice.store import capacity, studies, tables
from satisfice.store.database.engine import Database
from satisfice.store.database.failures import short_reason
from satisfice.store.database.repeated import repeated
from satisfice.store.database.url import for_optuna, masked, resolve
from satisfice.store.ledger.phase import Phase
from satisfice.store.ledger.study_rows import dump_reports
from satisfice.store.ledger.types import dump, slot_seed
from satisfice.store.optuna_rows import OptunaRows
from satisfice.study.opening import open_database

_HINT = "give the URL of an Optuna storage"


@dataclass(frozen=True, kw_only=True)
class Adoptable:
    """An Optuna study as one of ours."""

    spec: StudySpec
    trials: Sequence[FrozenTrial]  # that have finished, by number
    records: Sequence[TrialRecord]  # the same


def adopt_all(source: str, storage: str | None) -> list[str]:
    """Copy every study of an Optuna database; returns the names. One that cannot be adopted is warned of.

    Each is stored whole or not at all.

    Raises:
        InputError: Nothing can be read there, or no study can be adopted.
    """
    if resolve(source) == resolve(storage):
        raise StorageError(
            f"the Optuna studies of {masked(resolve(source))} cannot be adopted into itself",
            hint="import copies: name another storage by --storage",
        )
    found: list[Adoptable] = []
    hindered: list[InputError] = []
    with _opened(source) as theirs:
        for name in optuna.get_all_study_names(theirs):
            try:
                found.append(adoptable(optuna.load_study(study_name=name, storage=theirs)))
            except InputError as error:
                hindered.append(error)
    if not found and not hindered:
        raise InputError("there is no Optuna study", hint=_HINT)
    adopted = []
    if found:
        with closing(open_database(storage)) as db:
            for study in found:
                try:
                    _check_room(study, db)
                    adopt(db, study, uuid.uuid4().hex)
                    adopted.append(study.spec.name)
                except InputError as error:
                    hindered.append(error)
    if not adopted and len(hindered) == 1:
        raise hindered[0]
    for reason in hindered:
        warnings.warn(str(reason), stacklevel=2)
    if not adopted:
        raise InputError(f"none of the {len(hindered)} Optuna studies could be adopted")
    return adopted


@contextmanager
def _opened(source: str) -> Iterator[RDBStorage]:
    """An Optuna storage to read from: nothing is created or changed there.

    Raises:
        StorageError: It cannot be read.
    """
    url = resolve(source)
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).is_file():
        raise StorageError(f"there is no database at {url.database}", hint=_HINT)
    text = for_optuna(url)
    theirs: RDBStorage | None = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # experimental arguments of Optuna
            theirs = RDBStorage(text, skip_table_creation=True, engine_kwargs={"poolclass": sa.NullPool})
        yield theirs
    except (sa.exc.DBAPIError, StorageInternalError, RuntimeError) as error:
        cause = error.__cause__ if isinstance(error, StorageInternalError) else error
        # A RuntimeError is how Optuna refuses tables of another version.
        reason = short_reason(cause) if isinstance(cause, sa.exc.DBAPIError) else str(cause)
        raise StorageError(f"cannot read Optuna studies in {masked(url)}: {reason}", hint=_HINT) from None
    finally:
        if theirs is not None:
            theirs.remove_session()


def adoptable(study: optuna.Study) -> Adoptable:
    """An Optuna study, read and checked.

    Raises:
        InputError: It cannot be one of ours.
    """
    name, every = study.study_name, study.get_trials(deepcopy=False)
    trials = [t for t in every if t.state.is_finished()]
    if not trials:
        raise InputError(f"the Optuna study {name!r} has no finished trial")
    objectives = objectives_from_optuna(study.directions, study.metric_names)
    spec = StudySpec(
        name=name,
        objectives=objectives,
        constraints=constraints_from_optuna(trials, objectives),
        space=space_from_optuna(trials),
        budget=Budget(trials=len(trials)),
    )
    _check(spec, trials)
    unfinished = ", ".join(str(t.number) for t in every if not t.state.is_finished())
    if unfinished:
        warnings.warn(
            f"of the Optuna study {name!r}, what has not finished stays behind: trial {unfinished}",
            stacklevel=2,
        )
    return Adoptable(spec=spec, trials=trials, records=records_from_trials(trials, objectives))


def _check(spec: StudySpec, trials: Sequence[FrozenTrial]) -> None:
    """What is stored must be read again: Optuna allows names and values that a study of ours cannot have."""
    sentence = f"the Optuna study {spec.name!r} cannot be adopted"
    try:
        again = parse_dict(json.loads(json.dumps(to_dict(spec))), has_task=True)
    except SpecError as error:
        hint = f"{error.hint}; optuna.copy_study gives it another" if error.key == "name" else error.hint
        raise InputError(f"{sentence}: {error.key}: {error.message}", hint=hint) from None
    if again != spec:
        raise InputError(f"{sentence}: two of its objectives or constraints have one name")
    for trial in trials:
        for name, value in trial.params.items():
            if not spec.space.by_name[name].contains(value):
                raise InputError(
                    f"{sentence}: trial {trial.number} has a {name} = {value!r} that others forbid"
                )


def _check_room(study: Adoptable, db: Database) -> None:
    """See that the database can hold it.

    Raises:
        InputError: It cannot.
    """
    sentence = f"the Optuna study {study.spec.name!r} cannot be adopted"
    try:
        capacity.check_study(db, study.spec)
    except SpecError as error:
        raise InputError(f"{sentence}: {error.key}: {error.message}", hint=error.hint) from None
    rows = [
        {
            "row": {"number": trial.number},
            "trial_user_attributes": [
                {"key": key, "value_json": json.dumps(value)} for key, value in trial.user_attrs.items()
            ],
            "trial_intermediate_values": [{"step": step} for step in trial.intermediate_values],
        }
        for trial in study.trials
    ]
    capacity.check_trials(db, study.spec.name, rows)


@repeated
def adopt(db: Database, study: Adoptable, study_uuid: str) -> None:
    """Store it under a key of ours that is new.

    Raises:
        StudyChanged: The name is taken.
    """
    spec = study.spec
    rows = OptunaRows.of(db)
    try:
        with db.write() as connection:
            optuna_study_id = studies.insert(connection, db, rows, study_uuid, spec, to_dict(spec), None)
            for slot, (trial, record) in enumerate(zip(study.trials, study.records, strict=True)):
                trial_id = rows.copy_trial(connection, optuna_study_id, spec.space, trial, record.violations)
                _insert(connection, study_uuid, slot, trial_id, record)
            connection.execute(
                sa.update(tables.studies)
                .where(tables.studies.c.uuid == study_uuid)
                .values(slots=len(study.trials), revision=len(study.trials))
            )
    except sa.exc.IntegrityError:
        studies.check_taken(db, spec.name, study_uuid)


def _insert(
    connection: sa.Connection, study_uuid: str, slot: int, trial_id: int, record: TrialRecord
) -> None:
    """Our rows of one trial."""
    revision = slot + 1
    connection.execute(
        sa.insert(tables.slots).values(
            study_uuid=study_uuid,
            slot=slot,
            phase=Phase.DONE.value,
            number=record.number,
            optuna_trial_id=trial_id,
            seed=slot_seed(0, slot),
            revision=revision,
            attempt=1,
            metrics=dump(record.metrics),
            feasible=record.feasible,
            last_step=record.steps,
            proposal=json.dumps({"method": "imported", "kind": "start", "origin": "import"}),
        )
    )
    if record.reports:
        connection.execute(
            sa.insert(tables.reports).values(
                study_uuid=study_uuid,
                number=record.number,
                revision=revision,
                body=dump_reports(list(record.reports.items())),
            )
        )
