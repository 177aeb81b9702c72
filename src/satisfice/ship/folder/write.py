"""Writing a shipped folder: the model, what is said of it, the golden rows, and what runs them elsewhere."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from satisfice.errors import InputError
from satisfice.ship import runtime
from satisfice.ship.folder.description import FORMAT, Description, ImageInput, to_json
from satisfice.ship.folder.parse import from_text
from satisfice.ship.folder.predict_py import predict_py
from satisfice.ship.folder.standalone import DESCRIPTION, GOLDEN, MODEL
from satisfice.store.atomic_files import writing

CARD, PROGRAM, DOCKERFILE = "README.md", "predict.py", "Dockerfile"
FILES = (MODEL, DESCRIPTION, GOLDEN, CARD, PROGRAM, DOCKERFILE)


def write_folder(
    directory: Path,
    model_bytes: bytes,
    description: Description,
    golden: tuple[Sequence[Mapping[str, Any]], Sequence[Mapping[str, Any]]],
    card: str,
) -> Description:
    """Write all files of a shipped folder; they are there whole, or not at all.

    Args:
        directory: Made where it is absent. A shipped folder there is replaced; other files in it are left.
        model_bytes: Of ``model.onnx``, as the trial was judged by.
        description: Of ``model.json``; its checksums are filled in here.
        golden: Raw rows, and the answers of the file to them.
        card: Text of ``README.md`` (`satisfice.ship.folder.card.model_card`).

    Returns:
        The description with its checksums.

    Raises:
        InputError: The place is no folder, or holds files of others and no shipped model.
        CannotWrite: The system does not let us write there.
    """
    rows, answers = golden
    description = from_text(json.dumps(to_json(description)), DESCRIPTION)  # as whoever reads it will see it
    files = {
        MODEL: model_bytes,
        GOLDEN: _json({"format": FORMAT, "rows": list(rows), "answers": list(answers)}),
        CARD: card.encode(),
        PROGRAM: predict_py().encode(),
        DOCKERFILE: dockerfile(description).encode(),
    }
    checksums = {name: digest(content) for name, content in files.items()}
    checksums[DESCRIPTION] = content_digest(description)
    full = replace(description, checksums=checksums)
    files[DESCRIPTION] = _json(
        to_json(full)
    )  # last: whoever watches the folder sees it change when all is there
    check_place(directory)
    with writing(directory):
        directory.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=directory, prefix=".part-"))
        try:
            for name, content in files.items():
                (part / name).write_bytes(content)
            for name in files:
                os.replace(part / name, directory / name)  # noqa: PTH105  # as one step
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return full


def check_place(directory: Path) -> None:
    """See that a shipped folder may be written there.

    Raises:
        InputError: The place is no folder, or holds files of others and no shipped model.
        CannotWrite: The system does not let us look.
    """
    with writing(directory):
        if directory.exists() and not directory.is_dir():
            raise InputError(f"{directory} is no folder", hint="name another place")
        if directory.is_dir() and any(directory.iterdir()) and not _is_ours(directory / DESCRIPTION):
            raise InputError(f"{directory} holds other files", hint="name an empty or a new folder")


def _is_ours(description: Path) -> bool:
    """Whether the file is a description of a shipped model, in whatever format, and not another program's."""
    try:
        content = json.loads(description.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and {"format", "study", "checksums"} <= content.keys()


def digest(content: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def content_digest(description: Description) -> str:
    """SHA-256 of all that ``model.json`` says but its checksums."""
    content = to_json(replace(description, checksums={}))
    return digest(json.dumps(content, sort_keys=True).encode())


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def dockerfile(description: Description) -> str:
    """A container that answers for files: Python, NumPy and ONNX Runtime, Pillow where images come in."""
    measured = next((p.version for p in description.promises if p.runtime == "onnxruntime" and p.version), "")
    packages = [f"numpy=={np.__version__}", f"onnxruntime=={measured or runtime.version()}"]
    packages += ['"pillow>=10"'] if isinstance(description.input, ImageInput) else []
    return (
        "FROM python:3.12-slim\n"
        f"RUN pip install --no-cache-dir {' '.join(packages)} \\\n"
        "    && useradd --create-home --uid 10001 model\n"
        "USER 10001\n"
        "WORKDIR /model\n"
        f"COPY {MODEL} {DESCRIPTION} {GOLDEN} {PROGRAM} ./\n"
        "# docker run -v $PWD:/data IMAGE /data/rows.csv\n"
        f'ENTRYPOINT ["python", "/model/{PROGRAM}"]\n'
        'CMD ["--golden"]\n'
    )
