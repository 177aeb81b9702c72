"""The preprocessing of tables as part of an ONNX graph: the same features as `satisfice.data.table` makes.

Every source column is an input of shape (n, 1): a number as float64 with NaN where it is missing, a moment as
float64 seconds since 1970 in UTC, a category as text, empty where it is missing. Numbers are centred in float64
before they become float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satisfice.data.table import MISSING_CATEGORY, Column, TableEncoder
from satisfice.ship.onnx.graph import ML, Graph

Doubles = NDArray[np.float64]

_FARTHEST = 1e15  # spreads from the centre, as in `satisfice.data.scale`
_FAST = 1000  # powers of two up to which one product is enough, as there
_DAY_S = 86_400
_ERA_DAYS = 146_097  # 400 years of the Gregorian calendar
_ERA_START = 719_468  # days from 0000-03-01 to 1970-01-01


@dataclass(frozen=True)
class _Block:
    """Features that were made together: their name in the graph, and the place of each in the encoder's order."""

    value: str
    places: tuple[int, ...]


def add_table(graph: Graph, encoder: TableEncoder) -> str:
    """Declare the inputs and add the features; returns their name, float32 (n, d)."""
    from onnx import TensorProto

    declared: dict[str, str] = {}
    for column in encoder.columns:
        if column.name not in declared:
            dtype = TensorProto.DOUBLE if column.categories is None else TensorProto.STRING
            declared[column.name] = graph.input(column.name, dtype, ["n", 1])
    starts = np.cumsum([0, *(column.width for column in encoder.columns)])
    blocks: list[_Block] = []
    numeric = [(column, int(at)) for column, at in zip(encoder.columns, starts, strict=False) if column.categories is None]
    if numeric:
        blocks += _numbers(graph, encoder, [c for c, _ in numeric], [at for _, at in numeric])
    for column, at in zip(encoder.columns, starts, strict=False):
        if column.categories is not None:
            blocks.append(_Block(_one_hot(graph, column), tuple(range(at, at + column.width))))
    x = blocks[0].value if len(blocks) == 1 else graph.op("Concat", *(b.value for b in blocks), axis=1)
    places = [place for block in blocks for place in block.places]
    if places == sorted(places):
        return x
    return graph.op("Gather", x, graph.constant(np.argsort(places).astype(np.int64)), axis=1)


def _numbers(graph: Graph, encoder: TableEncoder, columns: Sequence[Column], places: Sequence[int]) -> list[_Block]:
    """All numeric features at once, and the flags that tell where numbers were missing."""
    from onnx import TensorProto

    x = _joined(graph, columns)
    missing = graph.op("Or", graph.op("IsNaN", x), graph.op("IsInf", x))
    x = graph.op("Where", missing, graph.constant(encoder.fill[None]), x)
    skewed = np.array([column.skewed for column in columns])
    if skewed.any():
        start, unit = np.zeros(len(columns)), np.ones(len(columns))
        start[skewed], unit[skewed] = encoder.start, encoder.unit
        logarithm = _signed_log(graph, _distance(graph, x, start, unit))
        x = logarithm if skewed.all() else graph.op("Where", graph.constant(skewed[None]), logarithm, x)
    x = _distance(graph, x, encoder.mean, encoder.scale)
    far = graph.constant(np.float64(_FARTHEST))
    x = graph.op("Max", graph.op("Min", x, far), graph.constant(np.float64(-_FARTHEST)))
    blocks = [_Block(graph.op("Cast", x, to=TensorProto.FLOAT), tuple(places))]
    flagged = [i for i, column in enumerate(columns) if column.missing]
    if flagged:
        flags = graph.op("Gather", missing, graph.constant(np.array(flagged, np.int64)), axis=1)
        flags = graph.op("Cast", flags, to=TensorProto.FLOAT)
        blocks.append(_Block(flags, tuple(places[i] + 1 for i in flagged)))
    return blocks


def _joined(graph: Graph, columns: Sequence[Column]) -> str:
    """The numbers of all columns, float64 (n, m)."""
    moments = {column.name: _Moment(graph, column.name) for column in columns if column.part}
    parts = [moments[c.name].part(c.part) if c.part else c.name for c in columns]
    return parts[0] if len(parts) == 1 else graph.op("Concat", *parts, axis=1)


def _distance(graph: Graph, x: str, centre: Doubles, spread: Doubles) -> str:
    """``(x - centre) / spread`` without overflow on the way; 0 where the spread is 0."""
    mantissa, exponent = np.frexp(np.where(spread == 0, 1.0, spread))
    first = np.clip(exponent, -_FAST, _FAST)
    factors = [np.where(spread == 0, 0.0, np.ldexp(1.0, -first))]
    if (first != exponent).any():
        factors.append(np.ldexp(1.0, first - exponent))
    near = centre
    for factor in factors:
        near = near * factor
        x = graph.op("Mul", x, graph.constant(factor[None]))
    return graph.op("Div", graph.op("Sub", x, graph.constant(near[None])), graph.constant(mantissa[None]))


def _signed_log(graph: Graph, u: str) -> str:
    grown = graph.op("Add", graph.op("Abs", u), graph.constant(np.float64(1)))
    return graph.op("Mul", graph.op("Sign", u), graph.op("Log", grown))


def _one_hot(graph: Graph, column: Column) -> str:
    """0/1 features of a category, float32 (n, width)."""
    categories = column.categories or ()
    k = len(categories)
    code = graph.op(
        "LabelEncoder",
        column.name,
        domain=ML,
        keys_strings=["" if value == MISSING_CATEGORY else value for value in categories],
        values_int64s=list(range(k)),
        default_int64=k,
    )
    flat = graph.op("Reshape", code, graph.constant(np.array([-1], np.int64)))
    # Without a feature for rare values the last code lies outside, and OneHot gives zeros.
    return graph.op(
        "OneHot",
        flat,
        graph.constant(np.array([column.width], np.int64)),
        graph.constant(np.array([0, 1], np.float32)),
        axis=-1,
    )


class _Moment:
    """Parts of a moment from its seconds since 1970: days and hours by division, months by Hinnant's algorithm.

    The algorithm is ``civil_from_days`` (https://howardhinnant.github.io/date_algorithms.html).
    """

    def __init__(self, graph: Graph, source: str) -> None:
        self._graph = graph
        self._source = source
        self._whole_day: str | None = None
        self._known: str | None = None

    def part(self, name: str) -> str:
        """Of "days", "month", "day_of_week" and "hour": float64 (n, 1), NaN where the moment is missing."""
        if name == "days":
            return self._op("Div", self._source, self._graph.constant(np.float64(_DAY_S)))
        number = {"month": self._month, "day_of_week": self._weekday, "hour": self._hour}[name]()
        from onnx import TensorProto

        # What is missing stays missing: NaN times anything is NaN.
        nothing = self._op("Mul", self._source, self._graph.constant(np.float64(0)))
        return self._op("Add", self._op("Cast", number, to=TensorProto.DOUBLE), nothing)

    def _op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        return self._graph.op(kind, *inputs, **attributes)

    def _int(self, number: int) -> str:
        return self._graph.constant(np.int64(number))

    def _div(self, value: str, by: int) -> str:
        """Of numbers that are not negative: ONNX divides whole numbers towards zero."""
        return self._op("Div", value, self._int(by))

    def _seconds(self) -> str:
        """Whole seconds, int64, 0 where the moment is missing; moved by eras so that none is negative."""
        from onnx import TensorProto

        if self._known is None:
            lost = self._op("IsNaN", self._source)
            seconds = self._op("Where", lost, self._graph.constant(np.float64(0)), self._source)
            whole = self._op("Cast", self._op("Floor", seconds), to=TensorProto.INT64)
            self._known = self._op("Add", whole, self._int(_ERA_DAYS * _DAY_S * 100))
        return self._known

    def _day(self) -> str:
        if self._whole_day is None:
            self._whole_day = self._div(self._seconds(), _DAY_S)
        return self._whole_day

    def _hour(self) -> str:
        rest = self._op("Sub", self._seconds(), self._op("Mul", self._day(), self._int(_DAY_S)))
        return self._div(rest, 3600)

    def _weekday(self) -> str:
        """0 is Monday; 1970 began on a Thursday, and 100 eras are whole weeks."""
        return self._op("Mod", self._op("Add", self._day(), self._int(3)), self._int(7))

    def _month(self) -> str:
        sub, div = lambda a, b: self._op("Sub", a, b), self._div
        z = self._op("Add", self._day(), self._int(_ERA_START))
        of_era = sub(z, self._op("Mul", div(z, _ERA_DAYS), self._int(_ERA_DAYS)))
        leap = self._op("Add", sub(of_era, div(of_era, 1460)), div(of_era, 36524))
        year = div(sub(leap, div(of_era, 146_096)), 365)
        before = self._op("Add", self._op("Mul", year, self._int(365)), sub(div(year, 4), div(year, 100)))
        of_year = sub(of_era, before)
        shifted = div(self._op("Add", self._op("Mul", of_year, self._int(5)), self._int(2)), 153)
        early = self._op("Less", shifted, self._int(10))
        return self._op(
            "Where", early, self._op("Add", shifted, self._int(3)), sub(shifted, self._int(9))
        )
