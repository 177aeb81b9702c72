"""The JSON schema of study files, for editors; generated from the tables that the parser reads.

``python -m satisfice.spec.study_file.schema [FILE]`` writes it, by default to ``docs/study.schema.json``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from satisfice.spec import grammar
from satisfice.spec.grammar import Key, Keys, Kind
from satisfice.spec.metric import METRICS

_SCALAR = {"type": ["string", "number", "boolean"]}
_BOUND = {
    "type": "string",
    "pattern": r"^\s*(<=|>=|<|>)\s*[+-]?(\d[\d_]*\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$",
    "examples": ["<= 0.5", ">= 0.9"],
}
_TYPES: Mapping[Kind, dict[str, Any]] = {
    Kind.TEXT: {"type": "string", "pattern": r"\S"},
    Kind.INTEGER: {"type": "integer", "maximum": grammar.LARGEST_INTEGER},
    Kind.NUMBER: {"type": "number"},
    Kind.FLAG: {"type": "boolean"},
    Kind.TEXTS: {"type": "array", "items": {"type": "string"}},
    Kind.SCALAR: _SCALAR,
    Kind.TABLES: {"type": "array", "items": {"type": "object", "additionalProperties": _SCALAR}},
    Kind.DURATION: {
        "oneOf": [
            {"type": "number", "exclusiveMinimum": 0},
            {
                "type": "string",
                "pattern": r"^\s*(?=\d)([\d.]+[dD])?([\d.]+[hH])?([\d.]+[mM])?([\d.]+[sS])?\s*$",
            },
        ]
    },
}


def _key(key: Key) -> dict[str, Any]:
    out = {**_TYPES[key.kind], "description": key.doc}
    limits = {
        "minimum": key.minimum,
        "maximum": key.maximum,
        "exclusiveMinimum": key.above,
        "exclusiveMaximum": key.below,
    }
    out |= {name: limit for name, limit in limits.items() if limit is not None}
    if key.choices:
        out = {"enum": list(key.choices), "description": key.doc}
    if key.default is not None:
        out["default"] = list(key.default) if isinstance(key.default, tuple) else key.default
    return out


def _table(keys: Keys, doc: str, others: Any = False) -> dict[str, Any]:
    """A table with fixed keys; ``others`` is the schema of further ones."""
    required = [name for name, key in keys.items() if key.required]
    return {
        "type": "object",
        "description": doc,
        "properties": {name: _key(key) for name, key in keys.items()},
        **({"required": required} if required else {}),
        "additionalProperties": others,
    }


def _metrics(value: Mapping[str, Any], doc: str) -> dict[str, Any]:
    """A table by metric: the known ones for completion, any other for a task of one's own."""
    described = {
        m.name: {**value, "description": f"Better: {m.direction[:3]}imum. Known {m.known.value}."}
        for m in METRICS.values()
    }
    return {"type": "object", "description": doc, "properties": described, "additionalProperties": value}


def _space() -> dict[str, Any]:
    choices = {
        "type": "array",
        "minItems": 1,
        "uniqueItems": True,
        "items": _SCALAR,
        "description": grammar.CHOICES_DOC,
    }
    when = {
        "type": "object",
        "description": grammar.WHEN_DOC,
        "additionalProperties": {"type": "array", "minItems": 1, "uniqueItems": True, "items": _SCALAR},
    }
    span = _table(grammar.RANGE, "A range: int if low and high are integers, else float.")
    span["properties"]["when"] = when
    options = {
        "type": "object",
        "description": "A categorical parameter.",
        "properties": {"choices": choices, "when": when},
        "required": ["choices"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "description": grammar.TABLE_DOCS["space"],
        "minProperties": 1,
        "additionalProperties": {"anyOf": [choices, span, options]},
    }


def _profiles(constraints: dict[str, Any]) -> dict[str, Any]:
    profile = _table(grammar.PROFILE, "A way to choose from the study.")
    profile["properties"]["constraints"] = constraints
    profile["minProperties"] = 1
    profile["not"] = {
        "anyOf": [
            {"required": ["objective", "order"]},
            {"required": ["objective", "template"]},
            {"required": ["order", "template"]},
        ]
    }
    return {
        "type": "object",
        "description": grammar.TABLE_DOCS["profiles"],
        "propertyNames": {"pattern": "^[A-Za-z0-9_-]{1,100}$"},
        "additionalProperties": profile,
    }


def json_schema() -> dict[str, Any]:
    """The schema (draft 7, which editors for TOML understand)."""
    value = {"type": ["string", "number", "boolean", "array"], "description": "A fixed hyperparameter."}
    option = {"description": "An argument of the class."}
    others: dict[str, Any] = {"model": value, "task": option}
    tables = {
        name: _table(keys, grammar.TABLE_DOCS[name], others.get(name, False))
        for name, keys in grammar.SECTIONS.items()
    }
    tables["data"]["oneOf"] = [
        {"required": ["name"]},
        {"required": ["file", "target"]},
        {"required": ["folder"]},
    ]
    direction = {"enum": list(grammar.DIRECTIONS)}
    bounds = {"anyOf": [_BOUND, {"type": "array", "items": _BOUND, "minItems": 1, "maxItems": 2}]}
    tables["objectives"] = _metrics(direction, grammar.TABLE_DOCS["objectives"]) | {"minProperties": 1}
    tables["constraints"] = _metrics(bounds, grammar.TABLE_DOCS["constraints"])
    tables["space"] = _space()
    tables["profiles"] = _profiles(_metrics(bounds, grammar.PROFILE_CONSTRAINTS_DOC))
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "satisfice study file",
        "type": "object",
        "properties": {name: _key(key) for name, key in grammar.TOP.items()}
        | {name: tables[name] for name in grammar.TABLE_DOCS},
        "required": ["name", *grammar.REQUIRED_TABLES],
        "oneOf": [{"required": ["data", "model"]}, {"required": ["task"]}],
        "additionalProperties": False,
    }


def main(arguments: list[str]) -> None:
    """Write the schema to the file named, or to ``docs/study.schema.json``."""
    path = Path(arguments[0] if arguments else "docs/study.schema.json")
    path.write_text(json.dumps(json_schema(), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
