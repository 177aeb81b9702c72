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

from satisfice.store.url import is_memory

ENVIRONMENT_VARIABLE = "SATISFICE_ARTEFACTS"


def artefacts_of(url: sa.URL, study_uuid: str) -> Artefacts:
    """Where a study's files are. Those of a study in memory go with the object returned."""
    root = os.environ.get(ENVIRONMENT_VARIABLE)
    if root:
        return Artefacts(Path(root), study_uuid)
    if is_memory(url):
        temporary = Path(tempfile.gettempdir()) / f"satisfice-{uuid.uuid4().hex}"
        made = Artefacts(temporary, study_uuid, mode=0o700)
        weakref.finalize(made, shutil.rmtree, temporary, ignore_errors=True)
        return made
    if url.get_backend_name() == "sqlite":
        return Artefacts(Path(f"{url.database}.artefacts"), study_uuid)
    return Artefacts(Path.home() / ".local" / "share" / "satisfice" / "artefacts", study_uuid)


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
        """Write a file atomically."""
        folder = self._trial(number)
        self._root.mkdir(mode=self._mode, parents=True, exist_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".part-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            target = folder / name
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
