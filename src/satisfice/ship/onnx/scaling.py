"""Centring and scaling as operators: what `satisfice.data.features.scale` computes, in float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from satisfice.ship.onnx.graph import Graph

Doubles = NDArray[np.float64]

_FARTHEST = 1e15  # spreads from the centre, as in `satisfice.data.features.scale`
_MODERATE = 900  # powers of two up to which a plain difference neither overflows nor vanishes
_FAST = 1000  # powers of two up to which one product is enough


def add_distance(graph: Graph, x: str, centre: Doubles, spread: Doubles) -> str:
    """``(x - centre) / spread``, float64; 0 where the spread is 0.

    Args:
        graph: Where it is added.
        x: Name of the numbers, float64 (n, ...).
        centre: Of a shape that broadcasts against ``x``.
        spread: Of the shape of ``centre``.
    """
    constant = spread == 0
    filled = np.where(constant, 1.0, spread)
    mantissa, exponent = np.frexp(filled)
    moderate = (np.abs(exponent) < _MODERATE) & (np.abs(centre) < 2.0**_MODERATE)
    if moderate.all() and not constant.any():
        moved = graph.op("Sub", x, graph.constant(centre))
        return graph.op("Div", moved, graph.constant(spread))
    # By powers of two first, so that nothing overflows on the way.
    first = np.clip(exponent, -_FAST, _FAST)
    factors = [np.where(constant, 0.0, np.ldexp(1.0, -first))]
    if (first != exponent).any():
        factors.append(np.ldexp(1.0, first - exponent))
    near = centre
    for factor in factors:
        near = near * factor
        x = graph.op("Mul", x, graph.constant(factor))
    return graph.op("Div", graph.op("Sub", x, graph.constant(near)), graph.constant(mantissa))


def add_standardised(graph: Graph, x: str, centre: Doubles, spread: Doubles) -> str:
    """Float32 features: spreads from the centre, kept within what float32 arithmetic bears."""
    bounds = _bounds(graph)
    return _within(graph, add_distance(graph, x, centre, spread), bounds)


def add_as_it_stands(graph: Graph, x: str) -> str:
    """Float32 features: the numbers themselves, kept within what float32 arithmetic bears."""
    return _within(graph, x, _bounds(graph))


def _bounds(graph: Graph) -> tuple[str, str]:
    return graph.constant(np.float64(-_FARTHEST)), graph.constant(np.float64(_FARTHEST))


def _within(graph: Graph, x: str, bounds: tuple[str, str]) -> str:
    from onnx import TensorProto

    return graph.op("Cast", graph.op("Clip", x, *bounds), to=TensorProto.FLOAT)
