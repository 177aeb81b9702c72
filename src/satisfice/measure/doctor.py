"""What `satisfice doctor` says of the host: how well one can measure here, and what would make it better."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np

from satisfice.measure.host import cores_allowed, host
from satisfice.measure.latency.calibration import fastest
from satisfice.measure.latency.conditions import Pinning, Precedence, still
from satisfice.measure.latency.quiet import HAS_LOCKS, Quiet
from satisfice.measure.latency.reference import Reference, slowdown
from satisfice.measure.latency.sampling import Samples, collect

_SAMPLE_S = 2.0
_SLOW = 1.1  # a sample of the reference model this much slower than at its best lies in a slow phase
_CALM = 0.1  # share of samples in slow phases that is no reason to worry
_PRECISE = 0.1  # half-width of an interval, as a share of the value; 0.04 is the least there is
_COARSE_CLOCK_S = 1e-6
_EXTRAS = {
    "torch": ("torch", "neural networks"),
    "plotly": ("plots", "interactive plots"),
    "pyarrow": ("parquet", "Parquet files"),
    "psycopg": ("postgres", "PostgreSQL"),
    "pymysql": ("mysql", "MySQL and MariaDB"),
    "optuna_dashboard": ("dashboard", "the dashboard"),
    "ray": ("ray", "Ray clusters"),
    "submitit": ("slurm", "SLURM clusters"),
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing looked at."""

    name: str
    status: Literal["ok", "warn"]
    text: str  # what was found
    advice: str = ""  # what to change; empty where nothing need be


def doctor_host() -> list[Finding]:
    """Look at the host for about two seconds, in its quiet."""
    reference = Reference()
    with Quiet().measuring() as report, still(1):
        samples = _sample(reference)
    best = fastest(samples.references)
    slow = float(np.mean(slowdown(samples.references, best) > _SLOW))
    parts = ", ".join(f"{name} {s * 1e6:.1f} us" for name, s in zip(reference.names, best, strict=True))
    found = samples.estimate(best)
    half = (found.high - found.low) / 2 / found.value
    return [
        Finding(name="host", status="ok", text=str(host())),
        Finding(name="reference speed", status="ok", text=parts),
        _noise(slow, report.quiet),
        _judged(
            "interval to hope for",
            half <= _PRECISE,
            f"±{half:.1%} of a latency after {samples.seconds:.1f} s",
            "measure when less runs on this host, or give bounds a margin",
        ),
        _clock(),
        _pinning(),
        _precedence(),
        _judged("locks", HAS_LOCKS, "file locks between processes", "measure with one worker on this system"),
        *_frequency(),
        *_extras(),
    ]


def _sample(reference: Reference) -> Samples:
    square = np.ones((64, 64), dtype=np.float32)
    with closing(collect(lambda: square @ square, reference, alone=True)) as blocks:
        for samples in blocks:
            if samples.seconds >= _SAMPLE_S:
                break
    return samples


def _judged(name: str, good: bool, text: str, advice: str) -> Finding:
    return Finding(name=name, status="ok" if good else "warn", text=text, advice="" if good else advice)


def _noise(slow: float, quiet: bool) -> Finding:
    beside = "" if quiet else "; workers trained meanwhile"
    return _judged(
        "noise",
        slow <= _CALM,
        f"{slow:.0%} of the time more than {_SLOW - 1:.0%} slower than at its best{beside}",
        "stop other programs, or use a machine that is not shared; measurements correct for this, "
        "with wider intervals",
    )


def _clock() -> Finding:
    stamps = np.array([time.perf_counter_ns() for _ in range(2000)])
    steps = np.diff(stamps)
    resolution = max(float(np.min(steps[steps > 0])) * 1e-9, time.get_clock_info("perf_counter").resolution)
    return _judged(
        "timer",
        resolution <= _COARSE_CLOCK_S,
        f"resolves {resolution * 1e9:.0f} ns",
        "calls under 100 us cannot be timed well here",
    )


def _pinning() -> Finding:
    with Pinning() as pinning:
        works = pinning.works
    cores = f"{cores_allowed():g} cores allowed"
    return _judged(
        "pinning",
        works,
        f"a measurement stays on one core at a time; {cores}" if works else f"not possible; {cores}",
        "allow sched_setaffinity in the container, or measure on Linux",
    )


def _precedence() -> Finding:
    with Precedence() as precedence:
        works = precedence.works
    return _judged(
        "precedence",
        works,
        "a measurement goes before other processes" if works else "not possible: others interrupt",
        "grant CAP_SYS_NICE (docker run --cap-add SYS_NICE) or an RLIMIT_RTPRIO, or measure while less runs",
    )


def _frequency() -> Iterator[Finding]:
    governor = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    if governor.exists():
        mode = governor.read_text().strip()
        yield _judged(
            "processor frequency",
            mode == "performance",
            f"governor {mode}",
            "set the governor to performance (cpupower frequency-set -g performance)",
        )


def _extras() -> Iterator[Finding]:
    for module, (extra, purpose) in _EXTRAS.items():
        installed = find_spec(module) is not None
        text = f"{purpose}: {'installed' if installed else 'not installed'}"
        advice = "" if installed else f"pip install 'satisfice[{extra}]' if you want it"
        yield Finding(name=extra, status="ok", text=text, advice=advice)
