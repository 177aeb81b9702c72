"""Ledger and reader wait by themselves for a database that is away; the outermost call decides how long."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
import sqlalchemy as sa

import satisfice
from satisfice.errors import StorageLost
from satisfice.store import studies


class Own:
    def train(self, params: Any, trial: Any) -> Any:
        raise NotImplementedError


SPEC = {"name": "own", "objectives": {"a": "maximize"}, "space": {"x": [1, 2, 3]}, "budget": {"trials": 3}}


class Busy:
    """In front of a database's connections: the first few are refused, as by a file that is locked."""

    def __init__(self, connect: Callable[[], AbstractContextManager[sa.Connection]], times: int) -> None:
        self.connect = connect
        self.times = times
        self.refused = 0

    def __call__(self) -> AbstractContextManager[sa.Connection]:
        if self.refused < self.times:
            self.refused += 1
            raise sa.exc.OperationalError("SELECT", None, sqlite3.OperationalError("database is locked"))
        return self.connect()


@pytest.fixture
def study(sqlite_url: str) -> Iterator[satisfice.Study]:
    opened = satisfice.create_study(SPEC, storage=sqlite_url, task=Own())
    yield opened
    opened._opened.db.close()


def test_reader_and_ledger_try_again(study: satisfice.Study, monkeypatch: pytest.MonkeyPatch) -> None:
    session, db = study._session, study._opened.db
    for name in ("look", "read", "write"):
        monkeypatch.setattr(db, name, Busy(getattr(db, name), 2))
    assert session.reader.study_row()["name"] == "own"
    assert session.reader.records() == []
    assert session.ledger.slots.claim().slot == 0
    assert [each.refused for each in (db.look, db.read, db.write)] == [2] * 3  # type: ignore[attr-defined]


def test_a_function_of_the_store_tries_again(study: satisfice.Study, monkeypatch: pytest.MonkeyPatch) -> None:
    db = study._opened.db
    monkeypatch.setattr(db, "read", Busy(db.read, 2))
    assert studies.names(db) == ["own"]


def test_once_is_tried_once(study: satisfice.Study, monkeypatch: pytest.MonkeyPatch) -> None:
    session, db = study._session, study._opened.db
    claim = session.ledger.slots.claim()
    busy = Busy(db.write, 1)
    monkeypatch.setattr(db, "write", busy)
    with pytest.raises(sa.exc.OperationalError):
        session.ledger.leases.once.renew(claim)
    session.ledger.leases.once.renew(claim)
    assert busy.refused == 1


def test_promptly_does_not_wait_for_the_patience_of_the_database(
    study: satisfice.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = study._opened.db
    moments = iter(range(10_000))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(moments)))  # a second a look
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    busy = Busy(db.look, 100)
    monkeypatch.setattr(db, "look", busy)
    with pytest.raises(StorageLost):
        study._session.reader.promptly.study_row()
    assert 1 <= busy.refused <= 2


def test_the_outermost_call_decides_how_long_to_wait(
    study: satisfice.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What reads by itself patiently does not hold up who must not wait."""
    db, reader = study._opened.db, study._session.reader
    moments = iter(range(10_000))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(moments)))
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    busy = Busy(db.look, 100)
    monkeypatch.setattr(db, "look", busy)
    with pytest.raises(StorageLost):
        db.promptly(lambda: (reader.study_row(), reader.states()))
    assert 1 <= busy.refused <= 2
    with pytest.raises(sa.exc.OperationalError):
        db.once(reader.study_row)
