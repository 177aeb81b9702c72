"""Scores of a shipped file's own answers on rows whose target is known."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from satisfice.data.reading.cells import Rule, read
from satisfice.data.reading.text import spelled
from satisfice.errors import InputError
from satisfice.ship.folder.pipeline import Feeds, Pipeline
from satisfice.ship.folder.rows_of_files import columns_of_csv
from satisfice.train.score import score_answers

if TYPE_CHECKING:
    from satisfice.data.reading.raw import Task

_BATCH = 4096
_RESAMPLES = 100  # of the bootstrap


@dataclass(frozen=True, kw_only=True)
class Rescored:
    """Scores with their standard errors."""

    rows: int
    metrics: dict[str, float]
    standard_errors: dict[str, float]
    digest: str  # of the rows as the file takes them, and of their targets


@dataclass(kw_only=True)
class _Answers:
    truth: list[NDArray[Any]] = field(default_factory=list)  # codes of classes, or numbers
    codes: list[NDArray[Any]] = field(default_factory=list)  # of the answered classes; none of a regression
    outputs: list[NDArray[Any]] = field(default_factory=list)  # probabilities, or values
    digests: dict[str, Any] = field(default_factory=dict)  # one for each input, as batches may vary

    def add(
        self, feeds: Feeds, truth: NDArray[Any], codes: NDArray[Any] | None, outputs: NDArray[Any]
    ) -> None:
        self.truth.append(truth)
        self.outputs.append(outputs)
        if codes is not None:
            self.codes.append(codes)
        for name, column in (*feeds.items(), ("", truth)):
            held = self.digests.setdefault(name, hashlib.sha256())
            text = column.dtype == object
            held.update("".join(f"{t}\0" for t in column.ravel()).encode() if text else column.tobytes())


def rescore(pipeline: Pipeline, data: Path) -> Rescored:
    """Scores on a CSV file that holds the target too; rows without a target are left out.

    Raises:
        InputError: The file lacks a column or any target, or holds a class that the model does not know.
    """
    described = pipeline.described
    if not described.columns:
        raise InputError("scores of images cannot be checked by a CSV file", hint="leave --data out")
    held = _Answers()
    for columns in columns_of_csv(data, (*described.names, described.target), _BATCH):
        known = [at for at, cell in enumerate(columns[described.target]) if spelled(cell) is not None]
        kept = {name: [cells[at] for at in known] for name, cells in columns.items()}
        if not known:
            continue
        feeds, _ = pipeline.feeds_of_columns(kept)
        outputs = pipeline.outputs(feeds)
        if described.classes:
            code_of = {str(label): code for code, label in enumerate(described.classes)}
            codes: NDArray[Any] = np.array([code_of[str(label)] for label in pipeline.labels(outputs)])
            truth: NDArray[Any] = _codes(kept[described.target], described.classes, described.target)
            held.add(feeds, truth, codes, outputs["probabilities"])
        else:
            truth = _numbers(kept[described.target], described.target)
            held.add(feeds, truth, None, outputs["value"])
    if not held.truth:
        raise InputError(f"{data} has no row with a value of {described.target!r}")
    return _scored(held)


def _codes(cells: Sequence[str], classes: Sequence[Any], target: str) -> NDArray[np.int64]:
    rule = Rule(kind="category", values=tuple(str(label) for label in classes))
    found = read(rule, cells).values.tolist()
    codes = {str(label): code for code, label in enumerate(classes)}
    foreign = next((text for text in found if text not in codes), None)
    if foreign is not None:
        known = ", ".join(map(repr, list(codes)[:10]))
        raise InputError(
            f"column {target!r} holds {foreign!r}, a class that the model does not know", hint=known
        )
    return np.array([codes[text] for text in found])


def _numbers(cells: Sequence[str], target: str) -> NDArray[np.float64]:
    found = read(Rule(), cells)
    if found.unread:
        text = next(iter(found.unread))
        raise InputError(f"column {target!r} holds {text!r}, which is no number")
    return found.values


def _scored(held: _Answers) -> Rescored:
    truth, outputs = np.concatenate(held.truth), np.concatenate(held.outputs)
    codes = np.concatenate(held.codes) if held.codes else None

    def metrics_of(rows: Any) -> dict[str, float]:
        task: Task = "regression" if codes is None else "classification"
        return score_answers(task, truth[rows], None if codes is None else codes[rows], outputs[rows])

    draw = np.random.default_rng(0)
    drawn = [metrics_of(draw.integers(0, len(truth), len(truth))) for _ in range(_RESAMPLES)]
    metrics = metrics_of(slice(None))
    parts = [f"{name}:{part.hexdigest()}" for name, part in sorted(held.digests.items())]
    return Rescored(
        rows=len(truth),
        metrics=metrics,
        standard_errors={name: float(np.nanstd([each[name] for each in drawn])) for name in metrics},
        digest=hashlib.sha256("".join(parts).encode()).hexdigest(),
    )
