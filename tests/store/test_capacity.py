"""A study that its database cannot hold is refused when it is defined, before any row."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy as sa

import satisfice
from satisfice.errors import InputError, SpecError, StudyChanged
from satisfice.store import capacity
from satisfice.store.database.engine import Database
from satisfice.store.database.url import resolve
from satisfice.study.after.exchange import import_studies
from satisfice.study.opening import open_database

SLOW = pytest.mark.slow


class Task:
    """Scores without training."""

    def train(self, params: Mapping[str, Any], _trial: Any) -> dict[str, float]:
        return {"score": 1.0, "Score": 2.0}


def content(name: str = "x", **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "objectives": {"score": "maximize"},
        "space": {"a": {"low": 0.0, "high": 1.0}},
        "budget": {"trials": 2},
    } | changes


_open: list[satisfice.Study] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """No connection outlives its test."""
    yield
    while _open:
        _open.pop()._opened.db.close()


def define(url: str, **changes: Any) -> satisfice.Study:
    _open.append(satisfice.create_study(content(**changes), storage=url, task=Task()))
    return _open[-1]


def load(name: str, url: str) -> satisfice.Study:
    _open.append(satisfice.load_study(name, storage=url))
    return _open[-1]


def rows(url: str) -> int:
    """Rows in Optuna's tables and ours, but for versions."""
    with closing(Database(resolve(url))) as db, db.read() as connection:
        names = sa.inspect(connection).get_table_names()
        counted = [n for n in names if "version" not in n]
        return sum(connection.execute(sa.text(f"SELECT COUNT(*) FROM {n}")).scalar_one() for n in counted)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=SLOW), pytest.param("mariadb", marks=SLOW)])
def url(request: pytest.FixtureRequest) -> str:
    """Each kind of database."""
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@pytest.mark.parametrize("url", ["sqlite", pytest.param("postgres", marks=SLOW), "mariadb"], indirect=True)
def test_what_only_some_databases_hold(url: str) -> None:
    """One set of studies: MariaDB refuses each before any row, the others hold it and run it."""
    span = {"low": 0.0, "high": 1.0}
    long_choices = [f"{'word' * 10}-{i:04d}" for i in range(1500)]  # 66 KB and more
    cases: list[tuple[str, dict[str, Any], list[str]]] = [
        ("case", {"space": {"C": span, "c": span}}, ["space.c"]),
        ("three", {"space": {"lr": span, "LR": span, "Lr": span, "b": span}}, ["space.Lr"]),
        ("accent", {"space": {"größe": span, "grosse": span, "grösse": span}}, ["space.grösse"]),
        ("long", {"space": {"a": long_choices}}, ["space.a"]),
        ("two", {"space": {"a": long_choices, "B": span, "b": span}}, ["space.a", "space.b"]),
        ("metric", {"constraints": {"score": "<= 3", "Score": "<= 3"}}, ["constraints.Score"]),
    ]
    define(url, name="before")
    before = rows(url)
    for name, changes, keys in cases:
        if url.startswith("mysql"):
            with pytest.raises(SpecError) as caught:
                define(url, name=name, **changes)
            assert {problem.key for problem in caught.value.problems} == set(keys), name
            assert all("use SQLite or PostgreSQL" in problem.hint for problem in caught.value.problems)
            assert rows(url) == before
        else:
            study = define(url, name=name, **changes)
            study.optimize()
            assert [r.state.name for r in study.records()] == ["COMPLETE"] * 2


def test_a_name_that_differs_in_case_is_another_study(url: str) -> None:
    define(url, name="Digits")
    if url.startswith("mysql"):
        with pytest.raises(StudyChanged, match="a study 'Digits' is in the storage, which does not tell it"):
            define(url, name="digits")
        with pytest.raises(satisfice.errors.StudyNotFound):
            load("digits", url)
    else:
        assert define(url, name="digits").name == "digits"
    assert load("Digits", url).name == "Digits"


def test_the_longest_names_and_every_character_are_held(url: str) -> None:
    """Names of 200 characters, emoji and quotes: every database holds them, byte for byte."""
    longest = "p" * 200
    space = {
        longest: {"low": 0.0, "high": 1.0},
        "温度": [1, 2],
        "🚀": {"low": 1, "high": 3},
        "a.b/c'd\"e": {"low": 0, "high": 5},
        "null\\": ["\x00", "🚀", "O'Brien", "50%", ":x", ""],
    }
    study = define(url, name="n" * 200, space=space, constraints={"score": "<= 3", "m" * 200: "<= 3"})
    study.enqueue_trial({"null\\": "\x00"})
    study.optimize()
    again = load("n" * 200, url)
    assert again.spec.space.names == tuple(space)
    assert {name for record in again.records() for name in record.params} == set(space)
    assert "\x00" in {record.params["null\\"] for record in again.records()}


def test_a_label_must_fit(url: str) -> None:
    label = "edge" * 30
    if url.startswith("sqlite"):
        define(url, measure={"on": label})
        return
    with pytest.raises(
        SpecError, match=r"measure\.on: the label has 120 characters, and there is room for 100"
    ):
        define(url, measure={"on": label})
    with closing(open_database(url)) as db, pytest.raises(InputError, match="the label has 120 characters"):
        capacity.check_label(db, label)


@pytest.fixture
def elsewhere(tmp_path: Path) -> str:
    """An Optuna study in SQLite, with parameters, attributes and a step that not every database holds."""
    url = f"sqlite:///{tmp_path}/optuna.db"
    study = optuna.create_study(storage=url, study_name="theirs")

    def objective(trial: optuna.Trial) -> float:
        trial.set_user_attr("Note", "a")
        trial.set_user_attr("note", "b")
        return trial.suggest_float("c", 0, 1) + trial.suggest_float("C", 0, 1)

    study.optimize(objective, n_trials=2)
    return url


def test_an_optuna_study_that_does_not_fit_is_not_adopted(url: str, elsewhere: str) -> None:
    if not url.startswith("mysql"):
        assert import_studies(elsewhere, url) == ["theirs"]
        return
    with pytest.raises(InputError, match=r"'theirs' cannot be adopted: space\.C: 'C' is not told from 'c'"):
        import_studies(elsewhere, url)
    assert rows(url) == 0


def test_a_step_of_optuna_beyond_32_bits_is_refused_in_one_sentence(url: str, tmp_path: Path) -> None:
    source = f"sqlite:///{tmp_path}/optuna.db"
    study = optuna.create_study(storage=source, study_name="steps")

    def objective(trial: optuna.Trial) -> float:
        trial.report(0.5, 3_000_000_000)
        return trial.suggest_float("a", 0, 1)

    study.optimize(objective, n_trials=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if url.startswith("sqlite"):
            assert import_studies(source, url) == ["steps"]
            return
        with pytest.raises(InputError, match="step 3000000000 is more than its 32 bits hold"):
            import_studies(source, url)
    assert rows(url) == 0


def test_an_archive_that_does_not_fit_is_refused(url: str, tmp_path: Path) -> None:
    span = {"low": 0.0, "high": 1.0}
    study = define(f"sqlite:///{tmp_path}/a.db", name="moved", space={"C": span, "c": span})
    study.optimize()
    study.export(tmp_path / "a.zip")
    if not url.startswith("mysql"):
        assert import_studies(str(tmp_path / "a.zip"), url) == ["moved"]
        assert len(load("moved", url).records()) == 2
        return
    with pytest.raises(SpecError, match=r"space\.c: 'c' is not told from 'C'"):
        import_studies(str(tmp_path / "a.zip"), url)
    assert rows(url) == 0


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
def test_what_is_refused_leaves_no_connection_open(url: str) -> None:
    made: list[Any] = []

    def keep(connection: Any, _record: Any) -> None:
        made.append(connection)

    sa.event.listen(sa.Engine, "connect", keep)
    try:
        with pytest.raises(SpecError):
            satisfice.create_study(content(measure={"on": "edge" * 30}), storage=url, task=Task())
        with pytest.raises(satisfice.errors.StudyNotFound):
            satisfice.load_study("none", storage=url)
    finally:
        sa.event.remove(sa.Engine, "connect", keep)
    assert len(made) >= 2
    assert all(connection.closed for connection in made)
