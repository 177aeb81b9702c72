"""Peak memory of prediction and of training, and what the doctor says."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from satisfice.errors import SatisficeError
from satisfice.measure import ProbeFailed, doctor_host, memory_mb, train_memory
from satisfice.measure import memory as memory_module

ENTRY = """
import time
import numpy as np
def load(megabytes, scratch):
    weights = np.ones(megabytes * 1_000_000, dtype="uint8")
    def call():
        return int(np.ones(scratch * 1_000_000, dtype="uint8")[0]) + int(weights[0])
    return call
def broken():
    raise ValueError("the file is gone")
def slow(seconds):
    time.sleep(seconds)
    return load(1, 1)
"""


@pytest.fixture
def entry(tmp_path):
    (tmp_path / "shipped_model.py").write_text(ENTRY)

    def measure(function: str, timeout_s: float = 120.0, **options: object):
        return memory_mb(f"shipped_model:{function}", options, path=(str(tmp_path),), timeout_s=timeout_s)

    return measure


def test_weights_and_scratch_are_both_seen(entry) -> None:
    found = entry("load", megabytes=60, scratch=40)
    assert found.metric == "memory_mb"
    assert found.value == pytest.approx(100, abs=5)
    assert found.low <= found.value <= found.high


def test_the_baseline_is_not_the_models(entry) -> None:
    assert entry("load", megabytes=1, scratch=1).value < 6


def test_a_model_that_does_not_load_is_told(entry) -> None:
    with pytest.raises(SatisficeError, match="ValueError: the file is gone"):
        entry("broken")


def test_a_model_that_hangs_is_told(entry) -> None:
    with pytest.raises(ProbeFailed, match=r"took longer than 0\.1 s"):
        entry("slow", timeout_s=0.1, seconds=600)


def test_a_process_that_waits_for_a_core_has_the_time_on_top(entry, monkeypatch) -> None:
    monkeypatch.setattr(memory_module, "waited_for_core", lambda _pid: 600.0)
    assert entry("slow", timeout_s=0.1, seconds=1).value < 6


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts it")
def test_time_without_a_core_is_counted() -> None:
    core = min(os.sched_getaffinity(0))
    spin = f"import os; os.sched_setaffinity(0, {{{core}}})\nwhile True: pass"
    rivals = [subprocess.Popen([sys.executable, "-c", spin]) for _ in range(2)]
    try:
        end = time.monotonic() + 120
        while not all(memory_module.waited_for_core(rival.pid) > 0.05 for rival in rivals):
            assert time.monotonic() < end
            time.sleep(0.05)
    finally:
        for rival in rivals:
            rival.kill()
            rival.wait()
    assert memory_module.waited_for_core(rivals[0].pid) == 0.0  # nobody is there


def test_a_torch_model_weighs_at_least_its_weights(tmp_path) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    layer = torch.nn.Linear(2000, 2000)
    save_file(layer.state_dict(), tmp_path / "m.safetensors")
    (tmp_path / "torch_model.py").write_text(
        "import torch\n"
        "from safetensors.torch import load_file\n"
        "def load(path):\n"
        "    layer = torch.nn.Linear(2000, 2000, device='meta')\n"
        "    layer.load_state_dict(load_file(path), assign=True)\n"
        "    x = torch.zeros(1, 2000)\n"
        "    return lambda: layer(x)\n"
    )
    found = memory_mb("torch_model:load", {"path": str(tmp_path / "m.safetensors")}, path=(str(tmp_path),))
    assert 16 <= found.value < 60


@pytest.mark.parametrize("kernel", [True, False])
def test_training_memory_is_the_peak_not_the_end(kernel, monkeypatch) -> None:
    if not kernel:  # a system that does not let the peak be reset
        monkeypatch.setattr(memory_module, "_reset_peak", lambda: False)
    with train_memory() as use:
        block = np.ones(80_000_000, dtype="uint8")
        for _ in range(20):
            block.sum()  # some time for the thread that looks
        del block
    assert use.megabytes == pytest.approx(80, abs=15)
    with train_memory() as use:
        pass
    assert use.megabytes < 40


def test_the_doctor_looks_at_everything() -> None:
    findings = {finding.name: finding for finding in doctor_host()}
    assert {"host", "reference speed", "noise", "interval to hope for", "timer", "pinning", "locks"} <= set(
        findings
    )
    assert findings["torch"].text.startswith("neural networks: ")
    for finding in findings.values():
        assert finding.text
        assert finding.status == "ok" or finding.advice
