"""The preprocessing of tables as operators: the same features as `satisfice.data.features.table` makes.

Every source column is an input of shape (n, 1): a number as float64 with NaN where it is missing, a moment as
float64 seconds since 1970 in UTC, a category or a text as text, empty where it is missing. Numbers are
centred in float64 before they become float32.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from satisfice.data.features.shape import NONE
from satisfice.data.features.table import MISSING_CATEGORY, Column, TableEncoder
from satisfice.ship.onnx.decision import OUTPUTS
from satisfice.ship.onnx.graph import ML, Graph
from satisfice.ship.onnx.moments import Moment
from satisfice.ship.onnx.scaling import add_as_it_stands, add_distance, add_standardised
from satisfice.ship.onnx.texts import add_texts


@dataclass(frozen=True)
class _Block:
    """Features that were made together: their name in the graph, and where the encoder places each."""

    value: str
    places: tuple[int, ...]


def input_names(columns: Iterable[str]) -> dict[str, str]:
    """The input of each source column, in their order.

    It is the column's own name. Where that is empty or the name of an output, underscores are added.
    """
    wanted = list(dict.fromkeys(columns))
    taken = {*OUTPUTS, "", *wanted}
    found: dict[str, str] = {}
    for column in wanted:
        name = column
        if name in OUTPUTS or not name:
            while name in taken:
                name += "_"
            taken.add(name)
        found[column] = name
    return found


def add_table(graph: Graph, encoder: TableEncoder) -> str:
    """Declare the inputs and add the features; returns their name, float32 (n, d)."""
    sources = _declare(graph, encoder)
    starts = np.cumsum([0, *(column.width for column in encoder.columns)]).tolist()
    placed = list(zip(encoder.columns, starts, strict=False))  # the last start is d
    numeric = [(column, at) for column, at in placed if column.categories is None]
    blocks = _numbers(graph, encoder, sources, numeric) if numeric else []
    for column, at in placed:
        if column.categories is not None:
            value = _one_hot(graph, sources[column.name], column)
            blocks.append(_Block(value, tuple(range(at, at + column.width))))
    if encoder.texts is not None and encoder.texts.width:
        value = add_texts(graph, encoder.texts, sources)
        blocks.append(_Block(value, tuple(range(starts[-1], encoder.n_features))))
    x = blocks[0].value if len(blocks) == 1 else graph.op("Concat", *(b.value for b in blocks), axis=1)
    places = [place for block in blocks for place in block.places]
    if places == sorted(places):
        return x
    return graph.op("Gather", x, graph.constant(np.argsort(places).astype(np.int64)), axis=1)


def _declare(graph: Graph, encoder: TableEncoder) -> dict[str, str]:
    """The input of each source column."""
    from onnx import TensorProto

    names = input_names(encoder.sources)
    types = {
        column.name: TensorProto.DOUBLE if column.categories is None else TensorProto.STRING
        for column in encoder.columns
    }
    types |= dict.fromkeys(encoder.texts.used if encoder.texts is not None else (), TensorProto.STRING)
    names = {column: name for column, name in names.items() if column in types}
    return {column: graph.input(name, types[column], ["n", 1]) for column, name in names.items()}


def _numbers(
    graph: Graph, encoder: TableEncoder, sources: Mapping[str, str], placed: Sequence[tuple[Column, int]]
) -> list[_Block]:
    """All numeric features at once, and the flags that tell where numbers were missing."""
    from onnx import TensorProto

    columns, places = [column for column, _ in placed], [at for _, at in placed]
    x = _joined(graph, columns, sources)
    missing = graph.op("IsNaN", graph.op("Mul", x, graph.constant(np.float64(0))))  # infinity is missing too
    x = _logarithms(graph, encoder, columns, x)
    if encoder.scaling == NONE and (encoder.scale == 1).all():
        x = add_as_it_stands(graph, x)
    else:
        x = add_standardised(graph, x, encoder.mean[None], encoder.scale[None])
    x = graph.op("Where", missing, graph.constant(encoder.missing[None].astype(np.float32)), x)
    blocks = [_Block(x, tuple(places))]
    flagged = [i for i, column in enumerate(columns) if column.missing]
    if flagged:
        flags = graph.op("Gather", missing, graph.constant(np.array(flagged, np.int64)), axis=1)
        flags = graph.op("Cast", flags, to=TensorProto.FLOAT)
        blocks.append(_Block(flags, tuple(places[i] + 1 for i in flagged)))
    return blocks


def _joined(graph: Graph, columns: Sequence[Column], sources: Mapping[str, str]) -> str:
    """The numbers of all columns, float64 (n, m)."""
    moments = {column.name: Moment(graph, sources[column.name]) for column in columns if column.part}
    parts = [moments[c.name].part(c.part) if c.part else sources[c.name] for c in columns]
    return parts[0] if len(parts) == 1 else graph.op("Concat", *parts, axis=1)


def _logarithms(graph: Graph, encoder: TableEncoder, columns: Sequence[Column], x: str) -> str:
    """The numbers, those of skewed columns replaced by their logarithm."""
    skewed = np.array([column.skewed for column in columns])
    first = np.array([column.log for column in columns])  # of files of format 1
    if skewed.any():
        start, unit = np.zeros(len(columns)), np.ones(len(columns))
        start[skewed], unit[skewed] = encoder.start, encoder.unit
        u = add_distance(graph, x, start[None], unit[None])
        grown = graph.op("Log", graph.op("Add", graph.op("Abs", u), graph.constant(np.float64(1))))
        x = _where(graph, skewed, graph.op("Mul", graph.op("Sign", u), grown), x)
    if first.any():
        above = graph.op("Max", x, graph.constant(np.float64(0)))
        x = _where(graph, first, graph.op("Log", graph.op("Add", above, graph.constant(np.float64(1)))), x)
    return x


def _where(graph: Graph, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]], then: str, other: str) -> str:
    return then if chosen.all() else graph.op("Where", graph.constant(chosen[None]), then, other)


def _one_hot(graph: Graph, source: str, column: Column) -> str:
    """0/1 features of a category, float32 (n, width)."""
    categories = column.categories or ()
    code = graph.op(
        "LabelEncoder",
        source,
        domain=ML,
        keys_strings=["" if value == MISSING_CATEGORY else value for value in categories],
        values_int64s=list(range(len(categories))),
        default_int64=len(categories),
    )
    flat = graph.op("Reshape", code, graph.constant(np.array([-1], np.int64)))
    # Without a feature for rare values the last code lies outside, and OneHot gives zeros.
    depth, values = np.array([column.width], np.int64), np.array([0, 1], np.float32)
    return graph.op("OneHot", flat, graph.constant(depth), graph.constant(values), axis=-1)
