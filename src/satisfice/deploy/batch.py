"""Answers for a whole file, in batches: memory does not grow with the file."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

from satisfice.errors import InputError
from satisfice.ship.folder.pipeline import Told
from satisfice.ship.folder.rows_of_files import feeds_of_file
from satisfice.ship.folder.standalone import open_pipeline
from satisfice.store.atomic_files import written_whole

BATCH = 4096  # rows

Progress = Callable[[int], None]  # rows done so far


def predict_file(
    directory: Path, data: Path, output: Path, *, threads: int = 1, progress: Progress | None = None
) -> tuple[int, list[str]]:
    """Write one answer for each row of a file.

    Args:
        directory: A shipped folder.
        data: A CSV file with a header, or images as ``.npy`` or a picture.
        output: ``.csv`` (``label`` and one column of probabilities a class, or ``value``) or ``.jsonl`` (as
            ``predict.py`` prints); written whole or not at all.
        threads: That compute one call.
        progress: Told of the rows done, after each batch.

    Returns:
        How many rows, and sentences about cells that could not be read or are new to the model.

    Raises:
        InputError: The folder, the data or the output's suffix is wrong.
        CannotWrite: The output cannot be written.
    """
    if output.suffix.lower() not in (".csv", ".jsonl"):
        raise InputError(f"{output} ends neither with .csv nor with .jsonl", hint="name the output so")
    if not output.absolute().parent.is_dir():
        raise InputError(f"{output.absolute().parent} is no folder", hint="make it, or name another place")
    if output.exists() and data.exists() and output.samefile(data):
        raise InputError(f"{output} is the data itself", hint="name another output")
    pipeline = open_pipeline(directory, threads)
    done, seen = 0, _Seen()
    with written_whole(output) as part, part.open("w", encoding="utf-8", newline="") as file:
        write = _writer(file, output, pipeline.described.classes)
        for feeds, told in feeds_of_file(data, pipeline, BATCH):
            answers = pipeline.answers(pipeline.outputs(feeds))
            write(answers)
            done += len(answers)
            seen.add(told)
            if progress is not None:
                progress(done)
    return done, seen.told().sentences()


def _writer(file: TextIO, output: Path, classes: Sequence[Any]) -> Callable[[list[dict[str, Any]]], None]:
    if output.suffix.lower() == ".jsonl":
        return lambda answers: file.writelines(json.dumps(answer) + "\n" for answer in answers)
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(["label", *(f"probability {label}" for label in classes)] if classes else ["value"])

    def write(answers: list[dict[str, Any]]) -> None:
        for answer in answers:
            told = [answer["label"], *answer["probabilities"].values()] if classes else [answer["value"]]
            rows.writerow(told)

    return write


class _Seen:
    """What was told of single cells, over all batches; of each column the first hundred texts."""

    def __init__(self) -> None:
        self._counts: dict[str, dict[str, Counter[str]]] = {"unread": {}, "unseen": {}}

    def add(self, told: Told) -> None:
        for kind, found in (("unread", told.unread), ("unseen", told.unseen)):
            for column, texts in found.items():
                held = self._counts[kind].setdefault(column, Counter())
                for text, count in texts.items():
                    held[text if text in held or len(held) < 100 else "others"] += count

    def told(self) -> Told:
        return Told(unread=self._counts["unread"], unseen=self._counts["unseen"])
