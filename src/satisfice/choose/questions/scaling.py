"""Losses scaled to 0..1 over a front, so that metrics of different units compare."""

from __future__ import annotations

from collections.abc import Sequence


def scaled(losses: Sequence[Sequence[float]]) -> list[list[float]]:
    """Each metric's finite losses between 0, at the best of the rows, and 1, at the worst; 0 where all agree.

    Args:
        losses: A row for each point, a column for each metric.
    """
    ends = [(min(column), max(column)) for column in zip(*losses, strict=True)]
    # Halves, so that the span of two huge values of opposite sign is finite.
    return [
        [(x / 2 - a / 2) / (b / 2 - a / 2) if b > a else 0.0 for x, (a, b) in zip(row, ends, strict=True)]
        for row in losses
    ]
