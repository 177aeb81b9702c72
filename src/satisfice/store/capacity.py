"""What a database can hold: asked before anything of a study is written, so that no trial fails for it later.

MySQL and MariaDB compare names without regard to case (by the collation of the column), end a text at 64 KB
and an integer at 32 bits; PostgreSQL has the last limit too. SQLite has none of them.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from optuna.distributions import distribution_to_json

from satisfice.errors import InputError, SpecError, StudyChanged
from satisfice.spec.study import StudySpec
from satisfice.store import tables
from satisfice.store.database.engine import Database
from satisfice.store.database.repeated import repeated
from satisfice.store.optuna_rows import CONSTRAINT_PREFIX, TABLE_NAMES

_HINT = "or use SQLite or PostgreSQL"
_COLUMNS = """
SELECT table_name AS t, column_name AS c, data_type AS kind, character_maximum_length AS characters,
       character_octet_length AS bytes{more}
FROM information_schema.columns WHERE table_schema = {schema}
"""


class Capacity:
    """The limits of one database's columns.

    Args:
        connection: To the database, whose tables exist.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._mysql = connection.dialect.name in ("mysql", "mariadb")
        self._columns: dict[tuple[str, str], Mapping[str, Any]] = {}
        self._codec = "utf-8"
        if connection.dialect.name == "sqlite":
            return
        more = ", character_set_name AS charset, collation_name AS collation" if self._mysql else ""
        schema = "DATABASE()" if self._mysql else "current_schema()"
        for row in connection.execute(sa.text(_COLUMNS.format(more=more, schema=schema))).mappings():
            self._columns[row["t"], row["c"]] = dict(row)
        if not self._mysql:
            self._codec = _codec(str(connection.execute(sa.text("SHOW server_encoding")).scalar_one()))

    def refuses(self, table: str, column: str, value: str | int) -> str | None:
        """Why the column cannot hold the value, as the end of a sentence; None if it can."""
        of = self._columns.get((table, column))
        if of is None:
            return None
        if isinstance(value, int):
            bits = {"integer": 31, "int": 31, "smallint": 15}.get(str(of["kind"]).lower(), 63)
            return None if -(2**bits) <= value < 2**bits else f"is more than its {bits + 1} bits hold"
        if of["characters"] is not None and str(of["kind"]).lower() in (
            "varchar",
            "character varying",
            "char",
        ):
            if len(value) > int(of["characters"]):
                return f"has {len(value):,} characters, and there is room for {int(of['characters']):,}"
        elif self._mysql and of["bytes"] is not None and len(value.encode()) > int(of["bytes"]):
            return f"takes {len(value.encode()):,} bytes, and there is room for {int(of['bytes']):,}"
        if not self._spells(of, value):
            return "has characters that its character set lacks"
        return None

    def _spells(self, of: Mapping[str, Any], value: str) -> bool:
        """Whether the column's character set has every character."""
        if value.isascii():
            return True
        if not self._mysql:
            try:
                value.encode(self._codec)
            except UnicodeError:
                return False
            return True
        charset = _identifier(of["charset"])
        there = f"CONVERT(CONVERT(CONVERT(:v USING utf8mb4) USING {charset}) USING utf8mb4)"
        query = sa.text(f"SELECT BINARY {there} = BINARY CONVERT(:v USING utf8mb4)")
        return bool(self._connection.execute(query, {"v": value}).scalar())

    def alike(self, table: str, column: str, values: Sequence[str]) -> tuple[str, str] | None:
        """Two different values that the column takes for the same; None where it tells all apart."""
        of = self._columns.get((table, column))
        if not self._mysql or of is None or len(values) < 2 or not all(self._spells(of, v) for v in values):
            return None
        each = "CONVERT(:v{i} USING {charset}) COLLATE {collation}"
        charset, collation = _identifier(of["charset"]), _identifier(of["collation"])
        rows = " UNION ALL ".join(
            f"SELECT {i} AS i, {each.format(i=i, charset=charset, collation=collation)} AS n"
            for i in range(len(values))
        )
        query = f"SELECT MIN(i), MAX(i) FROM ({rows}) AS t GROUP BY n HAVING COUNT(*) > 1"  # noqa: S608  # names of the catalogue
        given = {f"v{i}": value for i, value in enumerate(values)}
        found = self._connection.execute(sa.text(query), given).first()
        return None if found is None else (values[found[0]], values[found[1]])


def _codec(encoding: str) -> str:
    """Python's name of an encoding of PostgreSQL."""
    name = {"SQL_ASCII": "utf-8"}.get(encoding, encoding.lower().replace("win", "cp"))
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "utf-8"


def _identifier(name: Any) -> str:
    """A name from the catalogue of the database, to stand in a statement."""
    text = str(name)
    assert text.replace("_", "").isalnum(), text
    return text


@repeated
def check_study(db: Database, spec: StudySpec) -> None:
    """See that the database can hold a study and every trial of it.

    Args:
        db: Its tables exist.
        spec: The study.

    Raises:
        SpecError: It cannot; it tells every parameter, choice and metric that stands in the way.
        StudyChanged: It takes the study's name for that of another one.
    """
    if db.dialect == "sqlite":
        return
    file = str(spec.source) if spec.source is not None and spec.source.is_file() else None
    with db.read() as connection:
        capacity = Capacity(connection)
        s = tables.studies.c.name
        stored = connection.execute(sa.select(s).where(s == spec.name)).scalar()
        found = [
            SpecError(f"{problem} in this database", key=key, file=file, hint=hint)
            for key, problem, hint in _problems(capacity, spec)
        ]
    if stored is not None and stored != spec.name:
        raise StudyChanged(
            f"a study {stored!r} is in the storage, which does not tell it from {spec.name!r}",
            hint="take a name that differs in more than case",
        )
    if found:
        raise SpecError.of(found)


def _problems(capacity: Capacity, spec: StudySpec) -> Iterator[tuple[str, str, str]]:
    """Dotted key, problem and hint."""
    for p in spec.space:
        yield from _too_much(capacity, "trial_params", "param_name", p.name, f"space.{p.name}", "its name")
        body = distribution_to_json(p.distribution)
        problem = capacity.refuses("trial_params", "distribution_json", body)
        if problem is not None:
            hint = f"write shorter or fewer choices, {_HINT}"
            yield f"space.{p.name}", f"the list of choices {problem}", hint
    alike = capacity.alike("trial_params", "param_name", spec.space.names)
    if alike is not None:
        yield f"space.{alike[1]}", f"{_is_not_told(*alike)}", f"rename one of them, {_HINT}"
    for c in spec.constraints:
        key = CONSTRAINT_PREFIX + c.key
        yield from _too_much(capacity, "trial_system_attributes", "key", key, f"constraints.{c.metric}", "it")
    keys = [c.key for c in spec.constraints]
    alike = capacity.alike("trial_system_attributes", "key", keys)
    if alike is not None:
        metric = next(c.metric for c in spec.constraints if c.key == alike[1])
        yield f"constraints.{metric}", _is_not_told(*alike), f"rename one of the metrics, {_HINT}"
    names = json.dumps([o.metric for o in spec.objectives])
    yield from _too_much(capacity, "study_system_attributes", "value_json", names, "objectives", "the names")
    if spec.measure.on is not None:
        on = spec.measure.on
        yield from _too_much(capacity, tables.workers.name, "label", on, "measure.on", "the label")
    if spec.source is not None:
        folder = str(spec.base_dir.absolute())
        yield from _too_much(
            capacity, tables.studies.name, "source_dir", folder, "", "the folder of the file"
        )


def _too_much(
    capacity: Capacity, table: str, column: str, value: str, key: str, what: str
) -> Iterator[tuple[str, str, str]]:
    problem = capacity.refuses(table, column, value)
    if problem is not None:
        yield key, f"{what} {problem}", f"shorten or rename it, {_HINT}"


def _is_not_told(one: str, other: str) -> str:
    return f"{other!r} is not told from {one!r}, whose letters differ in case or accent only,"


@repeated
def check_label(db: Database, label: str | None) -> None:
    """See that the database can hold a worker's label.

    Raises:
        InputError: It cannot.
    """
    if label is None or db.dialect == "sqlite":
        return
    with db.read() as connection:
        problem = Capacity(connection).refuses(tables.workers.name, "label", label)
    if problem is not None:
        raise InputError(f"the label {problem} in this database", hint="give a shorter one, of plain letters")


@repeated
def check_trials(db: Database, name: str, trials: Sequence[Mapping[str, Any]]) -> None:
    """See that the database can hold Optuna's rows of trials that come from elsewhere.

    Args:
        db: Its tables exist.
        name: Of the study, for messages.
        trials: As `OptunaRows.dump` gives them: rows by table.

    Raises:
        InputError: It cannot.
    """
    if db.dialect == "sqlite":
        return
    with db.read() as connection:
        capacity = Capacity(connection)
        seen: set[tuple[str, ...]] = set()
        for trial in trials:
            for table in TABLE_NAMES:
                problem = _row_problem(capacity, table, trial.get(table, ()), seen)
                if problem is not None:
                    number = trial["row"]["number"]
                    raise InputError(
                        f"trial {number} of study {name!r} does not go into this database: {problem}",
                        hint="import it into SQLite, or leave that out",
                    )


def _row_problem(
    capacity: Capacity, table: str, rows: Sequence[Mapping[str, Any]], seen: set[tuple[str, ...]]
) -> str | None:
    for row in rows:
        for column, value in row.items():
            if isinstance(value, str | int) and not isinstance(value, bool):
                problem = capacity.refuses(table, column, value)
                if problem is not None:
                    shown = value if isinstance(value, int) else repr(value[:40])
                    return f"{column} {shown} {problem}"
    for column in ("key", "param_name"):
        names = tuple(str(row[column]) for row in rows if row.get(column) is not None)
        if (table, column, *names) not in seen:
            seen.add((table, column, *names))
            alike = capacity.alike(table, column, names)
            if alike is not None:
                return _is_not_told(*alike).rstrip(",")
    return None
