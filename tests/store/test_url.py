"""Storage URLs: which database is meant, and that no password is shown."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

import satisfice
from satisfice.errors import InputError, MissingExtra, StorageError
from satisfice.store.database import url as url_module
from satisfice.store.database.secret import hidden, passwords
from satisfice.store.database.url import MEMORY, address, for_optuna, is_memory, masked, named, resolve

SPEC = {
    "name": "mine",
    "objectives": {"score": "maximize"},
    "space": {"rate": {"low": 0.0, "high": 1.0}},
    "budget": {"trials": 2},
}


class Task:
    """Scores the rate."""

    def train(self, params, trial):
        trial.save_checkpoint({"step": 1})
        return {"score": params["rate"]}


# -- SQLite's paths ----

NAMES = [
    "what?.db",
    "a#b.db",
    "100%.db",
    "my%20study.db",
    "two words.db",
    "größe.db",
    "a@b:c.db",
    "{x}.db",
    "a?b=c&d.db",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_path_means_itself(name: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/{name}"
    study = satisfice.create_study(SPEC, storage=url, task=Task())
    study.optimize()
    assert satisfice.load_study("mine", storage=url).best().number == study.best().number
    assert len(study.optuna_study.trials) == 2
    study._opened.artefacts.put(0, "kept.bin", b"1")
    study._opened.db.close()
    left = {path.name for path in tmp_path.iterdir()}
    assert left - {f"{name}-wal", f"{name}-shm"} == {name, f"{name}.artefacts"}
    assert sa.make_url(for_optuna(resolve(url)).format()).database is not None
    assert resolve(address(resolve(url))) == resolve(url)
    assert masked(resolve(url)) == url


def test_a_path_that_was_written_encoded_before_still_leads_to_its_file(tmp_path: Path) -> None:
    """SQLAlchemy 2.1 decodes paths, so that is how such a study was stored."""
    (tmp_path / "my study.db").touch()
    assert resolve(f"sqlite:///{tmp_path}/my%20study.db").database == str(tmp_path / "my study.db")
    assert resolve(f"sqlite:///{tmp_path}/other%20study.db").database == str(tmp_path / "other%20study.db")


def test_options_of_the_driver_are_no_part_of_the_path(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a#b.db?timeout=7.5&cached_statements=9"
    found = resolve(url)
    assert found.database == f"{tmp_path}/a#b.db"
    assert dict(found.query) == {"timeout": "7.5", "cached_statements": "9"}
    assert address(found) == url
    assert masked(found) == f"sqlite:///{tmp_path}/a#b.db"
    study = satisfice.create_study(SPEC, storage=url, task=Task())
    assert study.optuna_study.trials == []
    study._opened.db.close()


def test_a_relative_path_is_fixed_before_a_task_can_leave_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Wanderer(Task):
        def __init__(self) -> None:
            monkeypatch.chdir("elsewhere")

    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SATISFICE_ARTEFACTS", "kept")
    study = satisfice.create_study(SPEC, storage="sqlite:///mine.db", task=Wanderer)
    study._opened.artefacts.put(0, "model.bin", b"weights")
    assert (tmp_path / "mine.db").is_file()
    assert (tmp_path / "kept").is_dir()
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "the storage is empty"),
        (" \n", "the storage is empty"),
        ("study.db", "for instance sqlite:///study.db"),
        ("sqlite://study.db", "four before an absolute one: sqlite:///study.db"),
        ("sqlite:///study.db?timeout=5&mode=ro", r"has options of SQLite.*\(write sqlite:///study.db\)"),
        ("sqlite:///file:study.db", "URI of SQLite's own"),
        ("sqlite:///a\0b", "null character"),
        ("oracle://host/name", "use sqlite, postgresql, mysql or mariadb"),
        ("postgresql+psycopg2://host/name", "leave the driver out: postgresql://"),
        ("postgresql://host:54x/name", "a port that is no number"),
    ],
)
def test_what_is_no_storage_is_refused_in_one_sentence(url: str, sentence: str) -> None:
    with pytest.raises(StorageError, match=sentence):
        resolve(url)


@pytest.mark.parametrize("variable", ["SATISFICE_STORAGE", "SATISFICE_ARTEFACTS"])
def test_an_empty_variable_is_refused_and_nothing_is_made(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(variable, "")
    storage = None if variable == "SATISFICE_STORAGE" else "sqlite:///mine.db"
    with pytest.raises(InputError, match=f"{variable} is empty"):
        satisfice.create_study(SPEC, storage=storage, task=Task())
    with pytest.raises(InputError, match="the storage is empty"):
        satisfice.create_study(SPEC, storage="", task=Task())
    assert list(tmp_path.iterdir()) == []


def test_a_tilde_is_not_expanded_and_that_is_said() -> None:
    with pytest.raises(InputError, match="~ means nothing in a URL"):
        satisfice.list_studies("sqlite:///~/study.db")


# -- passwords ----


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:pa@TOPSECRET@127.0.0.1:1/x",
        "postgresql://me:12@34:TOPSECRET@127.0.0.1:1/x",
        "postgresql://me:pa@TOP/SECRET@127.0.0.1:1/x",
        "postgresql://me:pa@w?TOPSECRET@127.0.0.1:1/x",
        "mysql://me@corp:pa@TOPSECRET@127.0.0.1:1/x?charset=utf8",
    ],
)
def test_an_at_in_a_password_is_refused_without_showing_any_of_it(url: str) -> None:
    with pytest.raises(StorageError) as raised:
        satisfice.list_studies(url)
    said = str(raised.value)
    assert "write %40 for each @" in said
    assert ":***@127.0.0.1:1/x " in said
    assert not [part for part in ("pa@", "12@", "SECRET", "34:") if part in said]


def test_a_password_where_the_user_was_forgotten_is_not_repeated() -> None:
    with pytest.raises(StorageError) as raised:
        resolve("postgresql://host:TOPSECRET/name")
    assert "TOPSECRET" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:p%40ss@host/db", "postgresql+psycopg://me:***@host/db"),
        ("postgresql://me:p/w#x?y:z@host/db", "postgresql+psycopg://me:***@host/db"),
        ("postgresql://me@corp:word@host/db", "postgresql+psycopg://me%40corp:***@host/db"),
        ("postgresql://me@host/db?password=hush&application_name=a@b", "postgresql+psycopg://me@host/db"),
        ("postgresql://me@host/db", "postgresql+psycopg://me@host/db"),
    ],
)
def test_a_right_url_is_taken_and_shown_without_its_password(url: str, shown: str) -> None:
    assert masked(resolve(url)) == shown


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("postgresql://me:p/w#x?y@host/db", "p/w#x?y"),
        ("postgresql://me:p%40ss@host/db", "p@ss"),
        ("postgresql://me:pa@ss@host/db", "pa@ss"),
        ("mysql://me@host/db?passwd=hu%20sh&ssl_key_password=deep", "hu sh"),
        ("mysql://me@host/db?passwd=hu%20sh&ssl_key_password=deep", "deep"),
    ],
)
def test_every_password_of_a_url_is_known(url: str, secret: str) -> None:
    assert secret in passwords(url)


def test_a_path_with_an_at_holds_no_password() -> None:
    assert passwords("sqlite:////home/a:b@c/study.db") == set()
    assert hidden("sqlite:////home/a:b@c/study.db") == "sqlite:////home/a:b@c/study.db"


def test_the_default_is_decided_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SATISFICE_STORAGE", raising=False)
    assert named(None) == "sqlite:///satisfice.db"
    assert resolve(None).database == str(tmp_path / "satisfice.db")
    assert is_memory(resolve(None, default=MEMORY))
    monkeypatch.setenv("SATISFICE_STORAGE", "sqlite:///elsewhere.db")
    assert named(None) == named(None, default=MEMORY) == "sqlite:///elsewhere.db"
    assert named("sqlite:///mine.db", default=MEMORY) == "sqlite:///mine.db"


@pytest.mark.parametrize(
    ("url", "extra"), [("postgresql://me@host/name", "postgres"), ("mysql://me@host/name", "mysql")]
)
def test_a_driver_that_is_not_installed_is_named_with_its_extra(
    url: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(url_module, "find_spec", lambda _module: None)
    with pytest.raises(MissingExtra, match=rf"pip install 'satisfice\[{extra}\]'"):
        resolve(url)
