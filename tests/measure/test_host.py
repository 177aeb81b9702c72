"""Hosts and architectures are told apart by what latency depends on, and by nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from satisfice.measure import architecture_key, host, module_key
from satisfice.measure.host import cores_allowed

SOURCE = Path(__file__).parents[2] / "src"


def seen_by_another_process(script: str, **environment: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(SOURCE), **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


FINGERPRINT = "from satisfice.measure import host; print(host().fingerprint)"


def test_every_process_sees_the_same_host() -> None:
    here = host()
    assert seen_by_another_process(FINGERPRINT) == here.fingerprint
    assert json.loads(json.dumps(dict(here.description))) == here.description
    assert here.fingerprint in str(here)
    assert {"processor", "cores", "memory_gb", "accelerator", "libraries", "threads"} <= set(here.description)


def test_counts_of_threads_do_not_change_the_host_but_their_binding_does() -> None:
    # The count is set while measuring, and is part of the architecture's key.
    one = seen_by_another_process(FINGERPRINT, OMP_NUM_THREADS="1")
    assert seen_by_another_process(FINGERPRINT, OMP_NUM_THREADS="2") == one
    assert seen_by_another_process(FINGERPRINT, OMP_PROC_BIND="spread") != one


def test_fewer_cores_are_another_host() -> None:
    if not hasattr(os, "sched_setaffinity") or cores_allowed() < 2:
        pytest.skip("needs two cores and affinity")
    pin = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
    assert seen_by_another_process(pin + FINGERPRINT) != host().fingerprint


def test_measuring_imports_no_torch() -> None:
    script = "import sys; from satisfice.measure import host; host(); print('torch' in sys.modules)"
    assert seen_by_another_process(script) == "False"


def key(architecture: dict[str, object], **other: object) -> str:
    options = {"family_or_task": "mlp", "threads": 1, "batch": 1, **other}
    return architecture_key(architecture, **options)  # type: ignore[arg-type]  # a test's shorthand


def test_architecture_keys() -> None:
    base = key({"a": 1, "b": "x"})
    assert key({"b": "x", "a": 1}) == base
    others = [
        key({"a": 1.0, "b": "x"}),
        key({"a": True, "b": "x"}),
        key({"a": 1, "b": "y"}),
        key({"a": 1}),
        key({"a": 1, "b": ["x"]}),
        key({"a": 1, "b": [["x"]]}),
        key({"a": 1, "b": {"x": 1}}),
        key({"a": 1, "b": "x"}, threads=2),
        key({"a": 1, "b": "x"}, batch=2),
        key({"a": 1, "b": "x"}, family_or_task="cnn"),
    ]
    assert len({base, *others}) == len(others) + 1


def test_module_keys() -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn

    def net(width: int = 8, kernel: int = 3, activation=nn.ReLU):
        return nn.Sequential(nn.Conv2d(1, width, kernel), activation(), nn.Flatten()).eval()

    base = module_key(net())
    assert module_key(net()) == base  # other weights
    with torch.device("meta"):
        assert module_key(net()) == base
    others = [
        module_key(net(width=9)),
        module_key(net(kernel=1)),
        module_key(net(activation=nn.GELU)),
        module_key(net().half()),
        module_key(net().train()),
        module_key(net(), threads=2),
        module_key(net(), batch=2),
    ]
    assert len({base, *others}) == len(others) + 1
