"""What training code changes for the whole process ends with its trial."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from satisfice.study.running.surroundings import Surroundings


def test_everything_is_put_back_as_often_as_it_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setenv("SATISFICE_STORAGE", "sqlite:///mine.db")
    monkeypatch.delenv("SATISFICE_DEVICE", raising=False)
    folder, stream, handler = Path.cwd(), sys.stdout, signal.getsignal(signal.SIGTERM)
    floating, filters = np.geterr(), list(warnings.filters)
    threads = torch.get_num_threads()
    mask = os.umask(0o022)
    surroundings = Surroundings()
    try:
        for _ in range(2):
            with pytest.raises(ZeroDivisionError), surroundings:  # noqa: PT012  # as training code does
                os.chdir(tmp_path)
                os.umask(0o777)
                os.environ.update(SATISFICE_STORAGE="other", SATISFICE_DEVICE="tpu")
                sys.stdout = None
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                warnings.simplefilter("error")
                np.seterr(all="raise")
                torch.set_default_dtype(torch.float64)
                torch.set_grad_enabled(False)
                torch.set_num_threads(threads + 1)
                1 / 0  # noqa: B018  # a trial that raises leaves nothing behind either
            assert Path.cwd() == folder
            assert sys.stdout is stream
            assert os.environ["SATISFICE_STORAGE"] == "sqlite:///mine.db"
            assert "SATISFICE_DEVICE" not in os.environ
            assert signal.getsignal(signal.SIGTERM) is handler
            assert list(warnings.filters) == filters
            assert np.geterr() == floating
            assert torch.get_default_dtype() is torch.float32
            assert torch.is_grad_enabled()
            assert torch.get_num_threads() == threads
            made = tmp_path / "made"
            made.touch()
            assert made.stat().st_mode & 0o777 == 0o644
            made.unlink()
    finally:
        surroundings.close()
        os.umask(mask)
