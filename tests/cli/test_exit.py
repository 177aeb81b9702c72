"""Training code that calls sys.exit: the command says so and fails, and the trial is given back."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import satisfice
from satisfice.cli.main import main

SPEC = """
name = "own"
[task]
entry = "exiting_task:Task"
[objectives]
accuracy = "maximize"
[space]
rate = { low = 0.0, high = 1.0 }
[budget]
trials = 3
"""
TASK = """
import sys
from pathlib import Path


class Task:
    def train(self, params, trial):
        if trial.number and Path("exit").exists():
            sys.exit(0)
        return {"accuracy": params["rate"]}
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.toml").write_text(SPEC)
    (tmp_path / "exiting_task.py").write_text(TASK)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "exiting_task", raising=False)


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize("command", ["run", "worker"])
def test_a_training_that_exits_does_not_look_like_one_that_is_done(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("exit").touch()
    assert call("define", "own.toml") == 0
    capsys.readouterr()
    code = call("run", "own.toml", "--json") if command == "run" else call("worker", "own")
    printed = capsys.readouterr()
    assert code == 1
    assert "training code called sys.exit(0); a trial in training was given back (raise an" in printed.err
    study = satisfice.load_study("own", "sqlite:///satisfice.db")
    assert study.status()["states"] == {"COMPLETE": 1, "WAITING": 1}
    if command == "run":
        assert json.loads(printed.out)["best"]["number"] == 0
    Path("exit").unlink()
    assert call("worker", "own") == 0
    assert study.status()["states"] == {"COMPLETE": 3}
    Path("exit").touch()
    assert call("replay", "own", "1") == 1
    assert "sys.exit(0)" in capsys.readouterr().err
