"""Training checkpoints and model files of one trial, in the artefact store.

No stranger's code is run: objects are JSON, or tensors, numbers and arrays of numbers that torch loads with
``weights_only``.
"""

from __future__ import annotations

import codecs
import io
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from satisfice.errors import BadArtefact, InputError
from satisfice.spec.task import Prepares, Task
from satisfice.store.artefacts import Artefacts
from satisfice.store.ledger.study_rows import StepReport
from satisfice.study.lifecycle.loadable import check_loadable, read_file
from satisfice.study.lifecycle.weights import to_safetensors

logger = logging.getLogger(__name__)

_SUFFIXES = {".pt", ".pth", ".ckpt", ".safetensors", ".bin", ".npz", ".npy", ".pkl", ".json"}
_JSON, _TORCH, _BYTES, _FILE = "json", "torch", "bytes", "file"


class Checkpoints:
    """Checkpoints of a trial. A later attempt's stands; a worker that lost the trial cannot overwrite it."""

    def __init__(self, artefacts: Artefacts, number: int, attempt: int) -> None:
        self._artefacts = artefacts
        self._number = number
        self._attempt = attempt

    def save(self, state: Any, waiting: Sequence[StepReport] = ()) -> None:
        """Keep a state.

        Args:
            state: A path, bytes, JSON content or tensors.
            waiting: Reports until then that are not stored yet.

        Raises:
            InputError: It is none of these, or could not be loaded again.
        """
        kind, content = _encode(state)
        if waiting:
            self._artefacts.put(
                self._number, f"reports-{self._attempt:03d}.json", json.dumps(waiting).encode()
            )
        _put_alone(self._artefacts, self._number, f"checkpoint-{self._attempt:03d}", f".{kind}", content)

    def load(self) -> Any:
        """The state saved last, or None; a damaged one is passed over with a warning."""
        for path in reversed(self._mine("checkpoint-*")):
            try:
                return _decode(path)
            except BadArtefact as error:
                logger.warning("trial %d goes on without it: %s", self._number, error)
        return None

    def reports(self, *, after: int) -> list[StepReport]:
        """Reports of an earlier attempt, of steps beyond ``after``, that it could not store any more."""
        paths = self._mine("reports-*") if self._attempt > 1 else []
        if not paths:
            return []
        try:
            found = _decode(paths[-1])
        except BadArtefact as error:
            logger.warning("trial %d goes on without it: %s", self._number, error)
            return []
        return [(int(step), metrics) for step, metrics in found if step > after]

    def _mine(self, pattern: str) -> list[Path]:
        return _until(self._artefacts, self._number, pattern, self._attempt)

    def discard(self) -> None:
        """Remove them: the trial has ended."""
        for pattern in ("checkpoint-*", "reports-*"):
            self._artefacts.discard(self._number, pattern)


def _encode(state: Any) -> tuple[str, bytes]:
    if isinstance(state, Path) or (isinstance(state, str) and _is_path(state)):
        path = Path(state)
        if not path.is_file():
            raise InputError(
                f"save_checkpoint: {path} {'is no file' if path.exists() else 'does not exist'}",
                hint="write the file, then save its path",
            )
        return _FILE, path.read_bytes()
    if isinstance(state, bytes):
        return _BYTES, state
    try:
        text = json.dumps(state)
        exact = json.loads(text) == state  # tuples come back as lists, other keys than strings as strings
    except (TypeError, ValueError):
        text, exact = "", False
    if text and exact:
        return _JSON, text.encode()
    if "torch" in sys.modules or find_spec("torch") is not None:
        import torch

        buffer = io.BytesIO()
        try:
            torch.save(state, buffer)
            buffer.seek(0)
            _load_torch(buffer)
        except Exception as error:
            raise _unfit(state) from error
        return _TORCH, buffer.getvalue()
    raise _unfit(state)


def _is_path(text: str) -> bool:
    """Whether a string is meant as a path: a file of that name is there, or it is written like one."""
    if not text or len(text) > 1000 or "\n" in text or "\x00" in text:
        return False
    path = Path(text)
    return path.is_file() or (path.is_absolute() and path.parent != path) or path.suffix in _SUFFIXES


def _unfit(state: Any) -> InputError:
    return InputError(
        f"a checkpoint of type {type(state).__name__} could not be loaded again",
        hint="save a path, bytes, JSON content, or tensors, numbers and arrays of numbers; no other objects",
    )


def _decode(path: Path) -> Any:
    kind = path.suffix[1:]
    if kind == _FILE:
        return path
    if kind == _BYTES:
        return path.read_bytes()
    try:
        if kind == _JSON:
            return json.loads(path.read_bytes())
        with path.open("rb") as file:
            return _load_torch(file)
    except ImportError:
        raise
    except Exception as error:  # whatever json, zipfile, pickle and torch raise for bytes that are not theirs
        raise BadArtefact(f"{path} is damaged ({type(error).__name__})") from error


def _load_torch(file: BinaryIO) -> Any:
    import torch

    # What numpy's own pickles name; types of numbers only, so that no array of objects is taken.
    numbers = {type(np.dtype(code)) for code in (*np.typecodes["AllInteger"], *np.typecodes["AllFloat"], "?")}
    makers: list[Any] = [np.zeros(0).__reduce__()[0], np.float32(0).__reduce__()[0], codecs.encode]
    with torch.serialization.safe_globals([np.ndarray, np.dtype, *numbers, *makers]):
        # Who goes on may have another GPU than who saved it, or none.
        return torch.load(file, map_location="cpu", weights_only=True)


def save_model(
    artefacts: Artefacts,
    number: int,
    attempt: int,
    model: Any,
    *,
    task: Task | None = None,
    params: Mapping[str, Any] | None = None,
    weights: Path | None = None,
) -> Path:
    """Keep a model file: a path as it is; a torch module or state dict as safetensors.

    Each attempt at a trial has its own: a worker that lost the trial cannot overwrite the one that counts.

    Args:
        artefacts: The study's files.
        number: Of the trial.
        attempt: At it.
        model: What to keep.
        task: The study's, which has to be able to load it again; None: that is not asked.
        params: The trial's.
        weights: A file with the trained weights, kept beside; it stands before the model does.

    Raises:
        InputError: It is none of these, holds what such a file cannot, or could not be loaded again.
    """
    if isinstance(model, str | Path):
        suffix, content = Path(model).suffix, read_file(Path(model))
    else:
        suffix, content = ".safetensors", to_safetensors(model)
    own = None if isinstance(task, Prepares) else task  # a family writes and reads its own files
    if own is not None and suffix == ".safetensors":
        what = "file" if isinstance(model, str | Path) else type(model).__name__
        check_loadable(own, params or {}, content, what)
    if weights is not None:
        _put_alone(artefacts, number, f"weights-{attempt:03d}", weights.suffix, read_file(weights))
    return _put_alone(artefacts, number, f"model-{attempt:03d}", suffix, content)


def kept_model(artefacts: Artefacts, number: int, attempt: int) -> Path | None:
    """The model file of a trial that was at this attempt when it was told: saved then, or before."""
    mine = _until(artefacts, number, "model-*", attempt)
    return mine[-1] if mine else None


def kept_weights(model: Path) -> Path:
    """The file with the trained weights of a kept model: one beside it, or itself."""
    from satisfice.train.files.onnx_model import weights_beside  # with pandas

    beside = weights_beside(model)
    return beside if beside.is_file() else model


def _put_alone(artefacts: Artefacts, number: int, stem: str, suffix: str, content: bytes) -> Path:
    """Write a file of an attempt, which keeps one of that stem."""
    path = artefacts.put(number, stem + suffix, content)
    for old in artefacts.find(number, f"{stem}*"):
        if old.stem == stem and old != path:  # not of attempt 1000, which begins as that of 100 does
            old.unlink(missing_ok=True)
    return path


def _until(artefacts: Artefacts, number: int, pattern: str, attempt: int) -> list[Path]:
    """Files of an attempt and those before, oldest first."""
    found = artefacts.find(number, pattern)
    return [path for path in found if int(path.stem.split("-")[1]) <= attempt]
