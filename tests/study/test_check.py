"""What `check` says of families whose size is known only once they are fitted."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

import satisfice
from satisfice.cli.main import main

FOREST = """
name = "trees"
[data]
name = "digits"
[model]
family = "forest"
[objectives]
accuracy = "maximize"
[constraints]
n_parameters = "<= {most}"
[space]
trees = {{ low = 1, high = 300 }}
[budget]
trials = 1
"""


def spec(most: int) -> dict[str, Any]:
    return tomllib.loads(FOREST.format(most=most))


def test_only_what_surely_misses_is_counted_as_a_miss() -> None:
    result = satisfice.create_study(spec(most=1000), storage="sqlite://").check(n=300)
    (share,) = result.constraints
    # A tree has a leaf at least, with ten numbers: more than 100 trees miss for sure, fewer may fit.
    assert share.share == pytest.approx(1 / 3, abs=0.1)
    assert share.at_most
    assert share.driver == "trees"
    assert result.together == share.share
    assert result.at_most


def test_a_bound_that_only_training_decides_promises_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for most, said in ((10**9, "100.0%  may fit all of them"), (1, "0.0%  fit all of them")):
        (tmp_path / "trees.toml").write_text(FOREST.format(most=most))
        with pytest.raises(SystemExit):
            main(["check", "trees.toml", "--samples", "50"])
        assert said in capsys.readouterr().out


class Breaks:
    def __init__(self, above: int) -> None:
        self.above = above

    def profile(self, params):
        if params["width"] > self.above:
            raise ValueError("too wide")
        return {"size_mb": params["width"]}

    def train(self, params, trial):
        raise NotImplementedError


def test_what_cannot_be_built_fits_nothing() -> None:
    content = {
        "name": "breaks",
        "objectives": {"accuracy": "maximize"},
        "constraints": {"size_mb": "<= 5"},
        "space": {"width": {"low": 1, "high": 10}},
        "budget": {"trials": 1},
    }
    result = satisfice.create_study(content, task=Breaks(above=8)).check(n=400)
    assert result.broken / 400 == pytest.approx(0.2, abs=0.07)
    assert result.broken_by == "ValueError: too wide"
    assert result.constraints[0].share == pytest.approx(5 / 8, abs=0.1)
    assert result.together == pytest.approx(0.5, abs=0.1)
    with pytest.raises(ValueError, match="too wide"):
        satisfice.create_study(content, task=Breaks(above=0)).check(n=10)
