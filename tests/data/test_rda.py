"""R's data files, from bytes built by hand after R Internals, section 1.8."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from satisfice.data.sets.rda import read_rda
from satisfice.errors import DataError

NIL = struct.pack(">i", 254)


def _chars(text: str) -> bytes:
    return struct.pack(">ii", 9 | 1 << 18, len(text)) + text.encode()


def _symbol(name: str) -> bytes:
    return struct.pack(">i", 1) + _chars(name)


def _strings(*texts: str) -> bytes:
    return struct.pack(">ii", 16, len(texts)) + b"".join(map(_chars, texts))


def _pair(name: bytes, value: bytes, rest: bytes) -> bytes:
    return struct.pack(">i", 2 | 0x400) + name + value + rest


def _frame(version: int) -> bytes:
    """A data frame `d` with a numeric column `x` and a factor `f` (a, b, a, missing)."""
    real = struct.pack(">ii4d", 14, 4, 1.5, -2.0, 3.0, 4.0)
    codes = struct.pack(">ii4i", 13 | 0x200, 4, 1, 2, 1, -(2**31))
    factor = codes + _pair(_symbol("levels"), _strings("a", "b"), NIL)
    names = _pair(_symbol("names"), _strings("x", "f"), NIL)
    frame = struct.pack(">ii", 19 | 0x200, 2) + real + factor + names
    head = b"RDX%d\nX\n" % version + struct.pack(">3i", version, 0x040201, 0x020300)
    head += struct.pack(">i", 5) + b"UTF-8" if version == 3 else b""
    return head + _pair(_symbol("d"), frame, NIL)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_reads_numbers_and_factors(version: int, pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / "d.rda"
    path.write_bytes(pack(_frame(version)))
    table = read_rda(path)["d"]
    assert np.array_equal(table["x"], [1.5, -2.0, 3.0, 4.0])
    assert table["f"] == ["a", "b", "a", None]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"nothing of R", "is no .rda file"),
        (_frame(2)[:-60], "holds more than plain data frames"),
        (
            _frame(2)[:19] + _pair(_symbol("f"), struct.pack(">ii", 3, 0), NIL),
            "holds more than plain data frames",
        ),
    ],
    ids=["another format", "cut short", "a function"],
)
def test_all_else_is_refused(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "d.rda"
    path.write_bytes(content)
    with pytest.raises(DataError, match=says):
        read_rda(path)
