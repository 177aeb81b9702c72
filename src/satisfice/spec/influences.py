"""Influence values: by how much each scored row moves a metric, to first order (Hampel 1974).

The value of a metric on n rows is near ``truth + sum(influence values)``, whose spread over the rows is the
standard error, and whose difference between two models scored on the same rows has the standard error of
their difference (paired comparison). Rows are added up in at most `MOST_GROUPS` groups, row i in group
``i mod groups``, so that what is kept of a trial does not grow with its data: the standard error from g
groups of independent rows is right to about ``1 / sqrt(2 g)``, 4% at the limit.

Notation: g groups; ``values[metric]`` (g,), in the metric's unit, with ``sum(values**2)`` the variance.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_GROUPS = 256
_LARGEST = 127  # of a signed byte

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Influences:
    """What the rows that a trial was scored on did to its metrics."""

    rows: int  # that were scored
    values: Mapping[str, Floats]  # by metric, (g,): the sum over each group of rows, divided by `rows`

    @classmethod
    def of_rows(cls, by_row: Mapping[str, Floats]) -> Influences:
        """Add up rows.

        Args:
            by_row: By metric, (n,): n times the influence of each row on the metric. At least one metric.
        """
        rows = len(next(iter(by_row.values())))
        groups = min(rows, MOST_GROUPS)
        at = np.arange(rows) % groups
        values = {
            name: np.bincount(at, weights=each, minlength=groups) / rows for name, each in by_row.items()
        }
        return cls(rows=rows, values={name: v for name, v in values.items() if np.isfinite(v).all()})

    def encoded(self) -> str:
        """As it is stored: a signed byte for each metric and group, with the largest value of each metric."""
        largest = {name: float(np.abs(v).max(initial=0.0)) for name, v in self.values.items()}
        steps = [
            np.rint(v / (largest[name] or 1.0) * _LARGEST).astype(np.int8) for name, v in self.values.items()
        ]
        packed = zlib.compress(b"".join(each.tobytes() for each in steps), 9)
        return json.dumps(
            {"rows": self.rows, "largest": largest, "values": base64.b64encode(packed).decode("ascii")}
        )

    @classmethod
    def decoded(cls, text: str) -> Influences:
        """What `encoded` wrote, to within half a step of a byte."""
        content = json.loads(text)
        groups = min(content["rows"], MOST_GROUPS)
        steps = np.frombuffer(zlib.decompress(base64.b64decode(content["values"])), dtype=np.int8)
        each = steps.reshape(-1, groups).astype(np.float64)
        values = {
            name: row * (largest / _LARGEST)
            for row, (name, largest) in zip(each, content["largest"].items(), strict=True)
        }
        return cls(rows=content["rows"], values=values)


# Influence values of trials by number; a trial may have none.
ReadInfluences = Callable[[Iterable[int]], Mapping[int, Influences]]
