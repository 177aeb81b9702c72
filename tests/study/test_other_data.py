"""A study goes on with the data that it began with, or not at all."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import satisfice
from satisfice.errors import DataError, StudyChanged

SPEC = """
name = "own"
[data]
file = "own.csv"
target = "label"
[model]
family = "linear"
[objectives]
accuracy = "maximize"
[space]
alpha = { low = 1e-6, high = 1.0, log = true }
[budget]
trials = 2
"""
WORK: dict[str, Callable[[satisfice.Study], object]] = {
    "a worker": lambda study: study.run_worker(),
    "ask": lambda study: study.ask(),
    "replay": lambda study: study.replay(0),
    "confirm": lambda study: study.confirm(),
}


def write(folder: Path, seed: int) -> None:
    """Two columns, the sum of which decides."""
    rng = random.Random(seed)
    rows = [(rng.random(), rng.random()) for _ in range(80)]
    lines = [f"{a:.4f},{b:.4f},{'yes' if a + b > 1 else 'no'}" for a, b in rows]
    (folder / "own.csv").write_text("\n".join(["a,b,label", *lines]))


@pytest.fixture
def study(tmp_path: Path, sqlite_url: str) -> satisfice.Study:
    (tmp_path / "own.toml").write_text(SPEC)
    write(tmp_path, seed=1)
    study = satisfice.create_study(tmp_path / "own.toml", storage=sqlite_url)
    study.optimize()
    return study


@pytest.mark.parametrize("work", WORK.values(), ids=WORK)
def test_work_on_other_data_is_refused(
    study: satisfice.Study, work: Callable[[satisfice.Study], object], tmp_path: Path, sqlite_url: str
) -> None:
    write(tmp_path, seed=2)
    with pytest.raises(StudyChanged, match=r"own\.toml: the data of study 'own' has changed") as raised:
        work(satisfice.load_study("own", sqlite_url))
    assert raised.value.hint
    (tmp_path / "own.csv").unlink()
    with pytest.raises(DataError):
        work(satisfice.load_study("own", sqlite_url))
    write(tmp_path, seed=1)
    assert satisfice.load_study("own", sqlite_url).replay(0)["same"]


def test_what_is_read_needs_no_data_and_a_long_run_is_confirmed_on_its_own(
    study: satisfice.Study, tmp_path: Path, sqlite_url: str
) -> None:
    write(tmp_path, seed=2)
    for refused in (study.confirm, lambda: study.replay(0)):  # of the process that trained
        with pytest.raises(StudyChanged):
            refused()
    (tmp_path / "own.csv").unlink()
    again = satisfice.load_study("own", sqlite_url)
    number = again.best().number
    assert again.load_model(number).predict_proba(pd.DataFrame({"a": [0.9], "b": [0.9]})).shape == (1, 2)
    satisfice.delete_study("own", sqlite_url)
