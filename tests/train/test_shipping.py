"""The length of a file that ships, and what it may hold."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from satisfice.data.features.table import TableEncoder, fit_table
from satisfice.ship.safetensors_file import Header, file_bytes, read, write

TYPES = ["int64", "float64", "float32", "int32", "int16", "uint8"]

tensors = st.dictionaries(
    st.text("abc.xyz_0123456789", min_size=1, max_size=12),
    st.tuples(st.sampled_from(TYPES), st.lists(st.integers(0, 12), min_size=1, max_size=3)),
    max_size=8,
)
# What a table's categories and classes may be written with.
words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)


def _header(classes: list[str], categories: list[str]) -> Header:
    import pandas as pd

    column = pd.Series(np.repeat(categories, 6), name='a "column"', dtype=object)
    frame = pd.DataFrame({"x": np.arange(len(column), dtype=float), column.name: column})
    return Header(
        family="mlp",
        task="classification",
        classes=tuple(classes),
        architecture={"width": 3, "name": "ä"},
        preprocessor=fit_table(frame),
    )


@settings(max_examples=60, deadline=None)
@given(
    shapes=tensors,
    classes=st.lists(words, min_size=2, max_size=4),
    categories=st.lists(words, min_size=2, max_size=4, unique=True),
)
def test_the_length_is_known_and_all_comes_back(
    shapes: Any, classes: list[str], categories: list[str], tmp_path_factory: Any
) -> None:
    header = _header(classes, categories)
    arrays = {n: np.ones(shape, dtype) for n, (dtype, shape) in shapes.items()}
    path = tmp_path_factory.mktemp("ship") / "model.safetensors"
    written = write(header, arrays, path)
    known = {n: (np.dtype(dtype), tuple(shape)) for n, (dtype, shape) in shapes.items()}
    assert file_bytes(header, known) == written == path.stat().st_size

    again, found = read(path)
    assert again.metadata() == header.metadata()
    assert again.classes == tuple(classes)
    assert isinstance(again.preprocessor, TableEncoder)
    assert found.keys() == arrays.keys()
    assert all(np.array_equal(found[n], arrays[n]) and found[n].dtype == arrays[n].dtype for n in arrays)
