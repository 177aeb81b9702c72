"""A study's name: whose it is, when it is made and when it is removed; on every kind of database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import optuna
import pytest
import sqlalchemy as sa

from satisfice.errors import StudyChanged
from satisfice.spec import parse_dict, to_dict
from satisfice.store import migrate, studies, tables
from satisfice.store.database.engine import Database
from satisfice.store.database.url import resolve
from satisfice.store.optuna_rows import OptunaRows

CONTENT = {
    "objectives": {"loss": "minimize", "size_mb": "maximize"},
    "space": {"rate": {"low": 0.0, "high": 1.0}},
    "budget": {"trials": 2},
}


@pytest.fixture
def db(storage_url: str) -> Iterator[Database]:
    made = Database(resolve(storage_url))
    migrate.ensure_ready(made)
    yield made
    made.close()


def create(db: Database, name: str) -> None:
    spec = parse_dict(CONTENT | {"name": name}, has_task=True)
    studies.create(db, spec, to_dict(spec), None)


def counts(db: Database) -> dict[str, int]:
    """Rows of Optuna's tables and of ours."""
    every = [*OptunaRows(db.engine)._tables.values(), tables.studies]
    with db.read() as connection:
        return {t.name: len(connection.execute(sa.select(t)).all()) for t in every}


@pytest.mark.parametrize("directions", [["minimize", "maximize"], ["maximize"]])
def test_an_optuna_study_of_that_name_is_not_taken_over(db: Database, directions: list[Any]) -> None:
    theirs = optuna.create_study(study_name="mine", storage=db.optuna_storage(), directions=directions)
    theirs.ask()
    with pytest.raises(StudyChanged, match="an Optuna study 'mine', which is none of satisfice"):
        create(db, "mine")
    assert len(theirs.trials) == 1
    assert theirs.metric_names is None
    assert studies.names(db) == []


def test_whoever_creates_it_second_finds_it(db: Database) -> None:
    create(db, "mine")
    before = studies.find(db, "mine")
    create(db, "mine")
    assert studies.find(db, "mine") == before


def test_optuna_reads_what_was_created(db: Database) -> None:
    create(db, "mine")
    study = optuna.load_study(study_name="mine", storage=db.optuna_storage())
    assert [d.name for d in study.directions] == ["MINIMIZE", "MAXIMIZE"]
    assert study.metric_names == ["loss", "size_mb"]
    row = studies.find(db, "mine")
    assert row is not None
    assert study.user_attrs == {"satisfice:uuid": row["uuid"]}


def test_deleting_leaves_the_rows_of_other_studies(db: Database) -> None:
    for name in ("mine", "other"):
        create(db, name)
        trial = optuna.load_study(study_name=name, storage=db.optuna_storage()).ask()
        trial.suggest_float("rate", 0.0, 1.0)
        trial.set_user_attr("a", 1)
        trial.set_constraint("c", 0.0)
    both = counts(db)
    assert both["trial_params"] == both["trial_user_attributes"] == both["trial_system_attributes"] == 2
    for left, name in ((1, "mine"), (0, "other")):
        row = studies.find(db, name)
        assert row is not None
        studies.delete(db, row)
        studies.delete(db, row)  # as after a commit that was not heard of
        assert counts(db) == {table: count * left // 2 for table, count in both.items()}
    assert studies.names(db) == []


def test_an_optuna_study_that_got_the_id_of_a_removed_one_stays(db: Database) -> None:
    create(db, "mine")
    row = studies.find(db, "mine")
    assert row is not None
    optuna.delete_study(study_name="mine", storage=db.optuna_storage())
    with db.write() as connection:
        table = OptunaRows(db.engine)._studies
        connection.execute(sa.insert(table), {"study_id": row["optuna_study_id"], "study_name": "theirs"})
    studies.delete(db, row)
    assert studies.names(db) == []
    assert optuna.get_all_study_names(db.optuna_storage()) == ["theirs"]
