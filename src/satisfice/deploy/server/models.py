"""The models of a server: opened once in each process, and again when their folder changes.

A new version takes the place of the old one in one assignment: requests that began with the old one end with
it.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from satisfice.errors import InputError
from satisfice.ship.folder.description import Description
from satisfice.ship.folder.pipeline import Pipeline
from satisfice.ship.folder.standalone import DESCRIPTION, MODEL, golden_differences, golden_of, open_pipeline
from satisfice.ship.folder.write import content_digest, digest

Stamp = tuple[tuple[int, int, int], ...]
_QUIET_S = 0.5  # a folder that has not changed for so long is not being written
_MOST_TRIES = 20
_DATATYPES = {
    "tensor(double)": "FP64",
    "tensor(float)": "FP32",
    "tensor(string)": "BYTES",
    "tensor(uint8)": "UINT8",
    "tensor(int64)": "INT64",
    "tensor(bool)": "BOOL",
}


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """One input or output of a file, in the words of the Open Inference Protocol."""

    name: str
    datatype: str
    shape: tuple[int, ...]  # -1 where a length varies

    def to_json(self) -> dict[str, Any]:
        """As model metadata tell it."""
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}


@dataclass(frozen=True, kw_only=True)
class Model:
    """One version of one model."""

    directory: Path
    pipeline: Pipeline
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    example: dict[str, Any]  # a raw row
    stamp: Stamp

    @property
    def described(self) -> Description:
        """What ``model.json`` says."""
        return self.pipeline.described

    @property
    def name(self) -> str:
        """Under which it is served."""
        return self.described.name

    @property
    def version(self) -> str:
        """The number of its trial."""
        return str(self.described.trial)


def open_model(directory: Path, threads: int) -> Model:
    """Open a shipped folder, and try it: its checksums and its golden answers.

    Raises:
        InputError: A file is missing or damaged, or the model answers otherwise than when it was shipped.
    """
    stamp = stamp_of(directory)
    pipeline = open_pipeline(directory, threads)
    sums = pipeline.described.checksums
    # Files are replaced one by one: what was read before and after is of one version, or the sums tell.
    if sums.get(MODEL) != digest((directory / MODEL).read_bytes()) or stamp_of(directory) != stamp:
        raise InputError(f"{directory / MODEL} differs from its checksum", hint="copy the folder again")
    if sums.get(DESCRIPTION) != content_digest(pipeline.described):
        raise InputError(f"{directory / DESCRIPTION} differs from its checksum", hint="copy the folder again")
    different = golden_differences(pipeline, directory)
    if different:
        raise InputError(
            f"{directory}: golden rows {different} have other answers here", hint="satisfice verify"
        )
    session = pipeline.session
    return Model(
        directory=directory,
        pipeline=pipeline,
        inputs=tuple(map(_tensor, session.get_inputs())),
        outputs=tuple(map(_tensor, session.get_outputs())),
        example=golden_of(directory)[0][0],
        stamp=stamp,
    )


def open_settled(directory: Path, threads: int) -> Model:
    """`open_model`, tried again while the folder is being written.

    Raises:
        InputError: The folder cannot be served, and nobody writes it.
    """
    for _ in range(_MOST_TRIES):
        stamp = stamp_of(directory)
        try:
            return open_model(directory, threads)
        except InputError:
            until = time.monotonic() + _QUIET_S
            while stamp_of(directory) == stamp:
                if time.monotonic() > until:
                    raise
                time.sleep(_QUIET_S / 20)
    return open_model(directory, threads)


def _tensor(given: Any) -> Tensor:
    shape = tuple(length if isinstance(length, int) else -1 for length in given.shape)
    return Tensor(name=given.name, datatype=_DATATYPES.get(given.type, given.type), shape=shape)


def stamp_of(directory: Path) -> Stamp:
    """What changes when a file of the folder is written; () where one is missing."""
    try:
        found = [(directory / name).stat() for name in (DESCRIPTION, MODEL)]
    except OSError:
        return ()
    return tuple((each.st_mtime_ns, each.st_size, each.st_ino) for each in found)


class Models:
    """The models of this process by name.

    Args:
        directories: Shipped folders.
        threads: That compute one call.

    Raises:
        InputError: A folder cannot be served, or two models have one name.
    """

    def __init__(self, directories: Sequence[Path], threads: int) -> None:
        self._threads = threads
        self._by_name: dict[str, Model] = {}
        self._tried: dict[str, Stamp] = {}
        for directory in directories:
            model = open_settled(directory, threads)
            if "/" in model.name or not model.name:
                raise InputError(
                    f"{directory}: the name {model.name!r} fits into no address", hint="ship it anew"
                )
            if model.name in self._by_name:
                other = self._by_name[model.name].directory
                raise InputError(
                    f"{other} and {directory} are both named {model.name!r}", hint="serve one of them"
                )
            self._by_name[model.name] = model

    @property
    def names(self) -> tuple[str, ...]:
        """Names in the order of the folders."""
        return tuple(self._by_name)

    def get(self, name: str) -> Model | None:
        """The newest version of that name, or None."""
        return self._by_name.get(name)

    def of(self, name: str) -> Model:
        """The newest version of one of `names`."""
        return self._by_name[name]

    def all(self) -> list[Model]:
        """Every model, in the order of the folders."""
        return list(self._by_name.values())

    async def watch(self, every_s: float, told: Callable[[str, bool], None]) -> None:
        """Look for new versions until cancelled.

        Args:
            every_s: Seconds between two looks.
            told: Called with a model's name and whether its new version was taken.
        """
        while True:
            await asyncio.sleep(every_s)
            for model in self.all():
                stamp = stamp_of(model.directory)
                if stamp in ((), model.stamp, self._tried.get(model.name)):
                    continue
                self._tried[model.name] = stamp
                told(model.name, await asyncio.to_thread(self._reload, model))

    def _reload(self, old: Model) -> bool:
        try:
            new = open_settled(old.directory, self._threads)
        except (InputError, OSError) as error:
            _say(f"{old.name} stays at version {old.version}: {error}")
            return False
        if new.name != old.name:
            _say(f"{old.directory} is now named {new.name!r}: start the server again to serve it")
            return False
        self._by_name[old.name] = new
        _say(f"{new.name} is now version {new.version}")
        return True


def _say(sentence: str) -> None:
    print(f"satisfice: {sentence}", file=sys.stderr, flush=True)  # noqa: T201  # this is the log
