"""Reading ``model.json``: every key is checked, and a wrong one is one sentence.

The file holds JSON alone and never code. This module ships with models: it imports the standard library and
the reader of cells only.
"""

from __future__ import annotations

import json
import math
from typing import Any

from satisfice.data.reading.cells import Rule
from satisfice.errors import InputError
from satisfice.ship.folder.description import FORMAT, Description, ImageInput, InputColumn, Promise, Score

_DTYPES = ("uint8", "float64")
_KINDS = ("number", "moment", "category", "text")


def from_text(text: str, place: str) -> Description:
    """The record in the text of ``model.json``.

    Args:
        text: The file's content.
        place: How errors name the file.

    Raises:
        InputError: It is no JSON, is of another format, or a key is missing or of another type.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{place} is not JSON", hint="copy the folder again") from error
    if not isinstance(content, dict) or "format" not in content:
        raise InputError(f"{place} is not the description of a shipped model", hint="it has no format")
    if content["format"] != FORMAT:
        raise InputError(
            f"{place} has format {content['format']!r}; this release reads format {FORMAT}",
            hint="use the release of satisfice that wrote it",
        )
    return _description(_Table(content, place))


class _Table:
    """A JSON object whose values are taken by type."""

    def __init__(self, content: Any, place: str, path: str = "") -> None:
        if not isinstance(content, dict):
            raise _wrong(place, path, "an object")
        self._content: dict[str, Any] = content
        self._place = place
        self._path = path

    def where(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key

    def wrong(self, key: str, what: str) -> InputError:
        return _wrong(self._place, self.where(key), what)

    def _value(self, key: str, what: str) -> Any:
        if key not in self._content:
            raise InputError(f"{self._place} lacks {self.where(key)}", hint=f"it must be {what}")
        return self._content[key]

    def text(self, key: str, default: str | None = None) -> str:
        value = self._value(key, "text") if default is None else self._content.get(key, default)
        if not isinstance(value, str):
            raise self.wrong(key, "text")
        return value

    def whole(self, key: str, default: int | None = None) -> int:
        value = self._value(key, "a whole number") if default is None else self._content.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.wrong(key, "a whole number")
        return value

    def number(self, key: str) -> float:
        value = self._value(key, "a number")
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.wrong(key, "a finite number")
        return float(value)

    def maybe(self, key: str) -> float | None:
        return None if self._content.get(key) is None else self.number(key)

    def items(self, key: str) -> list[Any]:
        value = self._value(key, "a list")
        if not isinstance(value, list):
            raise self.wrong(key, "a list")
        return value

    def table(self, key: str) -> _Table:
        return _Table(self._content.get(key, {}), self._place, self.where(key))

    def tables(self, key: str) -> list[_Table]:
        return [
            _Table(item, self._place, f"{self.where(key)}[{i}]") for i, item in enumerate(self.items(key))
        ]

    def numbers(self, key: str) -> dict[str, float]:
        held = self.table(key)
        return {name: held.number(name) for name in held.raw()}

    def texts(self, key: str) -> dict[str, str]:
        held = self.table(key)
        return {name: held.text(name) for name in held.raw()}

    def raw(self) -> dict[str, Any]:
        return self._content


def _wrong(place: str, path: str, what: str) -> InputError:
    return InputError(f"{place}: {path} is not {what}", hint="copy the folder again, or ship the model again")


def _description(table: _Table) -> Description:
    task = table.text("task")
    if task not in ("classification", "regression"):
        raise table.wrong("task", "'classification' or 'regression'")
    classes = table.items("classes")
    alike = len({type(label) for label in classes}) <= 1 and len(set(map(repr, classes))) == len(classes)
    if not alike or not all(isinstance(label, str | int | float) for label in classes):
        raise table.wrong("classes", "a list of different labels of one type")
    if (task == "classification") != (len(classes) >= 2):
        raise table.wrong("classes", "two or more labels of a classifier, or none of a regression")
    return Description(
        name=table.text("name"),
        study=table.text("study"),
        trial=table.whole("trial"),
        task=task,
        target=table.text("target"),
        target_rule=_rule(table.table("target_rule"), "number"),
        input=_input(table.table("input")),
        classes=tuple(classes),
        threshold=table.maybe("threshold"),
        outputs=table.texts("outputs"),
        promises=tuple(map(_promise, table.tables("promises"))),
        scores=tuple(map(_score, table.tables("scores"))),
        checksums=table.texts("checksums"),
    )


def _input(table: _Table) -> tuple[InputColumn, ...] | ImageInput:
    kind = table.text("kind")
    if kind == "table":
        columns = tuple(map(_column, table.tables("columns")))
        if len({column.name for column in columns}) < len(columns):
            raise table.wrong("columns", "a list of columns with different names")
        return columns
    if kind != "image":
        raise table.wrong("kind", "'table' or 'image'")
    shape = table.items("shape")
    if len(shape) != 3 or not all(type(length) is int and length > 0 for length in shape):
        raise table.wrong("shape", "three lengths: channels, height, width")
    if table.text("dtype") not in _DTYPES:
        raise table.wrong("dtype", "'uint8' or 'float64'")
    kept = table.items("kept") if "kept" in table.raw() else None
    if kept is not None and (len(kept) != 2 or not all(type(n) is int and n > 0 for n in kept)):
        raise table.wrong("kept", "two lengths: height and width")
    return ImageInput(
        shape=(shape[0], shape[1], shape[2]),
        dtype=table.text("dtype"),
        kept=None if kept is None else (kept[0], kept[1]),
    )


def _column(table: _Table) -> InputColumn:
    kind = table.text("kind")
    if kind not in _KINDS:
        raise table.wrong("kind", "'number', 'moment', 'category' or 'text'")
    rule = _rule(table.table("rule"), kind)
    rare = table.raw().get("rare", False)
    if not isinstance(rare, bool):
        raise table.wrong("rare", "true or false")
    return InputColumn(
        name=table.text("name"),
        rule=rule,
        low=table.maybe("low"),
        high=table.maybe("high"),
        rare=rare,
        tensor=table.text("tensor", ""),
    )


def _rule(table: _Table, kind: str) -> Rule:
    """How cells are read; the table's own path names it in errors."""
    told = table.raw()
    plain = Rule()
    for key, value in told.items():
        known = getattr(plain, key, None)
        listed = isinstance(known, tuple)
        if not isinstance(known, str | bool | tuple) or not isinstance(
            value, list if listed else type(known)
        ):
            raise table.wrong(key, "a part of a rule by which cells are read")
        if isinstance(value, list) and not all(isinstance(each, str) for each in value):
            raise table.wrong(key, "a list of texts")
    rule = Rule.restore({**told, "kind": kind})
    if rule.decimal not in (".", ",") or rule.order not in ("", "dmy", "mdy"):
        raise table.wrong("decimal", "'.' or ',', and order 'dmy' or 'mdy'")
    return rule


def _promise(table: _Table) -> Promise:
    texts = {key: table.text(key, "") for key in ("host", "runtime", "version", "precision")}
    bound = table.raw().get("bound")
    if bound is not None and not isinstance(bound, str):
        raise table.wrong("bound", "text such as '<= 5'")
    return Promise(
        metric=table.text("metric"),
        value=table.number("value"),
        bound=bound,
        low=table.maybe("low"),
        high=table.maybe("high"),
        threads=table.whole("threads", 1),
        estimated=table.raw().get("estimated") is True,
        **texts,
    )


def _score(table: _Table) -> Score:
    intervals: dict[str, tuple[float, float]] = {}
    for name, ends in table.table("intervals").raw().items():
        if not isinstance(ends, list) or len(ends) != 2 or not all(isinstance(e, int | float) for e in ends):
            raise table.wrong(f"intervals.{name}", "two numbers")
        intervals[name] = (float(ends[0]), float(ends[1]))
    return Score(
        split=table.text("split"),
        rows=table.whole("rows"),
        metrics=table.numbers("metrics"),
        standard_errors=table.numbers("standard_errors"),
        intervals=intervals,
        digest=table.text("digest", ""),
    )
