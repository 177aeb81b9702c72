"""The JSON schema of study files."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from satisfice.spec.study_file.schema import json_schema, main

ROOT = Path(__file__).parents[2]
STUDIES = sorted((ROOT / "studies").glob("*.toml"))
SCHEMA = jsonschema.Draft7Validator(json_schema())


def test_it_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(json_schema())


@pytest.mark.parametrize("path", STUDIES, ids=[p.stem for p in STUDIES])
def test_ready_studies_are_valid(path: Path) -> None:
    SCHEMA.validate(tomllib.loads(path.read_text()))


def test_committed_file_is_the_generated_one(tmp_path: Path) -> None:
    main([str(tmp_path / "schema.json")])
    assert (ROOT / "docs" / "study.schema.json").read_text() == (tmp_path / "schema.json").read_text()
    assert json.loads((tmp_path / "schema.json").read_text()) == json_schema()


@pytest.mark.parametrize(
    "change",
    [
        {"sead": 1},
        {"seed": -1},
        {"seed": "7"},
        {"name": ""},
        {"budget": {"trials": 0}},
        {"budget": {"trials": 1, "trails": 1}},
        {"budget": {"trials": 1, "timeout": "soon"}},
        {"budget": {}},
        {"space": {}},
        {"space": {"x": 3}},
        {"space": {"x": []}},
        {"space": {"x": ["a", "a"]}},
        {"space": {"x": {"low": 1}}},
        {"space": {"x": {"low": 1, "high": 2, "choices": [1]}}},
        {"space": {"x": {"choices": [1], "when": {"y": "a"}}}},
        {"objectives": {}},
        {"objectives": {"accuracy": "up"}},
        {"constraints": {"size_mb": "5 MB"}},
        {"constraints": {"size_mb": 5}},
        {"data": {"name": "digits", "file": "a.csv", "target": "y"}},
        {"data": {"file": "a.csv"}},
        {"data": {"name": "digits", "valid": 1.5}},
        {"task": {"entry": "a:B"}},
        {"measure": {"threads": 0}},
        {"search": {"start": {"x": 1}}},
    ],
    ids=str,
)
def test_it_refuses(change: dict[str, object]) -> None:
    good: dict[str, object] = {
        "name": "x",
        "data": {"name": "digits"},
        "model": {"family": "mlp"},
        "objectives": {"accuracy": "maximize"},
        "space": {"x": [1, 2]},
        "budget": {"trials": 1},
    }
    assert SCHEMA.is_valid(good)
    assert not SCHEMA.is_valid(good | change)
