"""Changing a stored study from the command line."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from satisfice.cli.main import main

TOY = Path(__file__).parents[1] / "launch" / "toy"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the toy study and no database."""
    for path in TOY.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SATISFICE_STORAGE", raising=False)
    return tmp_path


def called(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> tuple[str, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    out, err = capsys.readouterr()
    assert ended.value.code == code, err
    return out, err


def edit(folder: Path, old: str, new: str) -> None:
    text = (folder / "toy.toml").read_text()
    assert old in text
    (folder / "toy.toml").write_text(text.replace(old, new))


def test_options_override_the_budget_and_are_stored(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = called(capsys, "run", "toy.toml", "--trials", "3", "--json")
    assert json.loads(out)["status"]["budget"]["used"] == 3
    out, err = called(capsys, "run", "toy.toml", "--trials", "5", "--timeout", "10m", "--json")
    assert "changed: budget: trials = 5, before 3" in err
    assert "changed: budget: timeout = 600 s, before unlimited" in err
    status = json.loads(out)["status"]
    assert (status["budget"]["used"], status["budget"]["timeout_s"]) == (5, 600.0)
    out, err = called(capsys, "run", "toy.toml", "--json")
    assert json.loads(out)["status"]["budget"]["trials"] == 5
    assert "changed" not in err
    edit(folder, "trials = 12", "trials = 6")
    out, _ = called(capsys, "define", "toy.toml", "--timeout", "none", "--json")
    assert json.loads(out)["budget"] == {
        "trials": 6,
        "used": 5,
        "total_epochs": None,
        "epochs_used": None,
        "timeout_s": None,
    }


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--trials", "0"], "--trials '0' is no count"),
        (["--trials", "none"], "budget"),
        (["--total-epochs", "1.5"], "--total-epochs '1.5' is no count"),
        (["--timeout", "soon"], "toy.toml: budget.timeout: "),
        (["--top", "3"], "--top is said without --from"),
        (["--from", "toy"], "are both named 'toy'"),
        (["--from", "other", "--name", "new"], "no study 'other'"),
        (["--name", "a b"], "is not a study name"),
    ],
)
def test_a_wrong_option_is_one_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    out, err = called(capsys, "run", "toy.toml", *arguments, code=2)
    assert out == ""
    assert err.startswith("satisfice: ")
    assert says in err
    assert err.count("\n") == 1


def test_an_edited_bound_says_what_it_changed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    called(capsys, "run", "toy.toml", "--json")
    edit(folder, "<= 1.0", "<= 0.5")
    out, err = called(capsys, "run", "toy.toml", "--json")
    assert "changed: size_mb <= 0.5, before size_mb <= 1\n" in err
    result = json.loads(out)
    assert result["best"]["metrics"]["size_mb"] <= 0.5
    assert all(trial["metrics"]["size_mb"] <= 0.5 for trial in result["pareto"])
    assert result["status"]["changes"] == ["size_mb <= 0.5, before size_mb <= 1"]
    edit(folder, "<= 0.5", "<= 1.5")
    _, err = called(capsys, "define", "toy.toml")
    away = result["status"]["turned_away"]
    assert f"changed: {away} proposals were turned away under size_mb <= 1: what would fit" in err


def test_the_command_that_a_refusal_names_is_right(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = called(capsys, "run", "toy.toml", "--json")
    front = json.loads(out)["pareto"]
    edit(folder, "high = 20", "high = 40")
    _, err = called(capsys, "run", "toy.toml", code=2)
    assert "what differs: space.width.high" in err
    named = re.search(r"satisfice (run .*)\)$", err.strip())
    assert named is not None
    assert named[1] == "run toy.toml --name toy-2 --from toy"
    out, _ = called(capsys, *shlex.split(named[1]), "--json")
    result = json.loads(out)
    assert result["name"] == "toy-2"
    assert result["best"]["metrics"]["accuracy"] >= max(t["metrics"]["accuracy"] for t in front)
    out, _ = called(capsys, *shlex.split(named[1]), "--json")  # again: it goes on, and is done
    assert json.loads(out)["status"]["budget"]["used"] == 12
