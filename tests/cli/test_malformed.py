"""Wrong command lines: one sentence, exit code 2, no traceback, nothing written."""

import io
import sqlite3
from pathlib import Path

import pytest

from satisfice.cli.main import main

TOY = Path(__file__).parents[1] / "launch" / "toy"
SECRET = "s3cret-of-th%40-test"  # with a character that URLs escape
PLAIN_SECRET = "s3cret-of-th@-test"
MYSQL = f"mysql://root:{SECRET}@127.0.0.1:3306/test"  # wrong where a server answers, unreachable elsewhere
POSTGRES = f"postgresql://me:{SECRET}@127.0.0.1:1/db"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the toy study and no database."""
    for path in TOY.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SATISFICE_STORAGE", raising=False)
    monkeypatch.delenv("SATISFICE_DEBUG", raising=False)
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    """Run it, and check what holds for every refusal.

    Returns:
        The sentence.
    """
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    out, err = capsys.readouterr()
    assert ended.value.code == 2, err
    assert out == ""
    assert err.startswith("satisfice: ")
    assert err.count("\n") == 1, err
    assert "Traceback" not in err
    assert SECRET not in err
    assert PLAIN_SECRET not in err
    return err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "toys.toml"], "did you mean 'toy.toml'"),
        (["run"], "Missing argument 'STUDY.toml'"),
        (["rnu", "toy.toml"], "did you mean 'run'"),
        (["run", "toy.toml", "--worker-count", "2"], "No such option '--worker-count'"),
        (["run", "toy.toml", "--jsn"], "Did you mean '--json'"),
        (["run", "toy.toml", "--workers", "0"], "0 is not in the range x>=1"),
        (["run", "toy.toml", "--workers", "two"], "'two' is not a valid integer"),
        (["run", "toy.toml", "--engine", "rai"], "did you mean 'ray'"),
        (["run", "toy.toml", "--engine", "local", "--address", "a:1"], "takes no option 'address'"),
        (["run", "toy.toml", "--engine", "ray", "--gpus", "nan"], "nan GPUs"),
        (["run", "toy.toml", "--engine", "slurm", "--gpus", "nan"], "whole GPUs"),
        (["run", "toy.toml", "--report", "toy.toml"], "toy.toml is no folder"),
        (["run", "toy.toml", "--report", "toy.toml/deep/er"], "toy.toml is no folder"),
        (["run", "toy.toml", "--report", "/proc/x"], "--report /proc/x: nothing can be written in /"),
        (["run", "toy.toml", "--report", ""], "--report is empty"),
        (["report", "toy", "--output", "/proc/x"], "--output /proc/x: nothing can be written in /"),
        (["export", "toy", "--output", "missing/toy.zip"], "there is no folder missing (create it first)"),
        (["export", "toy", "--output", "/proc/toy.zip"], "nothing can be written in /"),
        (["export", "toy", "--output", "."], "--output . is a folder (name a file in it)"),
        (["export", "toy", "--output", ""], "--output is empty"),
        (["report", "toy", "--output", " "], "--output is empty"),
        (["import", ""], "FILE|URL is empty"),
        (["define", "toy.toml", "--storage", ""], "the storage is empty (for instance sqlite:///satisfice.db"),
        (["status", "--storage", " "], "the storage is empty"),
        (["define", "toy.toml", "--storage", "toy.db"], "for instance sqlite:///toy.db"),
        (["define", "toy.toml", "--storage", "sqlite:///x.db?mode=ro"], "(write sqlite:///x.db)"),
        (["define", "toy.toml", "--storage", "sqlite:///no/x.db"], "does not exist (create it first)"),
        (["define", "toy.toml", "--storage", "sqlite:///~/x.db"], "~ means nothing in a URL"),
        (["status", "--storage", "postgresql://me:a@b@h/x"], "postgresql://me:***@h/x holds an @ (write %40"),
        (["define", "toy.toml", "--storage", "nonsense"], "is not a database URL"),
        (["define", "toy.toml", "--storage", "sqlite://x.db"], "an absolute one: sqlite:///x.db"),
        (["status", "--storage", "sqlite://a/x.db"], "an absolute one: sqlite:///a/x.db"),
        (["define", "toy.toml", "--storage", "sqlite:///file:x?mode=memory&uri=true"], "SQLite's own"),
        (["define", "toy.toml", "--storage", "sqlite:///toy.toml"], "the file is no SQLite database"),
        (["define", "toy.toml", "--storage", "sqlite+aiosqlite:///x.db"], "leave the driver out: sqlite://"),
        (["status", "--storage", "postgresql+asyncpg://me@h/x"], "leave the driver out: postgresql://"),
        (["define", "toy.toml", "--storage", "sqlite:///:memory:"], "sqlite:// lives in one process only"),
        (["worker", "toy", "--storage", "sqlite://"], "in one process only"),
        (["import", "toy.toml", "--storage", "sqlite://"], "in one process only"),
        (["run", "toy.toml", "--storage", "oracle://me@host/db"], "is not supported"),
        (["run", "toy.toml", "--storage", MYSQL], "cannot open the storage"),
        (["run", "toy.toml", "--storage", POSTGRES], "cannot open the storage"),
        (["worker", "toy", "--storage", POSTGRES], "cannot open the storage"),
        (["status", "toy"], "there is no database at"),
        (["status", "--storage", "sqlite://"], "in one process only"),
        (["best", "toy", "--where", "size_mb is small"], "is not a condition"),
        (["best", "toy", "--maximize", "accuracy", "--minimize", "size_mb"], "both --maximize and"),
        (["pareto", "toy", "--where", "size_mb <= big"], "is not a condition"),
        (["worker", "toy", "--threads", "0"], "0 is not in the range x>=1"),
        (["dashboard", "--port", "99999"], "99999 is not in the range"),
        (["delete", "toy"], "there is no database at"),
        (["export", "toy", "--output", "toy.toml"], "toy.toml exists already"),
        (["import", "nothing.zip"], "nothing.zip: no such file"),
        (["db", "downgrade", "base", "--yes"], "there is no database at"),
        (["db", "upgrade", "no-such-revision", "--storage", "sqlite://"], "no-such-revision"),
        (["db", "current", "--storage", "nonsense"], "is not a database URL"),
        (["replay", "toy", "one"], "'one' is not a valid integer"),
    ],
)  # fmt: skip
def test_refused_in_one_sentence_and_nothing_is_written(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    says: str,
) -> None:
    # A worker waits for a server that refuses: for less than any refusal takes.
    monkeypatch.setenv("SATISFICE_PATIENCE_SECONDS", "1e-6")
    before = sorted(folder.rglob("*"))
    assert says in refused(capsys, arguments)
    assert [p for p in sorted(folder.rglob("*")) if "__pycache__" not in p.parts] == before


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('accuracy = "maximize"', 'accuracy = "maximise"', "toy.toml: objectives.accuracy:"),
        ("toy_task:Toy", "toy_tusk:Toy", "did you mean 'toy_task'"),
        ("toy_task:Toy", "toy_task:Tou", "did you mean 'Toy'"),
        ("pause_s = 0.0", "pauses = 0.0", "did you mean 'pause_s'"),
        ("low = 1,", "low = 30,", "toy.toml: space.width"),
        ("[budget]\ntrials = 12", "[budget]\ntrails = 12", "did you mean 'trials'"),
    ],
)
def test_a_wrong_study_file_leaves_no_database(
    folder: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, says: str
) -> None:
    text = (folder / "toy.toml").read_text()
    assert old in text
    (folder / "toy.toml").write_text(text.replace(old, new))
    assert says in refused(capsys, ["run", "toy.toml"])
    assert not list(folder.glob("*.db*"))


OWN_DATA = """
name = "own"
[data]
file = "own.csv"
target = "y"
[model]
family = "linear"
[objectives]
rmse = "minimize"
[space]
alpha = { low = 0.1, high = 1.0 }
[budget]
trials = 2
"""


def test_a_changed_data_file_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"{x},{2 * x}\n" for x in range(40)]
    (folder / "own.toml").write_text(OWN_DATA)
    (folder / "own.csv").write_text("".join(["x,y\n", *rows]))
    with pytest.raises(SystemExit) as ended:
        main(["define", "own.toml"])
    assert ended.value.code == 0
    capsys.readouterr()
    before = dump(folder / "satisfice.db")
    (folder / "own.csv").write_text("".join(["x,y\n", *rows, "40,99\n"]))
    sentence = refused(capsys, ["run", "own.toml"])
    assert "own.toml: the data of study 'own' has changed" in sentence
    assert dump(folder / "satisfice.db") == before
    (folder / "own.csv").write_text("".join(["x,y\n", *rows]))
    with pytest.raises(SystemExit) as ended:
        main(["define", "own.toml"])
    assert ended.value.code == 0


def test_a_worker_does_not_train_on_other_data(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"{x},{2 * x}\n" for x in range(40)]
    (folder / "own.toml").write_text(OWN_DATA)
    (folder / "own.csv").write_text("".join(["x,y\n", *rows]))
    with pytest.raises(SystemExit):
        main(["define", "own.toml"])
    capsys.readouterr()
    before = dump(folder / "satisfice.db")
    (folder / "own.csv").write_text("".join(["x,y\n", *rows, "40,99\n"]))
    assert "the data of study 'own' has changed" in refused(capsys, ["worker", "own"])
    (folder / "own.csv").unlink()
    assert "own.csv does not exist" in refused(capsys, ["worker", "own"])
    assert dump(folder / "satisfice.db") == before


@pytest.mark.parametrize("command", ["run", "define"])
@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("own.csv", "other.csv", "own.toml: data.file: "),
        ('"y"', '"z"', "own.toml: data.target: "),
        ("rmse", "accuracy", "own.toml: objectives.accuracy: is a metric of classification"),
        ('"minimize"', '"minimize"\nf1 = "maximize"', "own.toml: objectives.f1: is a metric of"),
        ("[space]", '[constraints]\naccuracy = ">= 0.9"\n[space]', "own.toml: constraints.accuracy: is a"),
    ],
)
def test_what_only_the_data_can_tell_leaves_no_database(
    folder: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, says: str, command: str
) -> None:
    assert old in OWN_DATA
    (folder / "own.toml").write_text(OWN_DATA.replace(old, new, 1))
    (folder / "own.csv").write_text("".join(["x,y\n", *(f"{x},{2 * x}\n" for x in range(40))]))
    assert says in refused(capsys, [command, "own.toml"])
    assert not list(folder.glob("*.db*"))


@pytest.mark.parametrize(
    ("old", "new", "differs"),
    [
        ("high = 20", "high = 40", "what differs: space.width.high"),
        ("seed = 3", "seed = 4", "what differs: seed"),
        ("pause_s = 0.0", "pause_s = 0.1", "what differs: task.pause_s"),
    ],
)
def test_another_spec_under_the_same_name_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, differs: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["define", "toy.toml"])
    assert ended.value.code == 0
    capsys.readouterr()
    before = dump(folder / "satisfice.db")
    text = (folder / "toy.toml").read_text()
    assert old in text
    (folder / "toy.toml").write_text(text.replace(old, new))
    assert differs in refused(capsys, ["run", "toy.toml"])
    assert dump(folder / "satisfice.db") == before


def test_an_unknown_study_names_the_nearest(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["define", "toy.toml"])
    capsys.readouterr()
    assert "toy" in refused(capsys, ["best", "toi"]).replace("'toi'", "")


def test_deleting_needs_a_word_where_nobody_can_be_asked(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit):
        main(["define", "toy.toml"])
    capsys.readouterr()
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert "add --yes" in refused(capsys, ["delete", "toy"])


def dump(database: Path) -> list[str]:
    """All that a database holds, but for when it was last looked at."""
    connection = sqlite3.connect(database)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()
