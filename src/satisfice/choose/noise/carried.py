"""What the page carries of noise: standard errors by trial, and what the scored rows did to each metric.

Values of rows travel as signed bytes, as they are stored: the page compares two trials on the same rows as
`satisfice.choose.noise` does. Where the rows are too many for one page, some metrics are left out whole; the
page then says so and tells no ties on them.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from satisfice.choose.noise.difference import recorded_error
from satisfice.choose.noise.rules import usual_costs
from satisfice.spec.influences import Influences, ReadInfluences
from satisfice.spec.trial import TrialRecord, TrialState

_MOST_BYTES = 2_200_000  # of all rows, packed
_LARGEST = 127  # of a signed byte
_DIGITS = 10  # of a standard error


def errors_of(records: Sequence[TrialRecord], metric: str) -> float | list[float | None] | None:
    """Standard errors of a metric by place; one number or None where all trials have the same."""
    found = [recorded_error(r, metric) if r.state == TrialState.COMPLETE else None for r in records]
    known = {e for r, e in zip(records, found, strict=True) if r.state == TrialState.COMPLETE}
    if len(known) < 2:
        return next(iter(known), None)
    return [None if e is None else float(f"{e:.{_DIGITS}g}") for e in found]


def carried_noise(
    records: Sequence[TrialRecord], names: Sequence[str], influences: ReadInfluences | None
) -> dict[str, Any]:
    """The values of rows of complete trials, and what "cheapest" goes by after what a question names.

    Args:
        records: All trials, by place.
        names: The metrics that the page knows, in its order.
        influences: Reads the influence values of trials by number; None: there are none.

    Returns:
        ``rows`` (by place: how many were scored), ``carried`` (by metric: ``places``, ``groups`` and
        ``units`` of each trial), ``packed`` (the bytes, compressed), ``left_out`` (metrics whose rows
        found no room), and ``costs``.
    """
    complete = [(i, r) for i, r in enumerate(records) if r.state == TrialState.COMPLETE]
    stored = {} if influences is None else influences([r.number for _, r in complete])
    have = [(i, stored[r.number]) for i, r in complete if r.number in stored]
    metrics = [n for n in names if any(n in found.values for _, found in have)]
    blocks: list[bytes] = []
    carried, left_out, size = [], [], 0
    for metric in metrics:
        block, told = _block(metric, have)
        own = len(zlib.compress(block, 9))
        if size + own > _MOST_BYTES:
            left_out.append(metric)
            continue
        size += own
        blocks.append(block)
        carried.append(told)
    return {
        "rows": {str(i): found.rows for i, found in have} if carried else {},
        "carried": carried,
        "packed": base64.b64encode(zlib.compress(b"".join(blocks), 9)).decode("ascii") if blocks else "",
        "left_out": left_out,
        "costs": [{"metric": o.metric, "direction": o.direction} for o in usual_costs(names)],
    }


def _block(metric: str, have: Sequence[tuple[int, Influences]]) -> tuple[bytes, dict[str, Any]]:
    """One metric of all trials that have it: its bytes, and how they are read."""
    own = [(i, found.values[metric]) for i, found in have if metric in found.values]
    units = [float(np.abs(v).max(initial=0.0)) / _LARGEST for _, v in own]
    steps = [np.rint(v / (u or 1.0)).astype(np.int8) for (_, v), u in zip(own, units, strict=True)]
    told = {
        "metric": metric,
        "places": [i for i, _ in own],
        "groups": [len(v) for _, v in own],
        "units": [float(f"{u:.{_DIGITS}g}") for u in units],
    }
    return b"".join(each.tobytes() for each in steps), told
