"""What became of columns and values of the data is told by every command, and kept with the study."""

import contextlib
import io
import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from satisfice.cli.main import main
from satisfice.spec.study import READING
from satisfice.study import create_study, import_study, load_study

STUDY = """
name = "notes"
[data]
file = "d.csv"
target = "y"
[model]
family = "linear"
[objectives]
accuracy = "maximize"
[space]
alpha = { low = 1e-5, high = 1.0, log = true }
[budget]
trials = 1
"""
N = 120


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(5)
    lines = ["kwh;day;cell;user;w;y"]
    for i, v in enumerate(rng.normal(size=N)):
        cell = "-" if i == 7 else f"{v:.2f}"
        kwh, day = f"{v:.3f}".replace(".", ","), f"{1 + i % 28:02d}.{1 + i % 12:02d}.2024"
        lines.append(f"{kwh};{day};{cell};u{i};{i % 9};{int(v > 0)}")
    (tmp_path / "d.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "notes.toml").write_text(STUDY)
    return tmp_path


def satisfice(folder: Path, *arguments: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    printed = (contextlib.redirect_stdout(out), contextlib.redirect_stderr(err))
    with contextlib.chdir(folder), printed[0], printed[1], pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code in (0, None), err.getvalue()
    return out.getvalue(), err.getvalue()


SAYS = [
    "column 'kwh' is read as numbers with ',' as the decimal mark",
    "column 'day' is read as dates with the day first",
    "column 'cell' has 1 of 120 values that are no numbers: they count as missing ('-')",
    "column 'user' is ignored: ",
]


def test_check_tells_what_becomes_of_columns(folder: Path) -> None:
    out, _ = satisfice(folder, "check", "notes.toml", "--samples", "5")
    assert all(f"data: {sentence}" in out for sentence in SAYS)
    answer = json.loads(satisfice(folder, "check", "notes.toml", "--samples", "5", "--json")[0])
    found = {note["column"]: note["what"] for note in answer["data_notes"]}
    assert found == {"kwh": "read", "day": "read", "cell": "coerced", "user": "ignored"}
    cell = next(note for note in answer["data_notes"] if note["column"] == "cell")
    assert (cell["count"], cell["examples"]) == (1, ["-"])
    assert "leave those cells empty" in cell["remedy"]
    assert cell["sentence"].startswith("column 'cell' has 1 of 120")


def test_define_tells_it(folder: Path) -> None:
    out, err = satisfice(folder, "define", "notes.toml", "--json", "--storage", "sqlite:///s.db")
    assert [note["column"] for note in json.loads(out)["data_notes"]] == ["kwh", "day", "cell", "user"]
    assert all(sentence in err for sentence in SAYS)


def test_run_and_its_report_tell_it(folder: Path) -> None:
    storage = ("--storage", "sqlite:///s.db")
    out, err = satisfice(folder, "run", "notes.toml", "--json", *storage)
    assert all(f"satisfice: data: {sentence}" in err for sentence in SAYS)
    answer = json.loads(out)
    assert [note["column"] for note in answer["data_notes"]] == ["kwh", "day", "cell", "user"]
    assert answer["best"]["metrics"]["accuracy"] > 0.9  # the decimal commas are used
    (folder / "d.csv").unlink()
    satisfice(folder, "report", "notes", "--output", "again", *storage)
    page = (folder / "again" / "index.html").read_text()
    assert "How the data were read" in page
    assert "Column &#x27;user&#x27; is ignored" in page


def test_notes_go_where_a_study_goes(folder: Path) -> None:
    url = f"sqlite:///{folder}/s.db"
    study = create_study(folder / "notes.toml", storage=url)
    notes = study.data_notes()
    assert [note.column for note in notes] == ["kwh", "day", "cell", "user"]
    assert load_study("notes", storage=url).data_notes() == notes
    study.export(folder / "study.zip")
    import_study(str(folder / "study.zip"), storage=f"sqlite:///{folder}/other.db")
    assert load_study("notes", storage=f"sqlite:///{folder}/other.db").data_notes() == notes


def test_a_study_of_the_first_reading_keeps_it(folder: Path) -> None:
    url = f"sqlite:///{folder}/s.db"
    new = create_study(folder / "notes.toml", storage=url)
    assert new.spec.data is not None
    assert new.spec.data.reading == READING
    with sqlite3.connect(folder / "s.db") as connection:  # as the release before rules stored it
        connection.execute("UPDATE satisfice_studies SET data_fingerprint = substr(data_fingerprint, 3)")
    connection.close()
    for old in (create_study(folder / "notes.toml", storage=url), load_study("notes", storage=url)):
        assert old.spec.data is not None
        assert old.spec.data.reading == 1
        assert old.check(5).samples == 5
        old.optimize()
    model = old.load_model(0)
    preprocessor = model.header.preprocessor
    assert preprocessor.rules == {}
    assert {column.name for column in preprocessor.columns} == {"w"}
