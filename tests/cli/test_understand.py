"""``diagnose``, ``health`` and ``journal``: what Python answers, exit codes, files."""

from __future__ import annotations

import contextlib
import io
import json
import math
from pathlib import Path
from typing import Any

import pytest

import satisfice
from satisfice.cli.main import main
from satisfice.results.as_json import plain

SPEC: dict[str, Any] = {
    "name": "why",
    "objectives": {"score": "maximize"},
    "constraints": {"cost": "<= 1000"},
    "space": {"rate": {"low": 0.01, "high": 1.0, "log": True}},
    "budget": {"trials": 12, "epochs": 8},
    "search": {"sampler": "random", "pruner": "none"},
}


class Falling:
    def train(self, params: dict[str, Any], trial: Any) -> dict[str, float]:
        for step in range(1, 9):
            trial.report(step, {"val_loss": math.exp(-params["rate"] * step)})
        return {"score": params["rate"], "cost": 2.0}


@pytest.fixture(scope="module")
def why(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, satisfice.Study]:
    url = f"sqlite:///{tmp_path_factory.mktemp('why')}/study.db"
    study = satisfice.create_study(SPEC, storage=url, task=Falling())
    study.optimize()
    return url, study


def call(url: str, *arguments: str, code: int = 0) -> tuple[str, str]:
    """Standard output and standard error of a command."""
    out, err = io.StringIO(), io.StringIO()
    printed = (contextlib.redirect_stdout(out), contextlib.redirect_stderr(err))
    with printed[0], printed[1], pytest.raises(SystemExit) as ended:
        main([*arguments, "--storage", url])
    assert ended.value.code == code, err.getvalue()
    return out.getvalue(), err.getvalue()


def test_json_is_what_python_answers(why: Any) -> None:
    url, study = why
    every = json.loads(call(url, "diagnose", "why", "--json")[0])
    assert every == plain(study.diagnose())
    assert json.loads(call(url, "diagnose", "why", "3", "--json")[0]) == [every[3]]
    assert {"label", "evidence"} <= every[3]["labels"][0].keys()
    found = json.loads(call(url, "health", "why", "--json")[0])
    assert found == plain(study.health())
    assert [set(f) for f in found] == [{"finding", "subject", "evidence", "remedy"}] * len(found)
    assert "never_binding" in [f["finding"] for f in found]


def test_people_are_told_in_words(why: Any) -> None:
    url, _ = why
    told, _ = call(url, "diagnose", "why")
    assert told.startswith("12 trainings: ")
    assert "stopped early: val_loss still falls" in told
    assert "trial 3: " in call(url, "diagnose", "why", "3")[0]
    assert 'cost = "<= 2"' in call(url, "health", "why")[0]
    assert "trainings    " in call(url, "status", "why")[0]


def test_strict_ends_with_one_where_something_is_found(why: Any) -> None:
    url, _ = why
    call(url, "health", "why", "--strict", code=1)
    assert json.loads(call(url, "health", "why", "--strict", "--json", code=1)[0])


def test_what_is_not_there_is_bad_input(why: Any, tmp_path: Path) -> None:
    url, _ = why
    assert "no trial 99" in call(url, "diagnose", "why", "99", code=2)[1]
    assert "no study" in call(url, "health", "other", code=2)[1]
    assert "is no shipped folder" in call(url, "journal", "why", "--shipped", str(tmp_path), code=2)[1]


def test_the_journal_is_printed_or_written(why: Any, tmp_path: Path) -> None:
    url, study = why
    assert call(url, "journal", "why")[0] == study.journal()
    path = tmp_path / "docs" / "why.md"
    out, said = call(url, "journal", "why", "--output", str(path))
    assert (out, path.read_text()) == ("", study.journal())
    assert str(path) in said
