"""Honest measurement: size, latency and memory that hold on the day the model ships."""

from __future__ import annotations

from satisfice.measure.host import Host, host
from satisfice.measure.keys import architecture_key, module_key
from satisfice.measure.meter import Meter
from satisfice.measure.quiet import Quiet, QuietReport
from satisfice.measure.remembered import InMemoryMeasurements, MeasurementStore
from satisfice.measure.result import Measurement, Verdict, judge

__all__ = [
    "Host",
    "InMemoryMeasurements",
    "Measurement",
    "MeasurementStore",
    "Meter",
    "Quiet",
    "QuietReport",
    "Verdict",
    "architecture_key",
    "host",
    "judge",
    "module_key",
]
