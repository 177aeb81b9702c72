"""The only module that knows how Optuna lays out its tables.

Optuna's storage API needs about 60 statements and 10 commits for what one trial writes, and cannot join our
own evidence to the same transaction. So trials are written as rows, in one transaction with ours, into the
layout that Optuna versions as schema 12 (``version_info.schema_version``, checked when the storage is
opened); the tests read every row back through Optuna's own reader.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Self

import sqlalchemy as sa
from optuna.distributions import BaseDistribution, IntDistribution, distribution_to_json
from optuna.trial import FrozenTrial, TrialState

from satisfice.errors import StudyNotFound
from satisfice.spec.space import SearchSpace
from satisfice.spec.study import Objective
from satisfice.store.database.engine import Database

SCHEMA_VERSION = 12
CONSTRAINT_PREFIX = "constraints:"
_OF_STUDY = ("study_directions", "study_user_attributes", "study_system_attributes")
_OF_TRIAL = (
    "trial_params",
    "trial_values",
    "trial_intermediate_values",
    "trial_user_attributes",
    "trial_system_attributes",
)
_HEARTBEATS = "trial_heartbeats"
TABLE_NAMES = ("studies", "trials", *_OF_STUDY, *_OF_TRIAL, _HEARTBEATS)


class OptunaRows:
    """Reads and writes Optuna's rows on a connection that the caller has begun.

    Args:
        engine: Used once, to read how this back-end spells the columns' types.
    """

    def __init__(self, engine: sa.Engine) -> None:
        metadata = sa.MetaData()
        metadata.reflect(engine, only=TABLE_NAMES, resolve_fks=False)
        for table in metadata.tables.values():
            for column in table.columns:
                # MySQL reads DOUBLE as a Decimal of ten digits if not told otherwise.
                if isinstance(column.type, sa.Float):
                    column.type.asdecimal = False
        self._tables = metadata.tables
        self._studies = metadata.tables["studies"]
        self._trials = metadata.tables["trials"]
        self._params = metadata.tables["trial_params"]
        self._values = metadata.tables["trial_values"]
        self._user_attributes = metadata.tables["trial_user_attributes"]
        self._system_attributes = metadata.tables["trial_system_attributes"]
        self._details = tuple(metadata.tables[name] for name in _OF_TRIAL)
        t, p = self._trials.c, self._params.c
        self._last_number = (
            sa.select(t.number)
            .where(t.study_id == sa.bindparam("of_study"))
            .order_by(t.trial_id.desc())
            .limit(1)
        )
        following = sa.func.coalesce(self._last_number.scalar_subquery() + 1, 0)
        self._new_trial = sa.insert(self._trials).values(number=following).returning(t.trial_id, t.number)
        self._end = sa.update(self._trials).where(t.trial_id == sa.bindparam("of_trial"))
        # To be joined with our tables: names of our own, whatever Optuna calls its columns.
        self.trials = sa.select(
            t.trial_id,
            sa.cast(t.state, sa.String(20)).label("state"),
            t.datetime_start.label("started_at"),
            t.datetime_complete.label("finished_at"),
        ).subquery("optuna_trials")
        self.params = sa.select(
            p.trial_id, p.param_name.label("name"), p.param_value.label("value")
        ).subquery("optuna_params")

    def create_study(
        self, connection: sa.Connection, name: str, objectives: Sequence[Objective], study_uuid: str
    ) -> int:
        """Insert a study; returns its id.

        Raises:
            sqlalchemy.exc.IntegrityError: One of that name is there.
        """
        made = connection.execute(sa.insert(self._studies), {"study_name": name}).inserted_primary_key
        assert made is not None
        study_id = int(made[0])
        directions, user_attributes, system_attributes = (self._tables[table] for table in _OF_STUDY)
        rows = [
            {"study_id": study_id, "objective": i, "direction": o.direction.upper()}
            for i, o in enumerate(objectives)
        ]
        connection.execute(sa.insert(directions), rows)
        for table, key, value in (
            (system_attributes, "study:metric_names", [o.metric for o in objectives]),
            (user_attributes, "satisfice:uuid", study_uuid),
        ):
            row = {"study_id": study_id, "key": key, "value_json": json.dumps(value)}
            connection.execute(sa.insert(table), row)
        return study_id

    @classmethod
    def of(cls, db: Database) -> Self:
        """Those of a database, which is waited for where it is away."""
        return db.retrying(lambda: cls(db.engine))

    @property
    def study_attributes(self) -> sa.Table:
        """Optuna's table of a study's user attributes."""
        return self._tables["study_user_attributes"]

    def delete_study(self, connection: sa.Connection, study_id: int, name: str) -> None:
        """Remove a study with its trials; nothing where somebody removed it before.

        The name says whether it is still the same one: SQLite gives ids of deleted rows to new ones.
        """
        s, of_study = self._studies.c, self._trials.c.study_id == study_id
        there = sa.select(s.study_id).where(s.study_id == study_id, s.study_name == name).with_for_update()
        if connection.execute(there).first() is None:
            return
        trials = sa.select(self._trials.c.trial_id).where(of_study)
        for table in (*self._details, self._tables[_HEARTBEATS]):
            connection.execute(sa.delete(table).where(table.c.trial_id.in_(trials)))
        for table in (self._trials, *(self._tables[name] for name in _OF_STUDY), self._studies):
            connection.execute(sa.delete(table).where(table.c.study_id == study_id))

    def create_trial(
        self,
        connection: sa.Connection,
        study_id: int,
        space: SearchSpace,
        params: Mapping[str, Any],
        system_attributes: Mapping[str, Any],
    ) -> tuple[int, int]:
        """Insert a RUNNING trial; returns its id and number. Locks the study's row, as Optuna does.

        Raises:
            StudyNotFound: The study was deleted.
        """
        if connection.dialect.name != "sqlite":  # there the transaction has the write lock already
            lock = (
                sa.select(self._studies.c.study_id)
                .where(self._studies.c.study_id == study_id)
                .with_for_update()
            )
            if connection.execute(lock).first() is None:
                raise StudyNotFound("the study was deleted")
        trial_id, number = self._insert_trial(connection, study_id)
        self._insert_params(connection, trial_id, space, params)
        self._insert_attributes(connection, self._system_attributes, trial_id, system_attributes)
        return trial_id, number

    def _insert_trial(self, connection: sa.Connection, study_id: int) -> tuple[int, int]:
        row = {"study_id": study_id, "state": "RUNNING", "datetime_start": _utc_now()}
        if connection.dialect.name in ("sqlite", "postgresql"):  # MySQL reads no table that it inserts into
            made = connection.execute(self._new_trial, {**row, "of_study": study_id}).one()
            return int(made.trial_id), int(made.number)
        previous = connection.execute(self._last_number, {"of_study": study_id}).scalar()
        following = 0 if previous is None else previous + 1
        inserted = connection.execute(
            sa.insert(self._trials), {**row, "number": following}
        ).inserted_primary_key
        assert inserted is not None
        return int(inserted[0]), following

    def _insert_params(
        self, connection: sa.Connection, trial_id: int, space: SearchSpace, params: Mapping[str, Any]
    ) -> None:
        rows = []
        for name, value in params.items():
            distribution = space.by_name[name].distribution
            rows.append(
                {
                    "trial_id": trial_id,
                    "param_name": name,
                    "param_value": _internal(distribution, value),
                    "distribution_json": distribution_to_json(distribution),
                }
            )
        if rows:
            connection.execute(sa.insert(self._params), rows)

    def _insert_attributes(
        self, connection: sa.Connection, table: sa.Table, trial_id: int, attributes: Mapping[str, Any]
    ) -> None:
        rows = [{"trial_id": trial_id, "key": k, "value_json": json.dumps(v)} for k, v in attributes.items()]
        if rows:
            connection.execute(sa.insert(table), rows)

    def finish_trial(
        self,
        connection: sa.Connection,
        trial_id: int,
        state: TrialState,
        values: Sequence[float] | None,
        constraints: Mapping[str, float],
        user_attributes: Mapping[str, Any],
    ) -> None:
        """Write values, constraints and state of a RUNNING trial."""
        self._insert_results(connection, trial_id, values, constraints, user_attributes)
        ended = {"of_trial": trial_id, "state": state.name, "datetime_complete": _utc_now()}
        connection.execute(self._end, ended)

    def _insert_results(
        self,
        connection: sa.Connection,
        trial_id: int,
        values: Sequence[float] | None,
        constraints: Mapping[str, float],
        user_attributes: Mapping[str, Any],
    ) -> None:
        if values is not None:
            rows = [
                {"trial_id": trial_id, "objective": i, "value": _stored(v), "value_type": _value_type(v)}
                for i, v in enumerate(values)
            ]
            connection.execute(sa.insert(self._values), rows)
        keyed = {CONSTRAINT_PREFIX + key: value for key, value in constraints.items()}
        self._insert_attributes(connection, self._system_attributes, trial_id, keyed)
        self._insert_attributes(connection, self._user_attributes, trial_id, user_attributes)

    def copy_trial(
        self,
        connection: sa.Connection,
        study_id: int,
        space: SearchSpace,
        trial: FrozenTrial,
        constraints: Mapping[str, float],
    ) -> int:
        """Insert a finished trial of another study, with its number, times and reports; returns its id.

        Of system attributes, which are notes of samplers, none is copied.
        """
        row = {
            "study_id": study_id,
            "number": trial.number,
            "state": trial.state.name,
            "datetime_start": _utc(trial.datetime_start),
            "datetime_complete": _utc(trial.datetime_complete),
        }
        inserted = connection.execute(sa.insert(self._trials), row).inserted_primary_key
        assert inserted is not None
        trial_id = int(inserted[0])
        self._insert_params(connection, trial_id, space, trial.params)
        self._insert_results(connection, trial_id, trial.values, constraints, trial.user_attrs)
        reported = [
            {
                "trial_id": trial_id,
                "step": step,
                "intermediate_value": _stored(value),
                "intermediate_value_type": _value_type(value),
            }
            for step, value in trial.intermediate_values.items()
        ]
        if reported:
            connection.execute(sa.insert(self._tables["trial_intermediate_values"]), reported)
        return trial_id

    def replace_constraints(
        self, connection: sa.Connection, constraints: Mapping[int, Mapping[str, float]]
    ) -> None:
        """Write the constraints of finished trials, by trial id, in place of what they had.

        Optuna itself writes them once. A process that has read the trials before may keep what it read.
        """
        a = self._system_attributes.c
        ours = a.key.startswith(CONSTRAINT_PREFIX, autoescape=True)
        for chunk in _chunks(constraints):
            connection.execute(sa.delete(self._system_attributes).where(a.trial_id.in_(chunk), ours))
            rows = [
                {"trial_id": i, "key": CONSTRAINT_PREFIX + key, "value_json": json.dumps(value)}
                for i in chunk
                for key, value in constraints[i].items()
            ]
            if rows:
                connection.execute(sa.insert(self._system_attributes), rows)

    def set_state(self, connection: sa.Connection, trial_id: int, state: TrialState) -> None:
        """WAITING for a trial that was given back, RUNNING when it goes on: no other reader sees a zombie."""
        connection.execute(
            sa.update(self._trials).where(self._trials.c.trial_id == trial_id).values(state=state.name)
        )

    def dump(self, connection: sa.Connection, study_id: int) -> list[dict[str, Any]]:
        """Every trial of a study with its rows, as JSON content."""
        t = self._trials
        ids = list(connection.execute(sa.select(t.c.trial_id).where(t.c.study_id == study_id)).scalars())
        trials: dict[int, dict[str, Any]] = {}
        for chunk in _chunks(ids):
            for row in connection.execute(sa.select(t).where(t.c.trial_id.in_(chunk))).mappings():
                plain = {
                    k: v.isoformat() if isinstance(v, datetime) else getattr(v, "name", v)
                    for k, v in row.items()
                }
                trials[row["trial_id"]] = {"row": plain, **{table.name: [] for table in self._details}}
            for table in self._details:
                for row in connection.execute(sa.select(table).where(table.c.trial_id.in_(chunk))).mappings():
                    trials[row["trial_id"]][table.name].append(
                        {k: getattr(v, "name", v) for k, v in row.items()}
                    )
        return [trials[i] for i in ids]

    def restore(
        self, connection: sa.Connection, study_id: int, trials: Iterable[Mapping[str, Any]]
    ) -> dict[str, int]:
        """Insert what `dump` gave into another study; returns new ids by old ones."""
        ids: dict[str, int] = {}
        for trial in trials:
            row = dict(trial["row"])
            old = row.pop("trial_id")
            for column in ("datetime_start", "datetime_complete"):
                row[column] = datetime.fromisoformat(row[column]) if row[column] else None
            inserted = connection.execute(
                sa.insert(self._trials), {**row, "study_id": study_id}
            ).inserted_primary_key
            assert inserted is not None
            ids[str(old)] = int(inserted[0])
            for table in self._details:
                key = next(iter(table.primary_key)).name
                moved = [
                    {k: v for k, v in detail.items() if k != key} | {"trial_id": ids[str(old)]}
                    for detail in trial.get(table.name, ())
                ]
                if moved:
                    connection.execute(sa.insert(table), moved)
        return ids


def _internal(distribution: BaseDistribution, value: Any) -> float:
    """A value as Optuna stores it: a float, of an integer beyond 2**53 one nearby that is not outside."""
    stored = float(distribution.to_internal_repr(value))
    if isinstance(distribution, IntDistribution):
        if stored > distribution.high:
            stored = math.nextafter(stored, -math.inf)
        if stored < distribution.low:
            stored = math.nextafter(stored, math.inf)
    return stored


def lost(space: SearchSpace, params: Mapping[str, Any]) -> dict[str, int]:
    """Integers that Optuna's column of floats does not hold: they are kept beside it."""
    return {
        name: value
        for name, value in params.items()
        if isinstance(space.by_name[name].distribution, IntDistribution)
        and int(_internal(space.by_name[name].distribution, value)) != value
    }


def _chunks(ids: Iterable[int], size: int = 500) -> Iterable[list[int]]:
    listed = list(ids)
    for start in range(0, len(listed), size):
        yield listed[start : start + size]


def _utc_now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)  # Optuna 5 stores UTC without a zone


def _utc(local: datetime | None) -> datetime | None:
    """A time as Optuna stores it, from one that Optuna has read."""
    return None if local is None else local.astimezone(UTC).replace(tzinfo=None)


def _stored(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _value_type(value: float) -> str:
    if math.isnan(value):  # of reports only
        return "NAN"
    if math.isinf(value):
        return "INF_POS" if value > 0 else "INF_NEG"
    return "FINITE"
