"""A stored study's spec, read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from satisfice.spec import parse_dict
from satisfice.spec.study import StudySpec
from satisfice.train import TRAINERS


def needs_task(content: Mapping[str, Any]) -> bool:
    """Whether the study was made with a task object, which only its program has."""
    return not ({"model", "task"} & content.keys())


def spec_of(row: Mapping[str, Any], source: Path | None = None) -> StudySpec:
    """The spec in our row of a study.

    Args:
        row: Our row.
        source: The study file; left out, its likely name in the folder that is stored.
    """
    content = json.loads(row["spec"])
    if source is None and row["source_dir"]:
        source = Path(row["source_dir"]) / f"{row['name']}.toml"
    return parse_dict(content, source=source, has_task=needs_task(content), families=TRAINERS.get)


def optuna_order(row: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Names of the objectives in Optuna's order, where that is not the spec's."""
    return tuple(json.loads(row["optuna_objectives"])) if row["optuna_objectives"] else None


def file_of(spec: StudySpec) -> str | None:
    """The study file. Of a stored study only the folder is kept: then its likely name, where that exists."""
    return str(spec.source) if spec.source is not None and spec.source.is_file() else None
