"""Metrics in Prometheus' text format, of all worker processes together.

Each worker counts in a file of its own, mapped into memory; whoever is asked adds the files up. The counts of
a worker that has ended stay, so that no counter goes back.
"""

from __future__ import annotations

import bisect
import mmap
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

ENDPOINTS = ("predict", "infer", "other")
_CLASSES = ("2xx", "3xx", "4xx", "5xx")
_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_BYTES = 8  # of one count, float64


class Counters:
    """The counts of one worker.

    Args:
        folder: Which the workers share; None: this process is alone.
        models: Names; requests for none of them count under the empty name.
    """

    def __init__(self, folder: Path | None, models: Sequence[str]) -> None:
        self._series = [(model, endpoint) for model in ("", *models) for endpoint in ENDPOINTS]
        self._models = list(models)
        self._width = len(_CLASSES) + len(_BUCKETS_S) + 3  # the last bucket is endless; seconds; rows
        self._length = len(self._series) * self._width + 2 * len(models)
        self._at = {series: i * self._width for i, series in enumerate(self._series)}
        self._alone = None if folder else tempfile.TemporaryDirectory(prefix="satisfice-serve-")
        self._folder = Path(self._alone.name) if self._alone else Path(str(folder))
        path = self._folder / f"{os.getpid()}.counts"
        path.write_bytes(bytes(_BYTES * self._length))
        with path.open("r+b") as file:
            self._counts = memoryview(mmap.mmap(file.fileno(), 0)).cast("d")

    def request(self, model: str, endpoint: str, status: int, seconds: float, rows: int) -> None:
        """Count one answered request."""
        at = self._at.get((model, endpoint))
        if at is None:
            at = self._at["", endpoint]
        counts, first = self._counts, at + len(_CLASSES)
        counts[at + status // 100 - 2] += 1
        counts[first + bisect.bisect_left(_BUCKETS_S, seconds)] += 1
        counts[first + len(_BUCKETS_S) + 1] += seconds
        counts[first + len(_BUCKETS_S) + 2] += rows

    def reload(self, model: str, taken: bool) -> None:
        """Count a new version that was taken, or refused."""
        self._counts[len(self._series) * self._width + 2 * self._models.index(model) + (not taken)] += 1

    def text(self) -> str:
        """All counts of all workers."""
        total = [0.0] * self._length
        for path in sorted(self._folder.glob("*.counts")):
            content = path.read_bytes()
            if len(content) == _BYTES * self._length:
                total = [a + b for a, b in zip(total, memoryview(content).cast("d"), strict=True)]
        lines: list[str] = []
        self._requests(total, lines)
        self._latencies(total, lines)
        lines += _head("satisfice_rows_total", "counter", "Rows that were answered for.")
        for model, endpoint in self._series:
            rows = total[self._at[model, endpoint] + self._width - 1]
            lines.append(f"satisfice_rows_total{_labels(model, endpoint)} {rows:.0f}")
        lines += _head(
            "satisfice_reloads_total", "counter", "New versions of a folder, by whether they were taken."
        )
        for i, model in enumerate(self._models):
            for j, result in enumerate(("taken", "refused")):
                count = total[len(self._series) * self._width + 2 * i + j]
                lines.append(
                    f'satisfice_reloads_total{{model="{_escaped(model)}",result="{result}"}} {count:.0f}'
                )
        return "\n".join(lines) + "\n"

    def _requests(self, total: Sequence[float], lines: list[str]) -> None:
        lines += _head("satisfice_requests_total", "counter", "Answered requests, by class of status.")
        for model, endpoint in self._series:
            for i, name in enumerate(_CLASSES):
                count = total[self._at[model, endpoint] + i]
                lines.append(
                    f"satisfice_requests_total{_labels(model, endpoint, 'status', name)} {count:.0f}"
                )

    def _latencies(self, total: Sequence[float], lines: list[str]) -> None:
        name = "satisfice_request_duration_seconds"
        lines += _head(name, "histogram", "From a request's first byte to its answer.")
        for model, endpoint in self._series:
            first = self._at[model, endpoint] + len(_CLASSES)
            count = 0.0
            for i, bound in enumerate((*map(repr, _BUCKETS_S), "+Inf")):
                count += total[first + i]
                lines.append(f"{name}_bucket{_labels(model, endpoint, 'le', bound)} {count:.0f}")
            lines.append(f"{name}_sum{_labels(model, endpoint)} {total[first + len(_BUCKETS_S) + 1]:.6f}")
            lines.append(f"{name}_count{_labels(model, endpoint)} {count:.0f}")


def _head(name: str, kind: str, text: str) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]


def _labels(model: str, endpoint: str, further: str = "", value: str = "") -> str:
    more = f',{further}="{value}"' if further else ""
    return f'{{model="{_escaped(model)}",endpoint="{endpoint}"{more}}}'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
