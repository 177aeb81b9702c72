"""Data frames in R's ``.rda`` files, as far as plain data go: numbers, text, factors. Nothing is evaluated.

Format: R Internals, section 1.8 (serialization, XDR), versions 2 and 3.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
from pathlib import Path
from typing import Any

import numpy as np

from satisfice.errors import DataError

_MAGIC = {b"BZh": bz2.decompress, b"\x1f\x8b": gzip.decompress, b"\xfd7z": lzma.decompress}

# Types of R objects, by their numbers in the file.
_SYMBOL, _PAIRS, _CHARS, _LOGICAL, _INTEGER, _REAL, _STRINGS, _LIST = 1, 2, 9, 10, 13, 14, 16, 19
_NIL, _REFERENCE = 254, 255
_NA_INTEGER = -(2**31)


def read_rda(path: Path) -> dict[str, dict[str, Any]]:
    """The data frames in a file: by name, their columns by name (arrays of numbers, lists of text).

    Raises:
        DataError: It is no such file, or holds more than plain data.
    """
    content = path.read_bytes()
    for magic, unpack in _MAGIC.items():
        if content.startswith(magic):
            content = unpack(content)
            break
    if content[:7] not in (b"RDX2\nX\n", b"RDX3\nX\n"):
        raise DataError(f"{path} is no .rda file in XDR format")
    try:
        pairs = _Reader(content, version=content[3] - ord("0")).read()[0]
        return {name: _columns(value, attributes) for name, (value, attributes) in pairs}
    except (struct.error, ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path} holds more than plain data frames") from error


def _columns(values: Any, attributes: dict[str, Any]) -> dict[str, Any]:
    names = attributes["names"][0]
    return {name: _column(*value) for name, value in zip(names, values, strict=True)}


def _column(values: Any, attributes: dict[str, Any]) -> Any:
    if "levels" not in attributes:
        return values
    levels = attributes["levels"][0]
    return [None if code == _NA_INTEGER else levels[code - 1] for code in values]


class _Reader:
    """Reads one object after the other: a pair of value and attributes (by name, again such pairs)."""

    def __init__(self, content: bytes, version: int) -> None:
        self.content = content
        self.at = 7 + 12  # magic, format version, writer's version, least reader's version
        self.symbols: list[str] = []
        if version == 3:
            self.at += 4 + self._integer_at(self.at)  # the native encoding's name

    def read(self) -> tuple[Any, dict[str, Any]]:
        """The next object."""
        flags = self._integer()
        kind, has_attributes, has_tag = flags & 0xFF, bool(flags & 0x200), bool(flags & 0x400)
        if kind == _NIL:
            return None, {}
        if kind == _SYMBOL:
            self.symbols.append(self.read()[0])
            return self.symbols[-1], {}
        if kind == _REFERENCE:
            return self.symbols[(flags >> 8) - 1], {}
        if kind == _PAIRS:
            return self._pairs(has_attributes, has_tag), {}
        if kind == _CHARS:
            length = self._integer()
            return (None if length < 0 else self._bytes(length).decode("latin-1")), {}
        value = self._vector(kind)
        return value, dict(self.read()[0]) if has_attributes else {}

    def _pairs(self, has_attributes: bool, has_tag: bool) -> list[tuple[str, Any]]:
        """A linked list: attributes, name, value, rest."""
        if has_attributes:
            self.read()
        name = self.read()[0] if has_tag else ""
        value = self.read()
        rest = self.read()[0]
        return [(name, value), *(rest or [])]

    def _vector(self, kind: int) -> Any:
        length = self._integer()
        if kind == _REAL:
            return np.frombuffer(self._bytes(8 * length), ">f8").astype(np.float64)
        if kind in (_INTEGER, _LOGICAL):
            return np.frombuffer(self._bytes(4 * length), ">i4").astype(np.int64)
        if kind == _STRINGS:
            return [self.read()[0] for _ in range(length)]
        if kind == _LIST:
            return [self.read() for _ in range(length)]
        raise ValueError(f"type {kind}")

    def _integer(self) -> int:
        self.at += 4
        return self._integer_at(self.at - 4)

    def _integer_at(self, at: int) -> int:
        return int(struct.unpack_from(">i", self.content, at)[0])

    def _bytes(self, length: int) -> bytes:
        self.at += length
        return self.content[self.at - length : self.at]
