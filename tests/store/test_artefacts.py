"""Where a study's files are, and how long."""

from __future__ import annotations

import gc
import stat
from pathlib import Path

import pytest

from satisfice.store.artefacts import artefacts_of
from satisfice.store.database.url import resolve


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_files_of_a_study_in_memory_go_with_it(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    artefacts = artefacts_of(resolve(url), "study")
    assert artefacts.find(0, "*") == []
    assert list(tmp_path.iterdir()) == []
    artefacts.put(0, "model.bin", b"weights")
    (folder,) = tmp_path.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    del artefacts
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_files_of_a_stored_study_stay_beside_it(tmp_path: Path) -> None:
    url = resolve(f"sqlite:///{tmp_path}/study.db")
    path = artefacts_of(url, "study").put(0, "model.bin", b"weights")
    gc.collect()
    assert path.read_bytes() == b"weights"
    assert path.is_relative_to(tmp_path / "study.db.artefacts")
