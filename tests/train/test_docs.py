"""docs/trainers.md and docs/data.md against the program."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from satisfice.data import DATASETS
from satisfice.spec import parse_dict
from satisfice.train import TRAINERS
from satisfice.train.document import refresh

DOCS = Path(__file__).parents[2] / "docs"
TRAINERS_PAGE = (DOCS / "trainers.md").read_text(encoding="utf-8")
DATA_PAGE = (DOCS / "data.md").read_text(encoding="utf-8")
EXAMPLES = [text for text in re.findall(r"```toml\n(.*?)```", TRAINERS_PAGE, re.DOTALL) if "[model]" in text]


@pytest.mark.parametrize("page", [TRAINERS_PAGE, DATA_PAGE], ids=["trainers", "data"])
def test_the_tables_are_the_program(page: str) -> None:
    assert refresh(page) == page, "run: python -m satisfice.train.document docs/trainers.md docs/data.md"


def test_everything_is_there() -> None:
    for family in TRAINERS.names():
        assert f"<!-- table {family} -->" in TRAINERS_PAGE
    for name in DATASETS.names():
        assert f"`{name}`" in DATA_PAGE
    assert {tomllib.loads(text)["model"]["family"] for text in EXAMPLES} == set(TRAINERS.names())


@pytest.mark.parametrize("text", EXAMPLES)
def test_examples_are_studies(text: str) -> None:
    content = tomllib.loads(text)
    content |= {
        "name": "example",
        "data": {"name": "digits"},
        "objectives": {"accuracy": "maximize"},
        "budget": {"trials": 1},
    }
    spec = parse_dict(content, families=TRAINERS.get)
    assert spec.model is not None
    assert spec.model.family in TRAINERS.names()
