"""`satisfice init`: the study file that it writes is valid, says what was found, and runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from satisfice.cli.main import cli
from satisfice.errors import SatisficeError
from satisfice.spec.study import DataSpec
from satisfice.study.before.starter import starter
from satisfice.study.given import read_spec

ROWS = 400


def table(folder: Path, target: Any, name: str = "customers.csv") -> Path:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"age": rng.normal(40, 9, ROWS), "plan": rng.choice(["a", "b", "c"], ROWS)})
    frame["customer id"] = [f"c{i}" for i in range(ROWS)]
    frame["y"] = target
    path = folder / name
    frame.to_csv(path, index=False)
    return path


def positives(share: float) -> list[str]:
    return ["yes"] * int(share * ROWS) + ["no"] * (ROWS - int(share * ROWS))


@pytest.mark.parametrize(
    ("target", "objective", "line"),
    [
        (positives(0.45), "accuracy", 'accuracy = "maximize"'),
        (positives(0.1), "f1", 'threshold = "auto"'),
        (np.arange(ROWS) % 3, "accuracy", 'accuracy = "maximize"'),
        ([0] * 20 + [1] * 180 + [2] * 200, "balanced_accuracy", 'balanced_accuracy = "maximize"'),
        (np.linspace(3, 9, ROWS), "rmse", 'rmse = "minimize"'),
    ],
)
def test_the_objective_follows_from_the_target(
    tmp_path: Path, target: object, objective: str, line: str
) -> None:
    path = table(tmp_path, target)
    found = starter(path, "y", beside=tmp_path)
    assert found.objective == objective
    assert line in found.content
    (tmp_path / "customers.toml").write_text(found.content)
    spec = read_spec(tmp_path / "customers.toml", has_task=False)
    assert spec.objectives[0].metric == objective
    assert spec.data is not None
    assert (spec.data.file, spec.data.target) == ("customers.csv", "y")


def test_a_small_table_gets_a_linear_model_and_columns_are_named(tmp_path: Path) -> None:
    path = tmp_path / "few rows (1).csv"
    pd.DataFrame({"x": range(100), "y": np.arange(100) % 7 + 0.5}).to_csv(path, index=False)
    found = starter(path, "y", beside=tmp_path)
    assert (found.family, found.name, found.rows, found.columns) == ("linear", "few-rows-1", 100, 1)
    assert "1 column is used: x." in found.content


def test_ignored_columns_are_said(tmp_path: Path) -> None:
    found = starter(table(tmp_path, positives(0.4)), "y", beside=tmp_path)
    assert any("customer id" in note for note in found.notes)
    assert "# Note: column 'customer id'" in found.content


def test_the_command_writes_a_file_that_check_takes_and_never_overwrites(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    table(tmp_path / "data", positives(0.4))
    runner = CliRunner()
    result = runner.invoke(cli, ["init", "data/customers.csv", "--target", "y", "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["output"] == "customers.toml"
    assert told["task"] == "classification"
    checked = runner.invoke(cli, ["check", "customers.toml", "--samples", "20", "--no-train"])
    assert checked.exit_code == 0, checked.output
    again = runner.invoke(cli, ["init", "data/customers.csv", "--target", "y"])
    assert isinstance(again.exception, SatisficeError)
    assert "customers.toml exists" in str(again.exception)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.csv", "--target", "y"], "nowhere.csv does not exist"),
        ([".", "--target", "y"], "is a folder"),
        (["customers.csv", "--target", "z"], "'z'"),
        (["customers.csv", "--target", "y", "--output", "study.txt"], "is no study file"),
        (["customers.csv", "--target", "y", "--output", "none/study.toml"], "there is no folder"),
        (["customers.csv", "--target", "plan id"], "'plan id'"),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    table(tmp_path, positives(0.4))
    result = CliRunner().invoke(cli, ["init", *arguments])
    assert isinstance(result.exception, SatisficeError)
    assert said in str(result.exception)
    assert not list(tmp_path.rglob("*.toml"))


@given(st.text(min_size=1, max_size=30).filter(lambda t: t.strip()), st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_column_name_gives_a_valid_file(tmp_path: Path, name: str, data: st.DataObject) -> None:
    target = data.draw(st.text(min_size=1, max_size=20).filter(lambda t: t.strip() and t != name))
    path = tmp_path / "names.csv"
    frame = pd.DataFrame({name: np.arange(60) % 7, target: np.arange(60) % 2})
    try:
        frame.to_csv(path, index=False)
        if list(pd.read_csv(path).columns) != [name, target]:
            return
        found = starter(path, target, beside=tmp_path)
    except (SatisficeError, UnicodeError):
        return
    (tmp_path / "names.toml").write_text(found.content, encoding="utf-8")
    spec = read_spec(tmp_path / "names.toml", has_task=False)
    assert isinstance(spec.data, DataSpec)
    assert spec.data.target == target
