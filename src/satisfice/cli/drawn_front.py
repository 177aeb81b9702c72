"""A small Pareto front in characters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from satisfice.choose.bounds import number_text

_LOGARITHMIC = (
    30.0  # ratio of the greatest to the least value, all above 0, from which an axis is logarithmic
)
_LEAST_WIDTH, _GREATEST_WIDTH, _HEIGHT = 24, 72, 10  # characters of the area that is drawn on


@dataclass(frozen=True, kw_only=True)
class TextAxis:
    """One metric."""

    metric: str
    direction: str  # "maximize" or "minimize"
    low: float
    high: float
    log: bool

    @classmethod
    def of(cls, metric: str, direction: str, values: Sequence[float]) -> TextAxis:
        """The axis that holds all of the values, of which there is one at least, all finite."""
        low, high = min(values), max(values)
        return cls(
            metric=metric, direction=direction, low=low, high=high, log=low > 0 and high / low > _LOGARITHMIC
        )

    def cell(self, value: float, count: int) -> int:
        """Which of ``count`` cells, from the low end, a value is in."""
        low, high, x = (math.log(v) if self.log else v / 2 for v in (self.low, self.high, value))
        return round((x - low) / (high - low) * (count - 1)) if high > low else count // 2

    @property
    def title(self) -> str:
        """The metric, what is better, and the scale."""
        better = "higher" if self.direction == "maximize" else "lower"
        return f"{self.metric} ({better} is better{', logarithmic' if self.log else ''})"


@dataclass(frozen=True, kw_only=True)
class DrawnTrial:
    """One trial."""

    number: int
    x: float
    y: float


def drawn(points: Sequence[DrawnTrial], x: tuple[str, str], y: tuple[str, str], width: int) -> list[str]:
    """The lines of the picture: an ``o`` for each trial, with its number where there is room for it.

    Args:
        points: The front; one that is not finite is left out.
        x: Metric and direction of the horizontal axis.
        y: Those of the vertical axis.
        width: Characters that a line may have.

    Returns:
        Nothing where fewer than two points are left, or the lines would be too short.
    """
    seen = [p for p in points if math.isfinite(p.x) and math.isfinite(p.y)]
    if len(seen) < 2:
        return []
    across, up = TextAxis.of(*x, [p.x for p in seen]), TextAxis.of(*y, [p.y for p in seen])
    ends = [number_text(v) for v in (up.high, up.low)]
    margin = max(map(len, ends))
    columns = min(width - margin - 3, _GREATEST_WIDTH)
    if columns < _LEAST_WIDTH:
        return []
    grid = [[" "] * columns for _ in range(_HEIGHT)]
    places = [(p, _HEIGHT - 1 - up.cell(p.y, _HEIGHT), across.cell(p.x, columns)) for p in seen]
    for _, row, column in places:
        grid[row][column] = "o"
    for p, row, column in places:
        _label(grid[row], column, str(p.number))
    lines = [up.title]
    for i, cells in enumerate(grid):
        mark = ends[0] if i == 0 else ends[1] if i == _HEIGHT - 1 else ""
        lines.append(f"{mark:>{margin}} |{''.join(cells)}".rstrip())
    low, high = number_text(across.low), number_text(across.high)
    lines.append(f"{'':{margin}} +{'-' * columns}")
    lines.append(f"{'':{margin}}  {low}{high:>{columns - len(low)}}")
    lines.append(f"{'':{margin}}  {across.title:^{columns}}".rstrip())
    return lines


def _label(cells: list[str], column: int, text: str) -> None:
    """Write a number beside a point, right of it or left, where nothing stands."""
    for start in (column + 1, column - len(text)):
        free = start >= 0 and start + len(text) <= len(cells)
        around = cells[max(start - 1, 0) : start + len(text) + 1]
        if free and all(
            c == " " or (c == "o" and i == column) for i, c in enumerate(around, max(start - 1, 0))
        ):
            cells[start : start + len(text)] = text
            return
