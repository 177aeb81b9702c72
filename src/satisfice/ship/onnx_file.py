"""The model as one ONNX file: preprocessing, the family's model, decision and class labels.

It is written from what a model file of satisfice holds: a header and the family's tensors. No training
library is loaded, and equal content gives equal bytes. The family writes its bare model (`CoreWriter`).

Inputs are ``images`` (uint8 or float64), or one (n, 1) tensor for each source column of a table: float64 for
numbers and for moments, which are seconds since 1970 in UTC (NaN where nothing is); text for categories and
texts (empty where nothing is). Outputs are ``label`` (n,) and ``probabilities`` float32 (n, k), or for
regression ``value`` float64 (n,).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from satisfice.data import ImageScaler, Preprocessor, TableEncoder
from satisfice.data.features.table import as_texts, read_number
from satisfice.data.reading.pandas_columns import texts_of
from satisfice.errors import InputError
from satisfice.ship.onnx.decision import Link, add_classes, add_value
from satisfice.ship.onnx.graph import Graph
from satisfice.ship.onnx.images import IMAGES, add_images
from satisfice.ship.onnx.tables import add_table, input_names
from satisfice.ship.safetensors_file import Header

FORMAT = "1"
_METADATA = {"satisfice": FORMAT}

Arrays = Mapping[str, NDArray[Any]]
Items = NDArray[np.float32]


@dataclass(frozen=True)
class Core:
    """The output of a bare model in a graph."""

    value: (
        str  # its name: float32 (n, k), (n, 1) of regression and, unless the link is softmax, of two classes
    )
    link: Link = "none"  # what makes it probabilities


def flat(graph: Graph, x: str, header: Header) -> str:
    """The prepared items as vectors, float32 (n, d), for models that know no images."""
    return x if len(header.preprocessor.shape) == 1 else graph.op("Flatten", x, axis=1)


@runtime_checkable
class CoreWriter(Protocol):
    """How the bare models of a family become part of a graph. The built-in trainers have it."""

    precisions: tuple[str, ...]  # in which its numbers can be stored; the first one is exact

    def add_core(
        self, graph: Graph, x: str, header: Header, arrays: Arrays, precision: str, items: Items | None
    ) -> Core:
        """Add the model.

        Args:
            graph: Where it is added.
            x: Name of the prepared items, float32 (n, ...).
            header: Of the model file.
            arrays: The family's tensors.
            precision: One of `precisions`.
            items: Prepared training items, for a precision that calibrates on them. A graph that is only
                measured needs none.

        Raises:
            InputError: The model cannot be stored so.
        """

    def blank_arrays(self, header: Header) -> Arrays | None:
        """Tensors of the right shapes without memory; None where shapes are known only after fitting."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is chosen when a file is written."""

    precision: str = "none"
    threshold: float | None = None  # of two classes: from which probability on the second is answered
    byte_images: bool = False  # whether images come as uint8


def content(
    header: Header,
    arrays: Arrays,
    family: CoreWriter,
    options: Options | None = None,
    items: Items | None = None,
) -> bytes:
    """The file.

    Args:
        header: Of the model file.
        arrays: The family's tensors.
        family: Writes the bare model.
        options: None for full precision, the most probable class, and images as float64.
        items: Prepared training items, on which ``int8_static`` calibrates.

    Raises:
        InputError: The options do not go with the model.
    """
    graph = _build(Graph(), header, arrays, family, options or Options(), items)
    return graph.serialized(_METADATA)


def write(
    header: Header,
    arrays: Arrays,
    family: CoreWriter,
    path: Path,
    options: Options | None = None,
    items: Items | None = None,
) -> int:
    """Write the file and return its length in bytes; arguments and errors as for `content`."""
    return path.write_bytes(content(header, arrays, family, options, items))


def length(header: Header, family: CoreWriter, options: Options | None = None) -> int | None:
    """Exact bytes of the file that `write` will write; None where the family knows them only after fitting.

    Raises:
        InputError: The options do not go with the model.
    """
    arrays = family.blank_arrays(header)
    if arrays is None:
        return None
    return length_with(header, arrays, family, options)


def length_with(header: Header, arrays: Arrays, family: CoreWriter, options: Options | None = None) -> int:
    """Exact bytes of the file for these tensors; arguments and errors as for `content`."""
    graph = _build(Graph(measure_only=True), header, arrays, family, options or Options(), None)
    return graph.length(_METADATA)


def feeds(
    header: Header, items: pd.DataFrame | NDArray[Any], *, byte_images: bool = False
) -> dict[str, NDArray[Any]]:
    """Raw items as the file's inputs, read by the rules that training recorded.

    Args:
        header: Of the model file.
        items: Rows of a table with the columns that the model needs, or images (n, channels, height, width).
        byte_images: Whether the file takes uint8.
    """
    return feeds_of(header.preprocessor, items, byte_images=byte_images)


def feeds_of(
    preprocessor: Preprocessor, items: pd.DataFrame | NDArray[Any], *, byte_images: bool = False
) -> dict[str, NDArray[Any]]:
    """The same by the preprocessing alone."""
    if isinstance(preprocessor, ImageScaler):
        assert isinstance(items, np.ndarray)
        images = preprocessor.sized(items)
        return {IMAGES: np.ascontiguousarray(images, np.uint8 if byte_images else np.float64)}
    assert isinstance(items, pd.DataFrame)
    return _columns(preprocessor, items)


def _columns(encoder: TableEncoder, frame: pd.DataFrame) -> dict[str, NDArray[Any]]:
    read, _ = encoder.read(frame)
    kinds = {column.name: column for column in encoder.columns}
    out: dict[str, NDArray[Any]] = {}
    for name, key in input_names(encoder.sources).items():
        column = kinds.get(name)
        if column is None:
            out[key] = np.array(texts_of(read[name]), dtype=object)[:, None]
        elif column.categories is not None:
            out[key] = as_texts(read[name], missing="").to_numpy(dtype=object)[:, None]
        elif column.part:
            out[key] = read_number(read[name], "seconds")[:, None]
        else:
            out[key] = read_number(read[name])[:, None]
    return out


def _build(
    graph: Graph, header: Header, arrays: Arrays, family: CoreWriter, options: Options, items: Items | None
) -> Graph:
    _refuse_unfit(header, family, options)
    preprocessor = header.preprocessor
    if isinstance(preprocessor, ImageScaler):
        x = add_images(graph, preprocessor, byte_images=options.byte_images)
    else:
        x = add_table(graph, preprocessor)
    core = family.add_core(graph, x, header, arrays, options.precision, items)
    if header.task == "classification":
        add_classes(graph, core.value, core.link, header.classes, options.threshold)
    else:
        add_value(graph, core.value, header.target)
    return graph


def _refuse_unfit(header: Header, family: CoreWriter, options: Options) -> None:
    if options.precision not in family.precisions:
        raise InputError(
            f"a model of the family {header.family} cannot be stored as {options.precision!r}",
            hint=f"choose one of {', '.join(family.precisions)}",
        )
    if options.threshold is not None and len(header.classes) != 2:
        told = f"one of {len(header.classes)} classes" if header.classes else "a number"
        raise InputError(
            f"a threshold decides between two classes; this model predicts {told}", hint="leave it out"
        )
    if options.threshold is not None and not 0 <= options.threshold <= 1:
        raise InputError(
            f"the threshold {options.threshold:g} is no probability", hint="give one from 0 to 1"
        )
