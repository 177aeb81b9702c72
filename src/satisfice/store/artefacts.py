"""Artefacts: model files and checkpoints, as files beside the database or where the environment says.

Several machines share them through one mounted folder: ``SATISFICE_ARTEFACTS``.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
import weakref
from pathlib import Path

import sqlalchemy as sa

from satisfice.errors import InputError
from satisfice.store.atomic_files import writing
from satisfice.store.database.url import is_memory

ENVIRONMENT_VARIABLE = "SATISFICE_ARTEFACTS"


def artefacts_root(url: sa.URL) -> Path | None:
    """The folder of all studies of a database, absolute; None for one in memory, whose study has its own.

    Raises:
        InputError: The environment variable is empty.
    """
    root = os.environ.get(ENVIRONMENT_VARIABLE)
    if root is not None:
        if not root.strip():
            raise InputError(f"{ENVIRONMENT_VARIABLE} is empty", hint="name a folder, or unset it")
        return Path(root).absolute()
    if is_memory(url):
        return None
    if url.get_backend_name() == "sqlite":
        return Path(f"{url.database}.artefacts")
    return Path.home() / ".local" / "share" / "satisfice" / "artefacts"


def artefacts_of(url: sa.URL, study_uuid: str) -> Artefacts:
    """Where a study's files are. Those of a study in memory go with the object returned."""
    return artefacts_in(artefacts_root(url), study_uuid)


def artefacts_in(root: Path | None, study_uuid: str) -> Artefacts:
    """A study's files below this root; without one in a folder that goes with the object returned."""
    if root is not None:
        return Artefacts(root, study_uuid)
    temporary = Path(tempfile.gettempdir()) / f"satisfice-{uuid.uuid4().hex}"
    made = Artefacts(temporary, study_uuid, mode=0o700)
    weakref.finalize(made, shutil.rmtree, temporary, ignore_errors=True)
    return made


class Artefacts:
    """Files of one study, by trial number. Every write is whole or not at all. Folders are made when needed.

    Args:
        root: Folder of all studies.
        study_uuid: Our key of the study.
        mode: Whom the root is open to, where it is made here.
    """

    def __init__(self, root: Path, study_uuid: str, *, mode: int = 0o777) -> None:
        self._root = root
        self._mode = mode
        self.folder = root / study_uuid

    def _trial(self, number: int) -> Path:
        return self.folder / f"{number:06d}"

    def put(self, number: int, name: str, content: bytes) -> Path:
        """Write a file atomically.

        Raises:
            CannotWrite: The disk is full or read-only, or this user may not write there.
        """
        folder = self._trial(number)
        target = folder / name
        with writing(target):
            self._root.mkdir(mode=self._mode, parents=True, exist_ok=True)
            folder.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=folder, prefix=".part-")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                Path(temporary).replace(target)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
        return target

    def find(self, number: int, pattern: str) -> list[Path]:
        """Files of a trial by pattern, sorted by name."""
        return sorted(self._trial(number).glob(pattern))

    def discard(self, number: int, pattern: str) -> None:
        """Remove files of a trial by pattern."""
        for path in self.find(number, pattern):
            path.unlink(missing_ok=True)

    def discard_all(self) -> None:
        """Remove everything of the study."""
        shutil.rmtree(self.folder, ignore_errors=True)
