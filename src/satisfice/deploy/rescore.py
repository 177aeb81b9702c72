"""Scores of a shipped file's own answers on a CSV file whose target is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from satisfice.data.reading.cells import Rule, read
from satisfice.data.reading.text import spelled
from satisfice.errors import InputError
from satisfice.ship.folder.description import Description
from satisfice.ship.folder.pipeline import Pipeline
from satisfice.ship.folder.rows_of_files import columns_of_csv
from satisfice.train.file_scores import FileAnswers, FileScores

_BATCH = 4096


def rescore(pipeline: Pipeline, data: Path) -> FileScores:
    """Scores on a CSV file that holds the target too; rows without a target are left out.

    Raises:
        InputError: The file lacks a column or any target, or holds a class that the model does not know.
    """
    described = pipeline.described
    if not described.columns:
        raise InputError("scores of images cannot be checked by a CSV file", hint="leave --data out")
    held = FileAnswers(pipeline)
    for columns in columns_of_csv(data, (*described.names, described.target), _BATCH):
        known = [at for at, cell in enumerate(columns[described.target]) if spelled(cell) is not None]
        kept = {name: [cells[at] for at in known] for name, cells in columns.items()}
        if not known:
            continue
        feeds, _ = pipeline.feeds_of_columns(kept)
        target = kept[described.target]
        if described.classes:
            held.add(feeds, _codes(target, described))
        else:
            held.add(feeds, _numbers(target, described))
    if not len(held):
        raise InputError(f"{data} has no row with a value of {described.target!r}")
    return held.scores()


def _codes(cells: Sequence[str], described: Description) -> NDArray[np.int64]:
    labels = {str(label): code for code, label in enumerate(described.classes)}
    if described.target_rule != Rule():  # numbers, written by a habit of their own
        means = {text: described.target_rule.number(text.strip()) for text in set(cells)}
        of_value = {float(label): str(label) for label in described.classes if not isinstance(label, str)}
        found = [of_value.get(means[text], text) for text in cells]  # type: ignore[arg-type]  # None is no key
    else:
        found = read(Rule(kind="category", values=tuple(labels)), cells).values.tolist()
    foreign = next((text for text in found if text not in labels), None)
    if foreign is not None:
        known = ", ".join(map(repr, list(labels)[:10]))
        raise InputError(
            f"column {described.target!r} holds {foreign!r}, a class that the model does not know", hint=known
        )
    return np.array([labels[text] for text in found])


def _numbers(cells: Sequence[str], described: Description) -> NDArray[np.float64]:
    found = read(described.target_rule, cells)
    if found.unread:
        text = next(iter(found.unread))
        raise InputError(f"column {described.target!r} holds {text!r}, which is no number")
    return found.values
