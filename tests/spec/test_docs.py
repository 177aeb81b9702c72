"""Every example of docs/study-files.md does what the page says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from satisfice.errors import SpecError
from satisfice.spec import METRICS, parse_dict
from satisfice.spec.grammar import PROFILE, SECTIONS, TOP
from satisfice.train.catalog import TRAINERS

PAGE = (Path(__file__).parents[2] / "docs" / "study-files.md").read_text()
GOOD = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
WRONG = re.findall(r"```toml wrong\n(.*?)```\n```text\n(.*?)\n```", PAGE, re.DOTALL)


def completed(text: str) -> dict[str, Any]:
    """The example, with what it leaves out taken from the page's first example."""
    content = tomllib.loads(text)
    base = tomllib.loads(GOOD[0])
    if "task" in content:
        del base["data"], base["model"]
    if "model" in content:  # fixes what the first example searches
        base["space"] = {"dropout": [0.0, 0.5]}
    if "search" in content:
        del base["space"]["hidden_layers"]
    return base | content


def test_the_page_has_examples_of_everything() -> None:
    shown = {name for text in GOOD for name in tomllib.loads(text)}
    assert shown == {*TOP, *SECTIONS, "objectives", "constraints", "space", "profiles"}
    assert len(WRONG) >= 5


@pytest.mark.parametrize("text", GOOD, ids=[text.splitlines()[0] for text in GOOD])
def test_example_parses(text: str) -> None:
    parse_dict(completed(text), file="study.toml", families=TRAINERS.get)


@pytest.mark.parametrize(("text", "message"), WRONG, ids=[message[:50] for _, message in WRONG])
def test_wrong_example_is_refused_as_shown(text: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_dict(completed(text), file="study.toml")
    assert str(caught.value) == message


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_is_shown(section: str) -> None:
    shown = {key for text in GOOD for key in tomllib.loads(text).get(section, {})}
    assert set(SECTIONS[section]) <= shown


def test_every_key_of_a_profile_is_shown() -> None:
    shown = {
        key for text in GOOD for each in tomllib.loads(text).get("profiles", {}).values() for key in each
    }
    assert shown == {*PROFILE, "constraints"}


def test_every_metric_is_named() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE))
    for prefix in ("latency_p95_", "pipeline_latency_", "train_memory_", "train_gpu_memory_"):
        if prefix in named:
            named |= {f"{prefix}{unit}" for unit in ("us", "ms", "s", "bytes", "kb", "mb")}
    assert set(METRICS) <= named
