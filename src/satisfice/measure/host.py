"""The host that a measurement is valid for: a description, and its fingerprint."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

_LIBRARIES = ("numpy", "torch", "scikit-learn", "onnxruntime")
# Counts (OMP_NUM_THREADS and the like) are absent: a measurement sets them itself, and they are in its key.
_THREAD_VARIABLES = (
    "OMP_PROC_BIND",
    "OMP_PLACES",
    "OMP_WAIT_POLICY",
    "KMP_AFFINITY",
    "KMP_BLOCKTIME",
)


@dataclass(frozen=True, kw_only=True)
class Host:
    """One host as measurements see it. Equal fingerprints: measurements may be compared and reused."""

    fingerprint: str  # 12 hexadecimal digits of the description's SHA-256
    description: Mapping[str, Any]  # JSON-able: processor, cores, memory_gb, accelerator, libraries, threads

    def __str__(self) -> str:
        """One line for people."""
        d = self.description
        accelerator = f", {d['accelerator']}" if d["accelerator"] else ""
        return f"{self.fingerprint} ({d['processor']}, {d['cores']} cores, {d['memory_gb']} GB{accelerator})"


@functools.cache
def host() -> Host:
    """The host this process runs on; asked once per process. Imports no torch.

    Neither the machine's name nor its address is part of it: two equal machines are one class of host.
    """
    description = {
        "processor": _processor(),
        "architecture": platform.machine(),
        "system": platform.system(),
        "cores": cores_allowed(),
        "memory_gb": round(_memory_allowed() / 1e9),
        "accelerator": _accelerator(),
        "python": platform.python_version(),
        "libraries": {name: found for name in _LIBRARIES if (found := _version(name))},
        "threads": {name: os.environ[name] for name in _THREAD_VARIABLES if name in os.environ},
    }
    digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()
    return Host(fingerprint=digest[:12], description=description)


def cores_allowed() -> float:
    """Cores this process may use: its affinity, cut down by the control group's quota (maybe a fraction)."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = float(len(affinity(0)) if affinity else (os.cpu_count() or 1))
    quota = _cgroup_quota()
    return min(cores, quota) if quota else cores


def _cgroup_quota() -> float | None:
    """Cores granted by the control group (v2, then v1), or None where it sets no limit."""
    with contextlib.suppress(OSError, ValueError):
        limit, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return None if limit == "max" else int(limit) / int(period)
    with contextlib.suppress(OSError, ValueError):
        limit_us = int(Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us").read_text())
        period_us = int(Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us").read_text())
        return limit_us / period_us if limit_us > 0 else None
    return None


def _memory_allowed() -> int:
    """Bytes of memory: the machine's, cut down by the control group's limit."""
    total = int(psutil.virtual_memory().total)
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            return min(total, int(Path(path).read_text()))
    return total


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.lower().startswith(("model name", "cpu model")):
                return line.split(":", 1)[1].strip()
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        if sys.platform == "darwin":
            command = ["sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(
                command, capture_output=True, text=True, check=True, timeout=60
            ).stdout.strip()
    return platform.processor() or platform.machine()


def _accelerator() -> str | None:
    """Names of the NVIDIA accelerators (a driver file, so that torch need not be imported), or None."""
    names = []
    for path in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        with contextlib.suppress(OSError):
            lines = path.read_text().splitlines()
            names += [line.split(":", 1)[1].strip() for line in lines if line.startswith("Model:")]
    return ", ".join(names) or None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
