"""Trials as a data frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from satisfice.spec.space import SearchSpace
from satisfice.spec.trial import TrialRecord

if TYPE_CHECKING:
    import pandas as pd

_FIRST, _LAST = ("number", "state", "feasible"), ("reason",)


def trials_frame(records: Sequence[TrialRecord], space: SearchSpace) -> pd.DataFrame:
    """One row a trial; parameters and metrics are named as in the study file.

    Where a name is taken, a parameter is called ``params_NAME`` and a metric ``metrics_NAME``: ``number``,
    ``state``, ``feasible`` and ``reason`` are the trial's own, and a parameter goes before a metric.
    """
    import pandas as pd

    own = {*_FIRST, *_LAST}
    rows = [
        {
            "number": r.number,
            "state": r.state.name,
            "feasible": r.feasible,
            **{f"params_{name}" if name in own else name: value for name, value in r.params.items()},
            **{
                f"metrics_{name}" if name in own or name in space.by_name else name: value
                for name, value in r.metrics.items()
            },
            "reason": r.reason,
        }
        for r in records
    ]
    return pd.DataFrame(rows, columns=None if rows else [*_FIRST, *_LAST])
