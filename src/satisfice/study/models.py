"""The models that scored, as artefacts."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from satisfice.errors import InputError
from satisfice.spec.task import BuildsModule
from satisfice.spec.trial import TrialRecord
from satisfice.store.atomic_files import written_whole
from satisfice.study.lifecycle.checkpoint import kept_model
from satisfice.study.lifecycle.weights import from_safetensors
from satisfice.study.opening import Opened
from satisfice.train.conversion import core_writer, write_onnx


def model_file(opened: Opened, record: TrialRecord) -> Path:
    """The stored file.

    Raises:
        InputError: The trial kept none.
    """
    found = kept_model(opened.artefacts, record.number, record.attempts)
    if found is None:
        raise InputError(
            f"trial {record.number} kept no model", hint="its task calls trial.save_model for that"
        )
    return found


def load_model(opened: Opened, record: TrialRecord) -> Any:
    """The model of a trial; what the task gives, else a built module with its weights, else the tensors.

    Raises:
        InputError: The trial kept none.
        BadArtefact: The file is damaged, or of a kind that only the task can read.
    """
    path = model_file(opened, record)
    own = getattr(opened.task, "load_model", None)
    if callable(own):
        return own(dict(record.params), path)
    state = from_safetensors(path)
    if not isinstance(opened.task, BuildsModule):
        return state
    module = opened.task.build(record.params)
    module.load_state_dict(state)
    return module.eval()


def save_model(opened: Opened, record: TrialRecord, path: Path) -> Path:
    """Write the model of a trial in the format that the path's suffix names, whole or not at all.

    ``.onnx`` is converted from the kept file, whose size and latency are those of the trial.

    Raises:
        InputError: The trial kept no model, it cannot be written in that format, or not to that place.
    """
    kept = model_file(opened, record)
    writers = _writers(opened, kept)
    write = writers.get(path.suffix.lower())
    if write is None:
        names = " or ".join(repr(suffix) if suffix else "none" for suffix in writers)
        raise InputError(
            f"the model of trial {record.number} cannot be written as {path.name!r}: the suffix names the "
            f"format, and what can be written is {names}",
            hint=f"for instance {path.with_suffix(next(iter(writers))).name!r}",
        )
    if path.is_dir():
        raise InputError(f"{path} is a folder", hint="name a file in it")
    if not path.parent.is_dir():
        raise InputError(f"there is no folder {path.parent}", hint="create it first")
    with written_whole(path) as part:
        write(part)
    return path


def _writers(opened: Opened, kept: Path) -> Mapping[str, Callable[[Path], object]]:
    """By suffix in lower case: what writes a kept model in that format.

    A kept file is copied as it is; that of a family which can be written as ONNX is converted.
    """
    writers: dict[str, Callable[[Path], object]] = {kept.suffix.lower(): partial(shutil.copyfile, kept)}
    model = opened.spec.model
    if model is not None and core_writer(model.family) is not None:
        writers[".onnx"] = partial(write_onnx, kept)
    return writers
