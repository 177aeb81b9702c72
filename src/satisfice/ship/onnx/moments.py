"""Moments in time as operators: from seconds since 1970 in UTC to days, month, weekday and hour."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from satisfice.ship.onnx.graph import Graph

_DAY_S = 86_400
_ERA_DAYS = 146_097  # 400 years of the Gregorian calendar; they are whole weeks
_ERAS = 100  # added to every moment, so that no whole number is negative
_ERA_START = 719_468  # days from 0000-03-01 to 1970-01-01


class Moment:
    """The parts of one column of moments.

    The month comes from Hinnant's ``civil_from_days``
    (https://howardhinnant.github.io/date_algorithms.html), which needs whole numbers only.

    Args:
        graph: Where operators are added.
        seconds: Name of the column, float64 (n, 1), NaN where a moment is missing.
    """

    def __init__(self, graph: Graph, seconds: str) -> None:
        self._graph = graph
        self._seconds = seconds

    def part(self, name: str) -> str:
        """Of "days", "month", "day_of_week" and "hour": float64 (n, 1), NaN where the moment is missing."""
        from onnx import TensorProto

        if name == "days":
            return self._op("Div", self._seconds, self._graph.constant(np.float64(_DAY_S)))
        number = {"month": self._month, "day_of_week": self._weekday, "hour": self._hour}[name]()
        return self._op("Add", self._op("Cast", number, to=TensorProto.DOUBLE), self._nothing)

    @cached_property
    def _nothing(self) -> str:
        """0, or NaN where the moment is missing."""
        return self._op("Mul", self._seconds, self._graph.constant(np.float64(0)))

    @cached_property
    def _whole(self) -> str:
        """Whole seconds, int64, not negative; of no meaning where the moment is missing."""
        from onnx import TensorProto

        lost = self._op("IsNaN", self._nothing)
        known = self._op("Where", lost, self._graph.constant(np.float64(0)), self._seconds)
        whole = self._op("Cast", self._op("Floor", known), to=TensorProto.INT64)
        return self._op("Add", whole, self._int(_ERA_DAYS * _DAY_S * _ERAS))

    @cached_property
    def _day(self) -> str:
        return self._div(self._whole, _DAY_S)

    def _hour(self) -> str:
        rest = self._op("Sub", self._whole, self._op("Mul", self._day, self._int(_DAY_S)))
        return self._div(rest, 3600)

    def _weekday(self) -> str:
        """0 is Monday; 1970 began on a Thursday."""
        return self._op("Mod", self._op("Add", self._day, self._int(3)), self._int(7))

    def _month(self) -> str:
        z = self._op("Add", self._day, self._int(_ERA_START))
        of_era = self._op("Sub", z, self._op("Mul", self._div(z, _ERA_DAYS), self._int(_ERA_DAYS)))
        leap = self._op("Add", of_era, self._div(of_era, 36_524))
        leap = self._op("Sub", leap, self._div(of_era, 1460))
        year = self._div(self._op("Sub", leap, self._div(of_era, 146_096)), 365)
        before = self._op("Sub", self._div(year, 4), self._div(year, 100))
        before = self._op("Add", self._op("Mul", year, self._int(365)), before)
        of_year = self._op("Sub", of_era, before)
        shifted = self._div(self._op("Add", self._op("Mul", of_year, self._int(5)), self._int(2)), 153)
        early = self._op("Less", shifted, self._int(10))  # years of the algorithm begin in March
        spring = self._op("Add", shifted, self._int(3))
        return self._op("Where", early, spring, self._op("Sub", shifted, self._int(9)))

    def _op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        return self._graph.op(kind, *inputs, **attributes)

    def _int(self, number: int) -> str:
        return self._graph.constant(np.int64(number))

    def _div(self, value: str, by: int) -> str:
        """Of numbers that are not negative: ONNX divides whole numbers towards zero."""
        return self._op("Div", value, self._int(by))
