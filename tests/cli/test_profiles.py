"""Commands for a profile, and the ranking: what they print, and what they refuse."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

import satisfice
from satisfice.cli.main import main

SPEC: dict[str, Any] = {
    "name": "several",
    "seed": 5,
    "objectives": {"f1": "maximize", "size_mb": "minimize"},
    "constraints": {"size_mb": "<= 1.5"},
    "space": {"rate": {"low": 0.0, "high": 1.0}, "width": {"low": 1, "high": 20}},
    "budget": {"trials": 10},
    "search": {"sampler": "random", "pruner": "none"},
    "profiles": {
        "phone": {"constraints": {"size_mb": "<= 1"}},
        "watch": {"order": ["f1 within 0.1", "size_mb"], "constraints": {"size_mb": "<= 1.2"}},
        "moon": {"constraints": {"f1": ">= 2"}},
    },
}


class Profiled:
    """Size known before training; wider is better."""

    def profile(self, params: dict[str, Any]) -> dict[str, float]:
        return {"size_mb": params["width"] / 10}

    def train(self, params: dict[str, Any], _trial: Any) -> dict[str, float]:
        return {"f1": 0.9 - (params["rate"] - 0.3) ** 2 - 0.5 / (params["width"] + 3)}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, satisfice.Study]:
    url = f"sqlite:///{tmp_path_factory.mktemp('profiles')}/study.db"
    study = satisfice.create_study(SPEC, storage=url, task=Profiled())
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


def test_the_answers_are_those_of_python(stored: tuple[str, satisfice.Study]) -> None:
    url, study = stored
    for name in ("phone", "watch"):
        trial = study.best(profile=name)
        assert (
            json.loads(call(url, "best", "several", "--profile", name, "--json")[0])["number"] == trial.number
        )
        assert f"trial {trial.number}" in call(url, "best", "several", "--profile", name)[0]
        front = json.loads(call(url, "pareto", "several", "--profile", name, "--json")[0])
        assert [t["number"] for t in front] == [t.number for t in study.pareto_front(profile=name)]
    smallest = study.best(minimize="size_mb", profile="phone")
    found = json.loads(
        call(url, "best", "several", "--profile", "phone", "--minimize", "size_mb", "--json")[0]
    )
    assert found["number"] == smallest.number
    for command in (["knee"], ["binding"], ["price", "size_mb"], ["infeasible"], ["compare", "0", "1"]):
        words = [command[0], "several", *command[1:], "--profile", "phone", "--json"]
        assert "size_mb <= 1" in json.dumps(json.loads(call(url, *words)[0])) or command[0] in (
            "knee",
            "price",
        )


def test_what_has_no_answer_says_why(stored: tuple[str, satisfice.Study]) -> None:
    url, _ = stored
    out, err = call(url, "best", "several", "--profile", "moon", "--json", code=1)
    assert (json.loads(out), "f1 >= 2" in err) == (None, True)
    for command in (["best"], ["pareto"], ["knee"], ["binding"], ["price", "size_mb"], ["infeasible"]):
        words = [command[0], "several", *command[1:], "--profile", "pone"]
        _, err = call(url, *words, code=2)
        assert "study 'several' has no profile 'pone' (it has phone, watch, moon" in err
    _, err = call(url, "ship", "several", "--output", "nowhere", "--profile", "pone", code=2)
    assert "has no profile 'pone'" in err
    assert not Path("nowhere").exists()


def test_the_status_tells_each_profile(stored: tuple[str, satisfice.Study]) -> None:
    url, study = stored
    text, _ = call(url, "status", "several")
    assert f"profiles     phone: trial {study.best(profile='phone').number}: f1 " in text
    assert "moon: no finished trial satisfies" in text
    found = json.loads(call(url, "status", "several", "--json")[0])["profiles"]
    assert [(p["profile"], p["best"] is None) for p in found] == [
        ("phone", False),
        ("watch", False),
        ("moon", True),
    ]


def test_a_report_is_for_the_profile_asked(stored: tuple[str, satisfice.Study], tmp_path: Path) -> None:
    pytest.importorskip("plotly")
    url, study = stored
    words = ["report", "several", "--output", str(tmp_path / "r"), "--profile", "watch", "--json"]
    found = json.loads(call(url, *words)[0])
    assert f"trial {study.best(profile='watch').number}," in found["headline"]


def test_the_ranking_is_that_of_python(stored: tuple[str, satisfice.Study]) -> None:
    pytest.importorskip("pyrepo_mcda")
    url, study = stored
    words = ["rank", "several", "--weight", "f1=2", "--weight", "size_mb=1"]
    ranking = study.ranking({"f1": 2, "size_mb": 1})
    found = json.loads(call(url, *words, "--json")[0])
    assert [t["number"] for t in found["trials"]] == [t.number for t in ranking.trials]
    assert found["weights"] == {"f1": pytest.approx(2 / 3), "size_mb": pytest.approx(1 / 3)}
    assert ranking.sentence in call(url, *words)[0]
    assert call(url, *words, "--csv")[0].startswith("rank,number,f1,size_mb,closeness\n1,")
    for wrong, said in (
        ([], "no weight is given"),
        (["--weight", "f1"], "--weight 'f1' is no weight"),
        (["--weight", "f1=x"], "--weight 'f1=x' is no weight"),
        (["--weight", "f1=1", "--weight", "f1=2"], "--weight names f1 twice"),
        (["--weight", "f1=-1"], "the weight of f1 is -1"),
    ):
        assert said in call(url, "rank", "several", *wrong, code=2)[1]
