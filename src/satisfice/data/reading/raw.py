"""Data as it was read, before any split: the shape that every data set and data file is brought into."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from satisfice.data.reading.cells import Rule
from satisfice.data.reading.columns import ColumnNote

Kind = Literal["table", "image"]
Task = Literal["classification", "regression"]


@dataclass(frozen=True, kw_only=True, eq=False)
class RawData:
    """Items and their targets, in the order of their source."""

    items: pd.DataFrame | NDArray[Any]  # table: n rows; images: (n, channels, height, width), any real dtype
    target: pd.Series[Any]  # length n, no missing value
    time: pd.Series[Any] | None = None  # length n; given where the split goes by time
    groups: pd.Series[Any] | None = None  # length n, no missing value; rows of one value stay together
    notes: tuple[ColumnNote, ...] = ()  # what reading the source found worth saying
    rules: Mapping[str, Rule] = field(default_factory=dict)  # by which the cells of a table were read
    target_rule: Rule = field(default_factory=Rule)  # by which the target's numbers were read

    @property
    def kind(self) -> Kind:
        """Whether the items are rows of a table or images."""
        return "table" if isinstance(self.items, pd.DataFrame) else "image"

    def __len__(self) -> int:
        return len(self.target)

    @property
    def texts(self) -> tuple[str, ...]:
        """Names of the columns of text."""
        return tuple(name for name, rule in self.rules.items() if rule.kind == "text")

    def take(self, rows: NDArray[np.int64]) -> RawData:
        """Only these rows, in this order."""
        items = self.items.iloc[rows] if isinstance(self.items, pd.DataFrame) else self.items[rows]
        time = None if self.time is None else self.time.iloc[rows]
        groups = None if self.groups is None else self.groups.iloc[rows]
        return replace(self, items=items, target=self.target.iloc[rows], time=time, groups=groups)


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A registered data set. What it holds is known without reading it."""

    name: str
    kind: Kind
    task: Task
    doc: str  # one line: what it is, how many rows
    source: str  # where its file comes from, and under which terms
    read: Callable[[], RawData]  # raises DataError naming how to get the file
    text: tuple[str, ...] = ()  # columns of text
    positive: Any = None  # positive class of a binary target; None: the rarer one
    by_time: bool = False  # whether it is split by time
