"""Training checkpoints and model files of one trial, in the artefact store.

Nothing is unpickled: objects are JSON, or tensors and numbers that torch loads with ``weights_only``.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from satisfice.errors import InputError
from satisfice.store.artefacts import Artefacts
from satisfice.store.study_rows import Report

_JSON, _TORCH, _BYTES, _FILE = "json", "torch", "bytes", "file"


class Checkpoints:
    """Checkpoints of a trial. A later attempt's stands; a worker that lost the trial cannot overwrite it."""

    def __init__(self, artefacts: Artefacts, number: int, attempt: int) -> None:
        self._artefacts = artefacts
        self._number = number
        self._attempt = attempt

    def save(self, state: Any, waiting: Sequence[Report] = ()) -> None:
        """Keep a state.

        Args:
            state: A path, bytes, JSON content or tensors.
            waiting: Reports until then that are not stored yet.

        Raises:
            InputError: It is none of these.
        """
        kind, content = _encode(state)
        name = f"checkpoint-{self._attempt:03d}.{kind}"
        if waiting:
            self._artefacts.put(
                self._number, f"reports-{self._attempt:03d}.json", json.dumps(waiting).encode()
            )
        self._artefacts.put(self._number, name, content)
        for old in self._artefacts.find(self._number, f"checkpoint-{self._attempt:03d}.*"):
            if old.name != name:
                old.unlink(missing_ok=True)

    def load(self) -> Any:
        """The state saved last, or None."""
        path = self._last("checkpoint-*")
        return _decode(path) if path is not None else None

    def reports(self, *, after: int) -> list[Report]:
        """Reports of an earlier attempt, of steps beyond ``after``, that it could not store any more."""
        path = self._last("reports-*") if self._attempt > 1 else None
        found = json.loads(path.read_bytes()) if path is not None else []
        return [(int(step), metrics) for step, metrics in found if step > after]

    def _last(self, pattern: str) -> Path | None:
        found = self._artefacts.find(self._number, pattern)
        mine = [path for path in found if int(path.stem.split("-")[1]) <= self._attempt]
        return mine[-1] if mine else None

    def discard(self) -> None:
        """Remove them: the trial has ended."""
        for pattern in ("checkpoint-*", "reports-*"):
            self._artefacts.discard(self._number, pattern)


def _encode(state: Any) -> tuple[str, bytes]:
    if isinstance(state, str | Path) and Path(state).is_file():
        return _FILE, Path(state).read_bytes()
    if isinstance(state, bytes):
        return _BYTES, state
    try:
        return _JSON, json.dumps(state).encode()
    except (TypeError, ValueError):
        pass
    if "torch" in sys.modules:
        import torch

        buffer = io.BytesIO()
        torch.save(state, buffer)
        return _TORCH, buffer.getvalue()
    raise InputError(
        f"a checkpoint of type {type(state).__name__} cannot be kept",
        hint="save a path, bytes, JSON content, or tensors",
    )


def _decode(path: Path) -> Any:
    kind = path.suffix[1:]
    if kind == _FILE:
        return path
    if kind == _BYTES:
        return path.read_bytes()
    if kind == _JSON:
        return json.loads(path.read_bytes())
    import torch

    # Who goes on may have another GPU than who saved it, or none.
    return torch.load(path, map_location="cpu", weights_only=True)


def save_model(artefacts: Artefacts, number: int, attempt: int, model: Any) -> Path:
    """Keep a model file: a path as it is; a torch module or state dict as safetensors.

    Each attempt at a trial has its own: a worker that lost the trial cannot overwrite the one that counts.

    Raises:
        InputError: It is none of these.
    """
    if isinstance(model, str | Path):
        path = Path(model)
        return _put_model(artefacts, number, attempt, path.suffix, path.read_bytes())
    state = model.state_dict() if hasattr(model, "state_dict") else model
    if not isinstance(state, dict):
        raise InputError(
            f"save_model got a {type(model).__name__}", hint="give a torch module, a state dict, or a path"
        )
    from safetensors.torch import save

    content = save({k: v.contiguous() for k, v in state.items()})
    return _put_model(artefacts, number, attempt, ".safetensors", content)


def _put_model(artefacts: Artefacts, number: int, attempt: int, suffix: str, content: bytes) -> Path:
    stem = f"model-{attempt:03d}"
    path = artefacts.put(number, stem + suffix, content)
    for old in artefacts.find(number, f"{stem}*"):
        if old != path:
            old.unlink(missing_ok=True)
    return path


def kept_model(artefacts: Artefacts, number: int, attempt: int) -> Path | None:
    """The model file of a trial that was at this attempt when it was told: saved then, or before."""
    found = artefacts.find(number, "model-*")
    mine = [path for path in found if int(path.stem.split("-")[1]) <= attempt]
    return mine[-1] if mine else None
