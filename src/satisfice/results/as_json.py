"""Results, trials and whatever they hold as JSON content."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from satisfice.data import ColumnNote


def plain(value: Any) -> Any:
    """The value as JSON can hold it: NaN as null, infinities as "inf" and "-inf", times in ISO 8601."""
    if isinstance(value, Mapping):  # a `Result` is one
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, str | bool | int) or value is None:
        return value
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return value if math.isfinite(value) else ("inf" if value > 0 else "-inf")
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "item"):  # a numpy scalar
        return plain(value.item())
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    return str(value)


def notes_json(notes: Sequence[ColumnNote]) -> list[dict[str, Any]]:
    """What became of columns and values of the data."""
    return [{**asdict(note), "sentence": str(note)} for note in notes]
