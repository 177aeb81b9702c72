"""Measurement of models: size, latency, memory and energy. Does not import torch."""

from __future__ import annotations

from satisfice.measure.doctor import Finding, doctor_host
from satisfice.measure.energy import EnergyUse, energy_use
from satisfice.measure.host import Host, host
from satisfice.measure.keys import architecture_key, module_key, plain_numbers
from satisfice.measure.latency.quiet import Quiet, QuietReport
from satisfice.measure.memory import MemoryUse, ProbeFailed, memory_mb, train_memory
from satisfice.measure.meter import Meter
from satisfice.measure.remembered import InMemoryMeasurements, MeasurementStore
from satisfice.measure.result import Measurement, Verdict, meets_bound
from satisfice.measure.size import flops_of, n_parameters, size_of_state

__all__ = [
    "EnergyUse",
    "Finding",
    "Host",
    "InMemoryMeasurements",
    "Measurement",
    "MeasurementStore",
    "MemoryUse",
    "Meter",
    "ProbeFailed",
    "Quiet",
    "QuietReport",
    "Verdict",
    "architecture_key",
    "doctor_host",
    "energy_use",
    "flops_of",
    "host",
    "meets_bound",
    "memory_mb",
    "module_key",
    "n_parameters",
    "plain_numbers",
    "size_of_state",
    "train_memory",
]
