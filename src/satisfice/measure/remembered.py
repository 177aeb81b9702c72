"""Stores of measurements: the protocol, and an implementation in memory."""

from __future__ import annotations

from typing import Protocol

from satisfice.measure.host import Host
from satisfice.measure.result import Measurement


class MeasurementStore(Protocol):
    """Stores measurements by architecture, host and metric. The last one put replaces earlier ones."""

    def get(self, key: str, host: str, metric: str) -> Measurement | None:
        """The measurement last put, or None."""

    def put(self, key: str, measurement: Measurement) -> None:
        """Remember the measurement under ``key``, its own host and metric, in place of an older one."""

    def put_host(self, host: Host) -> None:
        """Store the description of a host by its fingerprint. The same host may be put again."""


class InMemoryMeasurements:
    """A `MeasurementStore` for one process."""

    def __init__(self) -> None:
        self.hosts: dict[str, Host] = {}
        self._found: dict[tuple[str, str, str], Measurement] = {}

    def __len__(self) -> int:
        return len(self._found)

    def get(self, key: str, host: str, metric: str) -> Measurement | None:
        """The measurement last put, or None."""
        return self._found.get((key, host, metric))

    def put(self, key: str, measurement: Measurement) -> None:
        """Remember the measurement."""
        self._found[key, measurement.host, measurement.metric] = measurement

    def put_host(self, host: Host) -> None:
        """Store the description of a host."""
        self.hosts[host.fingerprint] = host
