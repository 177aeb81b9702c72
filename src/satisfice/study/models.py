"""The models that scored, as artefacts."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from satisfice.errors import InputError
from satisfice.spec.task import BuildsModule, Prepares
from satisfice.spec.trial import TrialRecord
from satisfice.store.atomic_files import written_whole
from satisfice.study.lifecycle.checkpoint import kept_model, kept_weights
from satisfice.study.lifecycle.weights import from_safetensors
from satisfice.study.opening import Opened

if TYPE_CHECKING:
    from satisfice.ship.safetensors_file import Header


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


def shipped_model(opened: Opened, record: TrialRecord) -> Any:
    """What a family's task makes of the file that ships, to be measured and scored; else as `load_model`.

    Raises:
        InputError: The trial kept none.
        BadArtefact: The file is damaged.
    """
    if not isinstance(opened.task, Prepares):
        return load_model(opened, record)
    own: Any = opened.task
    return own.load_model(dict(record.params), model_file(opened, record))


def load_model(opened: Opened, record: TrialRecord) -> Any:
    """The model of a trial; what the task gives, else a built module with its weights, else the tensors.

    Raises:
        InputError: The trial kept none.
        BadArtefact: The file is damaged, or of a kind that only the task can read.
    """
    path = model_file(opened, record)
    own = getattr(opened.task, "load_model", None)
    if callable(own):
        return own(dict(record.params), kept_weights(path))
    state = from_safetensors(path)
    if not isinstance(opened.task, BuildsModule):
        return state
    module = opened.task.build(record.params)
    module.load_state_dict(state)
    return module.eval()


def save_model(opened: Opened, record: TrialRecord, path: Path) -> Path:
    """Write the model of a trial in the format that the path's suffix names, whole or not at all.

    The file that the trial was judged by is copied. Trained weights are written as they were kept; where a
    safetensors file shipped, ``.onnx`` is converted from it.

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


def onnx_bytes(opened: Opened, record: TrialRecord) -> tuple[bytes, Header, bool]:
    """The ONNX file of a trial of a built-in family.

    Returns:
        Its content, all that is known of the model but its tensors, and whether the trial was judged by
        these bytes. It was not where it kept a safetensors file, which is converted here.

    Raises:
        InputError: The trial kept no model, or the family cannot be written as ONNX.
        DataError: A file is missing or damaged.
    """
    from satisfice.ship import safetensors_file  # with pandas, which who only reads a study does not need
    from satisfice.train.conversion import converted

    kept = model_file(opened, record)
    if kept.suffix != ".onnx":
        return (*converted(kept), False)
    beside = kept_weights(kept)
    return kept.read_bytes(), safetensors_file.read(beside)[0], True


def _writers(opened: Opened, kept: Path) -> Mapping[str, Callable[[Path], object]]:
    """By suffix in lower case: what writes a kept model in that format.

    Kept files are copied as they are; the weights of a family that can be written as ONNX are converted.
    """
    from satisfice.train.conversion import core_writer, write_onnx

    files = dict.fromkeys((kept, kept_weights(kept)))
    writers: dict[str, Callable[[Path], object]] = {
        file.suffix.lower(): partial(shutil.copyfile, file) for file in files
    }
    model = opened.spec.model
    if ".onnx" not in writers and model is not None and core_writer(model.family) is not None:
        writers[".onnx"] = partial(write_onnx, kept)
    return writers
