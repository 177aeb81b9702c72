"""The final measurement: winners that no longer fit, when the clock is asked again."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import satisfice
from satisfice.cli.commands.report import view_of
from satisfice.cli.main import main
from satisfice.report.headline import headline
from satisfice.report.summary import paragraphs
from satisfice.store import studies

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


def test_the_next_takes_the_place_of_a_winner_that_no_longer_fits(
    study: satisfice.Study, sqlite_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("slow").write_text("2")
    confirmed = study.confirm()
    with pytest.raises(SystemExit):
        main(["best", "own", "--storage", sqlite_url])
    assert "was dropped: measured again, it misses latency_ms <= 200." in capsys.readouterr().out
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


class Scored:
    """Keeps models, scores them on a test split, and counts how often that is looked at."""

    def __init__(self) -> None:
        self.looks: list[int] = []

    def defaults(self):
        return {"width": 1}

    def train(self, params, trial):
        file = Path(f"model-{params['width']}.bin")
        file.write_bytes(bytes([params["width"]]))
        trial.save_model(file)
        return {"accuracy": params["width"] / 10}

    def load_model(self, params, path):
        return path.read_bytes()[0]

    def score_test(self, params, model):
        self.looks.append(model)
        return {"f1": 0.5, "accuracy": model / 10 - 0.05}


def scored(url: str, task: Scored, trials: int = 3, **more) -> satisfice.Study:
    content = {
        "name": "scored",
        "objectives": {"accuracy": "maximize"},
        "space": {"width": {"low": 1, "high": 3}},
        "budget": {"trials": trials},
        "search": {"start": [{"width": 2}, {"width": 3}]},
        **more,
    }
    study = satisfice.create_study(content, storage=url, task=task)
    study.optimize()
    return study


def sentence(study: satisfice.Study) -> str:
    return headline(*view_of(study))


def test_the_default_configuration_is_scored_beside_the_winner_and_each_once(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    task = Scored()
    study = scored(sqlite_url, task, trials=2)
    first = study.confirm()
    assert (first["number"], first["test"]["accuracy"]) == (1, pytest.approx(0.15))
    assert first["default"]["number"] == 0
    assert first["default"]["test"]["accuracy"] == pytest.approx(0.05)
    assert study.confirm() == first
    assert task.looks == [2, 1]
    assert sentence(study) == (
        "Chosen: trial 1, accuracy 0.15 on the test split, 0.2 on validation "
        "(default configuration: 0.05, 0.1)."
    )
    # A larger budget finds a better one: it is scored, what was scored is not scored again.
    second = scored(sqlite_url, task, trials=3).confirm()
    assert (second["number"], second["default"]) == (2, first["default"])
    assert task.looks == [2, 1, 3]


def test_a_default_that_is_chosen_is_scored_once(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    task = Scored()
    study = scored(sqlite_url, task, trials=1)
    confirmed = study.confirm()
    assert confirmed["default"] == {"number": 0, "test": confirmed["test"]}
    assert task.looks == [1]
    expected = "trial 0, the default configuration, accuracy 0.05 on the test split, 0.1 on validation."
    assert sentence(study) == f"Chosen: {expected}"


def test_what_an_earlier_version_confirmed_stands_and_gains_the_default(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    task = Scored()
    study = scored(sqlite_url, task)
    old = {"number": 2, "test": {"accuracy": 0.123}, "measured_again": {}, "dropped": []}
    studies.set_chosen(study._opened.db, study._opened.row["uuid"], old)
    assert "accuracy 0.123 on the test split, 0.3 on validation (default configuration: not scored, 0.1)" in (
        sentence(study)
    )
    confirmed = study.confirm()
    assert {key: confirmed[key] for key in old} == old
    assert confirmed["default"]["test"]["accuracy"] == pytest.approx(0.05)
    assert task.looks == [1]


def test_a_default_that_failed_or_cannot_be_scored_is_said(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    class Fails(Scored):
        def train(self, params, trial):
            if params["width"] == 1:
                raise ValueError("too narrow")
            return super().train(params, trial)  # type: ignore[no-untyped-call]

        def score_test(self, params, model):
            raise RuntimeError("no test data here")

    study = scored(sqlite_url, Fails())
    confirmed = study.confirm()
    assert confirmed["untested"] == "RuntimeError: no test data here"
    assert confirmed["default"] == {"number": 0, "test": {}, "untested": "trial 0 is not complete"}
    assert sentence(study) == "Chosen: trial 2, accuracy 0.3 (default configuration: failed)."
    view, context = view_of(study)
    said = paragraphs(view, context)
    assert "The default configuration (trial 0) failed: ValueError: too narrow." in said
    assert "Trial 2 was not scored on the test split: RuntimeError: no test data here." in said


def test_a_model_that_was_out_of_reach_is_scored_when_it_is_back(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    task = Scored()
    study = scored(sqlite_url, task)
    file = study.model_file(2)
    file.rename(tmp_path / "aside")
    assert "kept no model" in study.confirm()["untested"]
    (tmp_path / "aside").rename(file)
    confirmed = study.confirm()
    assert "untested" not in confirmed
    assert confirmed["test"]["accuracy"] == pytest.approx(0.25)


def test_a_bound_that_the_test_split_misses_and_a_better_default_are_said(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    class Overfits(Scored):
        def score_test(self, params, model):
            return {"accuracy": 0.3 - model / 10}

    study = scored(sqlite_url, Overfits(), constraints={"accuracy": ">= 0.1"})
    study.confirm()
    said = paragraphs(*view_of(study))
    assert "On the test split the default configuration is better, by 0.2 of accuracy." in said
    missed = "On the test split accuracy is 0, which misses accuracy >= 0.1; "
    assert any(text.startswith(missed) for text in said)


def test_run_tells_the_default_and_the_headline_in_json(
    study: satisfice.Study, sqlite_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["run", "own.toml", "--storage", sqlite_url, "--json"])
    result = json.loads(capsys.readouterr().out)
    assert result["default"] is None  # a task without defaults
    assert result["headline"].startswith(
        f"Chosen: trial {result['best']['number']}, accuracy 1, with latency"
    )


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
