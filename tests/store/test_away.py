"""What is said of a database that was away for a moment, or that cannot be written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import satisfice
from satisfice.errors import StorageError, StudyNotFound
from satisfice.store.database.engine import Database
from satisfice.store.database.reachable import check_reachable
from satisfice.store.database.url import resolve

SPEC: dict[str, Any] = {
    "name": "mine",
    "objectives": {"loss": "minimize"},
    "constraints": {"size_mb": "<= 0.5"},
    "space": {"rate": {"low": 0.0, "high": 1.0}},
    "budget": {"trials": 3},
}


class Task:
    """Knows that larger rates do not fit."""

    def profile(self, params: dict[str, Any]) -> dict[str, float]:
        return {"size_mb": params["rate"]}

    def train(self, params: dict[str, Any], _trial: Any) -> dict[str, float]:
        return {"loss": params["rate"]}


@pytest.fixture
def study(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[satisfice.Study]:
    monkeypatch.setenv("SATISFICE_ARTEFACTS", str(tmp_path / "artefacts"))
    made = satisfice.create_study(SPEC, storage=postgres_url, task=Task())
    yield made
    made._opened.db.close()


@pytest.fixture
def restart(postgres_server: sa.URL, postgres_url: str) -> Iterator[Callable[[], None]]:
    """Ends every connection, as a restart does: whoever has one finds out when it asks next."""
    name = sa.make_url(postgres_url).database
    engine = sa.create_engine(postgres_server, poolclass=sa.NullPool)

    def end() -> None:
        query = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = :name"
        with engine.connect() as connection:
            assert connection.execute(sa.text(query), {"name": name}).scalar_one() > 0

    yield end
    engine.dispose()


def test_the_first_look_after_a_restart_is_answered(
    study: satisfice.Study, restart: Callable[[], None], tmp_path: Path
) -> None:
    study.optimize()
    study.change(budget={"trials": 4})  # so that one more may wait
    study.optuna_study  # noqa: B018  # it keeps a connection
    for look in (
        study.records,
        study.best,
        study.pareto_front,
        study.close_calls,
        study.trials_dataframe,
        study.status,
        study.report_context,
        study.confirm,
        lambda: study.optuna_study,
        lambda: study.export(tmp_path / "mine.zip"),
        lambda: study.enqueue_trial({"rate": 0.25}),
        study.delete,
    ):
        restart()
        look()
    with pytest.raises(StudyNotFound, match="the study was deleted"):
        study.status()


def test_an_enqueued_configuration_that_does_not_fit_is_noted_after_a_restart(
    study: satisfice.Study, restart: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    study.enqueue_trial({"rate": 0.75})
    profile = Task.profile

    def cut(task: Task, params: dict[str, Any]) -> dict[str, float]:
        if params["rate"] == 0.75:
            restart()
        return profile(task, params)

    monkeypatch.setattr(Task, "profile", cut)
    assert study.ask().params["rate"] <= 0.5
    (queued,) = study._reader.queue()
    assert queued["turned_away"] is not None


def test_a_database_that_is_read_only_is_said_to_be(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/study.db"
    study = satisfice.create_study(SPEC, storage=url, task=Task())
    study.optimize()
    study.change(budget={"trials": 4})  # so that one more may wait
    db = study._opened.db
    db.engine.dispose()
    sa.event.listen(db.engine, "connect", _query_only)
    sentence = r"the database is read-only: sqlite:.*for SQLite its folder too"
    with pytest.raises(StorageError, match=sentence):
        study.enqueue_trial({"rate": 0.25})
    assert study.best().number is not None
    fresh = Database(resolve(f"sqlite:///{tmp_path}/other.db"))
    sa.event.listen(fresh.engine, "connect", _write_in_vain)
    with pytest.raises(StorageError, match=r"cannot open the storage sqlite:.*: the database is read-only"):
        check_reachable(fresh)
    fresh.close()


def _query_only(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA query_only = ON")


def _write_in_vain(connection: Any, record: Any) -> None:
    """As setting up a connection to a file that this user may not write."""
    _query_only(connection, record)
    connection.execute("PRAGMA user_version = 1")
