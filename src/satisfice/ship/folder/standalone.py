"""The program in a shipped folder: answers for a file of rows, or the golden rows again.

It becomes the end of ``predict.py`` (`satisfice.ship.folder.predict_py`), where nothing else of satisfice is
installed: standard library, NumPy and ONNX Runtime only.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from satisfice.errors import InputError
from satisfice.ship.folder.parse import from_text
from satisfice.ship.folder.pipeline import Pipeline, same_answer
from satisfice.ship.folder.rows_of_files import feeds_of_file
from satisfice.ship.runtime import session

MODEL, DESCRIPTION, GOLDEN = "model.onnx", "model.json", "golden.json"
_USAGE = """usage: predict.py FILE      one JSON line for each row of a CSV file, an .npy file or a picture
       predict.py --golden  the answers of golden.json again; exit code 1 where they differ"""


def open_pipeline(folder: Path, threads: int = 1) -> Pipeline:
    """The rows and answers of the model in a shipped folder.

    Raises:
        InputError: A file is missing or damaged, or is of another kind.
    """
    try:
        described = from_text((folder / DESCRIPTION).read_text(encoding="utf-8"), str(folder / DESCRIPTION))
        content = (folder / MODEL).read_bytes()
    except UnicodeDecodeError:
        raise InputError(f"{folder / DESCRIPTION} is not JSON", hint="copy the folder again") from None
    except OSError as error:
        raise InputError(f"{error.filename} cannot be read: {error.strerror}") from None
    try:
        opened = session(content, threads)
    except ModuleNotFoundError as missing:
        raise InputError(f"{missing.name} is not installed", hint="pip install onnxruntime numpy") from None
    except Exception as error:  # noqa: BLE001  # the runtime's errors have no common base
        said = " ".join(str(error).split())[:200]
        raise InputError(f"{folder / MODEL} is not a model that this ONNX Runtime reads: {said}") from None
    return Pipeline(described, opened)


def golden_of(folder: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Raw rows, and the answers that the model gave to them when it was shipped.

    Raises:
        InputError: The file is missing or damaged.
    """
    place = folder / GOLDEN
    try:
        content = json.loads(place.read_text(encoding="utf-8"))
        rows, answers = content["rows"], content["answers"]
    except OSError as error:
        raise InputError(f"{place} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{place} does not hold rows and answers", hint="copy the folder again") from None
    right = all(isinstance(part, list) and all(isinstance(e, dict) for e in part) for part in (rows, answers))
    if not right or len(rows) != len(answers) or not rows:
        raise InputError(f"{place} does not hold one answer to each row", hint="copy the folder again")
    return rows, answers


def golden_differences(pipeline: Pipeline, folder: Path) -> list[int]:
    """Numbers of the golden rows whose answers differ here; `golden_of` says what is raised."""
    rows, wanted = golden_of(folder)
    found, _ = pipeline.answer(rows)
    return [at for at, (f, w) in enumerate(zip(found, wanted, strict=True)) if not same_answer(f, w)]


def main(arguments: Sequence[str], folder: Path) -> int:
    """Run the program; returns its exit code: 0 done, 1 the golden answers differ, 2 the input is wrong."""
    if len(arguments) != 1 or arguments[0] in ("-h", "--help"):
        print(_USAGE, file=sys.stderr)  # noqa: T201  # this is the output
        return 0 if arguments[:1] in (["-h"], ["--help"]) else 2
    try:
        pipeline = open_pipeline(folder)
        if arguments[0] == "--golden":
            different = golden_differences(pipeline, folder)
            said = (
                f"rows {different} of golden.json have other answers here"
                if different
                else "as when it was shipped"
            )
            print(said, file=sys.stderr)  # noqa: T201  # this is the output
            return 1 if different else 0
        for feeds, told in feeds_of_file(Path(arguments[0]), pipeline):
            for sentence in told.sentences():
                print(f"predict.py: {sentence}", file=sys.stderr)  # noqa: T201  # this is the output
            for answer in pipeline.answers(pipeline.outputs(feeds)):
                print(json.dumps(answer))  # noqa: T201  # this is the output
    except InputError as error:
        print(f"predict.py: {error}", file=sys.stderr)  # noqa: T201  # this is the output
        return 2
    return 0
