"""A study is pickled as a reference; what cannot be says what to do instead."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from pathlib import Path
from typing import Any

import pytest

import satisfice
from satisfice.errors import InputError, StudyNotFound

SPEC: dict[str, Any] = {
    "name": "carried",
    "objectives": {"score": "maximize"},
    "constraints": {"size_mb": "<= 1"},
    "space": {"rate": {"low": 0.0, "high": 1.0}, "kind": {"choices": ["a", "b"]}},
    "budget": {"trials": 3},
}


class Task:
    """Scores the rate."""

    def profile(self, params):
        return {"size_mb": 0.5}

    def train(self, params, trial):
        return {"score": params["rate"]}


def best_of(study: satisfice.Study) -> tuple[int, str]:
    return study.best().number, repr(study)


@pytest.fixture
def study(sqlite_url: str) -> satisfice.Study:
    made = satisfice.create_study(SPEC, storage=sqlite_url, task=Task())
    made.optimize()
    return made


def test_it_goes_into_another_process_and_back(study: satisfice.Study) -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(best_of, (study,)) == best_of(study)


def test_what_comes_back_is_the_same_study_with_its_task(study: satisfice.Study) -> None:
    again = pickle.loads(pickle.dumps(study))
    assert again.records() == study.records()
    assert isinstance(again._opened.task, Task)
    study.delete()
    with pytest.raises(StudyNotFound):
        pickle.loads(pickle.dumps(study))


@pytest.mark.parametrize("storage", ["memory", "file"])
def test_a_copy_is_a_handle_on_the_same_study(storage: str, sqlite_url: str) -> None:
    study = satisfice.create_study(SPEC, storage=None if storage == "memory" else sqlite_url, task=Task())
    for other in (copy.copy(study), copy.deepcopy(study), copy.deepcopy({"in": [study]})["in"][0]):
        other.tell(other.ask(), {"score": 1.0})
    assert study.status()["states"] == {"COMPLETE": 3}


def test_one_in_memory_says_how(sqlite_url: str) -> None:
    study = satisfice.create_study(SPEC, task=Task())
    with pytest.raises(InputError, match=r"'carried' lives in the memory .*create it with a storage"):
        pickle.dumps(study)


def test_a_task_that_nobody_can_import_says_how(sqlite_url: str) -> None:
    class Local(Task):
        pass

    study = satisfice.create_study(SPEC, storage=sqlite_url, task=Local())
    with pytest.raises(InputError, match=r"Local cannot .*top level of a module; .*load_study\('carried'"):
        pickle.dumps(study)


def test_a_trial_says_how(study: satisfice.Study) -> None:
    trial = satisfice.create_study(SPEC, task=Task()).ask()
    for attempt in (pickle.dumps, copy.deepcopy):
        with pytest.raises(InputError, match=r"trial 0 .*trial.number and trial.params"):
            attempt(trial)
    assert repr(trial).startswith("Trial(number=0, params={'rate': ")


def test_records_and_specs_are_values(study: satisfice.Study) -> None:
    best = study.best()
    assert pickle.loads(pickle.dumps(best)) == best
    assert copy.deepcopy(best) == best
    assert pickle.loads(pickle.dumps(study.spec)) == study.spec
    assert repr(best).startswith(f"TrialRecord(number={best.number}, state=COMPLETE, params={{'rate': ")


@pytest.mark.parametrize("told_by", ["argument", "environment"])
def test_no_representation_has_a_password_and_the_environment_keeps_it(
    told_by: str, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL trusts us here, so any password opens it."""
    import sqlalchemy as sa

    url = sa.make_url(postgres_url).set(password="wh1sper-of").render_as_string(hide_password=False)
    monkeypatch.setenv("SATISFICE_ARTEFACTS", str(tmp_path))
    if told_by == "environment":
        monkeypatch.setenv("SATISFICE_STORAGE", url)
    study = satisfice.create_study(SPEC, storage=url if told_by == "argument" else None, task=Task())
    assert "wh1sper" not in repr(study)
    assert ":***@" in repr(study)
    written = pickle.dumps(study)
    assert (b"wh1sper" in written) is (told_by == "argument")
    again = pickle.loads(written)
    assert repr(again) == repr(study)
    for each in (study, again):
        each._opened.db.close()
