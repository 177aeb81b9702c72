"""Energy, as processor and accelerator count it where we may read that; else processor time times watts.

RAPL (Intel, and AMD since Zen) counts what a processor's packages take, idle cores and other programs
included; of that a process is given its share of the host's busy time. Since 2020 (CVE-2020-8694) Linux lets
only root read it unless told otherwise. NVIDIA's counter (NVML, Volta and later) is read with `pynvml`.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psutil

POWERCAP = Path("/sys/class/powercap")


class EnergyCounter(Protocol):
    """A counter that runs on."""

    def joules(self) -> float:
        """Since some moment; NaN where it cannot be read any more."""


class Rapl:
    """All packages of the processor.

    Args:
        zones: Folders ``intel-rapl:N``; each holds ``energy_uj`` and ``max_energy_range_uj``.
    """

    def __init__(self, zones: Sequence[Path]) -> None:
        self._zones = zones
        self._last = [_microjoules(zone / "energy_uj") for zone in zones]
        self._ranges = [_microjoules(zone / "max_energy_range_uj") for zone in zones]
        self._total = 0.0

    def joules(self) -> float:
        """Since it was made; a counter that wrapped around once in between is read right."""
        try:
            now = [_microjoules(zone / "energy_uj") for zone in self._zones]
        except (OSError, ValueError):
            return math.nan
        for before, after, span in zip(self._last, now, self._ranges, strict=True):
            self._total += after - before if after >= before else after - before + span
        self._last = now
        return self._total / 1e6


def processor_counter(root: Path = POWERCAP) -> Rapl | None:
    """The processor's counter; None where there is none or it may not be read."""
    try:
        zones = sorted(zone for zone in root.iterdir() if zone.name.startswith("intel-rapl:"))
        packages = [zone for zone in zones if zone.name.count(":") == 1]
        return Rapl(packages) if packages else None
    except (OSError, ValueError):
        return None


class _Nvml:
    """One NVIDIA accelerator."""

    def __init__(self, nvml: Any, handle: Any) -> None:
        self._nvml, self._handle = nvml, handle

    def joules(self) -> float:
        """Since its driver was loaded."""
        try:
            return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)) / 1e3
        except self._nvml.NVMLError:
            return math.nan


def accelerator_counter() -> EnergyCounter | None:
    """The counter of the accelerator that torch uses in this process; None where it uses or counts none."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    try:
        pynvml: Any = importlib.import_module("pynvml")
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        name = f"GPU-{torch.cuda.get_device_properties(torch.cuda.current_device()).uuid}"
        counter = _Nvml(pynvml, pynvml.nvmlDeviceGetHandleByUUID(name))
    except (pynvml.NVMLError, AttributeError):
        return None
    return None if math.isnan(counter.joules()) else counter


@dataclass(kw_only=True)
class EnergyUse:
    """What a block took; NaN until it has ended."""

    joules: float = math.nan
    estimated: bool = True  # processor time times watts; False: counted


@contextlib.contextmanager
def energy_use(watts: float, root: Path = POWERCAP) -> Iterator[EnergyUse]:
    """The energy that this process takes inside the block.

    Args:
        watts: Of one busy core, where no counter can be read.
        root: Where Linux shows the processor's counters.
    """
    use, processor, accelerator = EnergyUse(), processor_counter(root), accelerator_counter()
    before = 0.0 if accelerator is None else accelerator.joules()
    busy, mine = _busy_seconds(), time.process_time()
    yield use
    spent = time.process_time() - mine
    counted = math.nan if processor is None else processor.joules()
    if math.isnan(counted):
        use.joules = spent * watts
    else:
        use.joules = counted * _share(spent, _busy_seconds() - busy)
        use.estimated = False
    if accelerator is None:
        use.estimated = use.estimated or _uses_accelerator()
    elif not math.isnan(after := accelerator.joules()):
        use.joules += after - before


def _share(spent: float, busy: float) -> float:
    return min(spent / busy, 1.0) if busy > 0 else 1.0


def _busy_seconds() -> float:
    """Of all cores of the host together."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


def _uses_accelerator() -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and bool(torch.cuda.is_initialized())


def _microjoules(path: Path) -> int:
    return int(path.read_text())
