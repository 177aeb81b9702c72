"""What `check` says of families whose size is known only once they are fitted."""

from __future__ import annotations

import json
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

import satisfice
from satisfice.cli.commands.check import _share
from satisfice.cli.main import main
from satisfice.study.before.check import wilson

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


def test_a_share_says_how_many_configurations_it_rests_on_with_wilsons_interval(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trees.toml").write_text(FOREST.format(most=1000))
    with pytest.raises(SystemExit):
        main(["check", "trees.toml", "--samples", "50", "--json"])
    result = json.loads(capsys.readouterr().out)
    (share,) = result["constraints"]
    assert share["samples"] == 50
    assert (share["low"], share["high"]) == wilson(round(50 * share["share"]), 50)
    assert share["low"] < share["share"] < share["high"]
    assert (result["low"], result["high"]) == (share["low"], share["high"])
    with pytest.raises(SystemExit):
        main(["check", "trees.toml", "--samples", "50"])
    said = f"[{share['low']:.1%} to {share['high']:.1%}] from 50 configurations, driven by trees"
    assert said in capsys.readouterr().out


def test_wilsons_interval() -> None:
    # 8 of 10, as in Brown, Cai and DasGupta 2001 and in statsmodels' proportion_confint.
    assert wilson(8, 10) == pytest.approx((0.4901625, 0.9433178), abs=1e-6)
    assert wilson(0, 12) == pytest.approx((0.0, 0.2424940), abs=1e-6)
    assert wilson(1, 1) == pytest.approx((0.2065493, 1.0), abs=1e-6)


class Timed:
    """One architecture a width; those of 3 and more are slow."""

    def architecture(self, params: dict[str, Any]) -> dict[str, Any]:
        return params

    def predictor(self, params: dict[str, Any], model: Any = None) -> Any:
        return lambda: time.sleep(0.02 if params["width"] >= 3 else 0)

    def train(self, params: dict[str, Any], trial: Any) -> dict[str, float]:
        return {"score": 0.0}


@pytest.mark.slow
def test_what_is_measured_rests_on_a_few_configurations_and_says_so() -> None:
    spec = {
        "name": "timed",
        "objectives": {"score": "maximize"},
        "constraints": {"latency_ms": "<= 5"},
        "space": {"width": [1, 2, 3, 4]},
        "budget": {"trials": 1},
    }
    result = satisfice.create_study(spec, storage="sqlite://", task=Timed()).check(n=40)
    (share,) = result.constraints
    assert share.measured
    assert share.samples == 40  # of four architectures
    assert share.share == pytest.approx(0.5, abs=0.25)
    assert share.share is not None
    assert (share.low, share.high) == wilson(round(40 * share.share), 40)
    assert result.low <= result.together <= result.high


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"measure": {"on": "edge-box"}}, "measured by workers of the label 'edge-box' only"),
        (
            {"constraints": {"cost": "< 0", "latency_ms": "<= 5"}},
            "not measured, since no configuration drawn fits the bounds that cost nothing to check",
        ),
        ({"constraints": {"latency_ms": "<= 5", "score": ">= 1"}}, "known only after training"),
    ],
)
def test_a_share_that_is_not_known_says_why(changes: dict[str, Any], said: str) -> None:
    class Told(Timed):
        def profile(self, params: dict[str, Any]) -> dict[str, float]:
            return {"cost": params["width"]}

    spec = {
        "name": "timed",
        "objectives": {"score": "maximize"},
        "constraints": {"latency_ms": "<= 5"},
        "space": {"width": [1]},
        "budget": {"trials": 1},
        **changes,
    }
    result = satisfice.create_study(spec, storage="sqlite://", task=Told()).check(n=5)
    assert result.constraints[-1].share is None
    assert result.constraints[-1].unknown == said


def test_a_share_is_shown_as_nothing_or_all_only_where_it_is() -> None:
    texts = [_share(share) for share in (0.0, 1e-9, 0.0004, 0.5, 0.9996, 0.9999999, 1.0)]
    assert texts == ["0.0%", "under 0.0001%", "0.04%", "50.0%", "99.96%", "over 99.9999%", "100.0%"]


def test_a_study_without_constraints_promises_no_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "free.toml").write_text(FOREST.format(most=1).replace('n_parameters = "<= 1"', ""))
    with pytest.raises(SystemExit):
        main(["check", "free.toml", "--samples", "1"])
    text = capsys.readouterr().out
    assert "of 1 configuration drawn" in text
    assert "%  " not in text
    assert "the study has no constraint" in text


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
