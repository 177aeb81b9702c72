"""The final measurement: winners that no longer fit, when the clock is asked again."""

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
entry = "slower_task:Task"
[objectives]
accuracy = "maximize"
[constraints]
latency_ms = "<= 200"
[space]
width = [1, 2]
[budget]
trials = 2
"""
TASK = '''
import time
from pathlib import Path


class Task:
    """A model that becomes slow once a file is there; its name says up to which width."""

    def architecture(self, params):
        return dict(params)

    def predictor(self, params, model=None):
        return lambda: self.call(params["width"])

    def call(self, width):
        slow = Path(__file__).with_name("slow")
        if slow.exists() and width >= int(slow.read_text()):
            time.sleep(0.3)

    def train(self, params, trial):
        return {"accuracy": params["width"] / 2}
'''


@pytest.fixture
def study(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> satisfice.Study:
    (tmp_path / "own.toml").write_text(SPEC)
    (tmp_path / "slower_task.py").write_text(TASK)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "slower_task", raising=False)
    study = satisfice.create_study("own.toml", storage=sqlite_url)
    study.optimize()
    assert study.best().params == {"width": 2}
    return study


def test_the_next_takes_the_place_of_a_winner_that_no_longer_fits(study: satisfice.Study) -> None:
    Path("slow").write_text("2")
    confirmed = study.confirm()
    one, two = sorted(study.records(), key=lambda r: r.params["width"])
    assert confirmed["number"] == one.number == study.report_context()["chosen"]
    assert [(d["number"], d["violates"]) for d in confirmed["dropped"]] == [
        (two.number, ["latency_ms <= 200"])
    ]


def test_a_run_ends_with_its_results_where_no_winner_fits_any_more(
    study: satisfice.Study, sqlite_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("slow").write_text("1")
    with pytest.raises(SystemExit) as ended:
        main(["run", "own.toml", "--storage", sqlite_url, "--json"])
    assert ended.value.code == 1
    printed = capsys.readouterr()
    assert "measured again, all 2 trials that fitted miss latency_ms <= 200" in printed.err
    result = json.loads(printed.out)
    assert result["best"] is None
    assert result["status"]["states"] == {"COMPLETE": 2}
    assert Path(result["report"]).is_file()
    assert any("was dropped" in note for note in result["notes"])
    context = study.report_context()
    assert context["chosen"] is None
    assert context["test_metrics"] == {}


class KeepsNothing:
    """Could score the test split, if it had kept a model."""

    def train(self, params, trial):
        return {"accuracy": params["width"] / 2}

    def load_model(self, params, path):
        raise NotImplementedError

    def score_test(self, params, model):
        raise NotImplementedError


def test_a_winner_without_a_model_is_chosen_all_the_same(sqlite_url: str) -> None:
    content = {
        "name": "kept-nothing",
        "objectives": {"accuracy": "maximize"},
        "space": {"width": [1, 2]},
        "budget": {"trials": 2},
    }
    study = satisfice.create_study(content, storage=sqlite_url, task=KeepsNothing())
    study.optimize()
    confirmed = study.confirm()
    assert (confirmed["number"], confirmed["test"]) == (study.best().number, {})
    assert "kept no model" in confirmed["untested"]
    assert any("was not scored on the test split" in note for note in study.report_context()["notes"])
