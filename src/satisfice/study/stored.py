"""A stored study's spec, read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from satisfice.data import reading_of
from satisfice.spec import parse_dict
from satisfice.spec.study import StudySpec
from satisfice.train import TRAINERS


def needs_task(content: Mapping[str, Any]) -> bool:
    """Whether the study was made with a task object, which only its program has."""
    return not ({"model", "task"} & content.keys())


def with_first_meaning(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """A stored spec's content, with what it meant where it was stored before it had to say so."""
    if "model" not in content or "ship" in content:
        return content
    measure = {**content.get("measure", {}), "runtime": "torch"}
    return {**content, "measure": measure, "ship": {"format": "safetensors"}}


def spec_of(row: Mapping[str, Any], source: Path | None = None) -> StudySpec:
    """The spec in our row of a study.

    Args:
        row: Our row.
        source: The study file; left out, its likely name in the folder that is stored.
    """
    content = with_first_meaning(json.loads(row["spec"]))
    if source is None and row["source_dir"]:
        source = Path(row["source_dir"]) / f"{row['name']}.toml"
    # Of our own families every stored metric is known without them, and they are slow to import.
    ours = TRAINERS.is_ours(content.get("model", {}).get("family", ""))
    families = None if ours else TRAINERS.get
    spec = parse_dict(content, source=source, has_task=needs_task(content), stored=True, families=families)
    return as_stored(row, spec)


def as_stored(row: Mapping[str, Any], spec: StudySpec) -> StudySpec:
    """The spec with what is true of the stored study and stands in no file; itself where that is so already.

    Raises:
        DataError: A newer satisfice made the study.
    """
    canonical = row["architecture_form"] > 1
    if spec.canonical != canonical:
        spec = replace(spec, canonical=canonical)
    reading = reading_of(row["data_fingerprint"])
    if spec.data is not None and spec.data.reading != reading:
        spec = replace(spec, data=replace(spec.data, reading=reading))
    return spec


def optuna_order(row: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Names of the objectives in Optuna's order, where that is not the spec's."""
    return tuple(json.loads(row["optuna_objectives"])) if row["optuna_objectives"] else None


def file_of(spec: StudySpec) -> str | None:
    """The study file. Of a stored study only the folder is kept: then its likely name, where that exists."""
    return str(spec.source) if spec.source is not None and spec.source.is_file() else None
