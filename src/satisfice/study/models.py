"""The models that scored, as artefacts."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from satisfice.errors import InputError
from satisfice.spec.task import BuildsModule
from satisfice.spec.trial import TrialRecord
from satisfice.study.checkpoint import kept_model
from satisfice.study.opening import Opened
from satisfice.study.weights import from_safetensors


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
    """Copy the file that ships."""
    shutil.copyfile(model_file(opened, record), path)
    return path
