"""Reading one table of a study file key by key, so that every complaint names file, dotted key and fix."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, TypeVar

import numpy as np

from satisfice.errors import SpecError
from satisfice.registry import did_you_mean, nearest
from satisfice.spec.advice import habits
from satisfice.spec.advice.bounds import clause_lines
from satisfice.spec.grammar import LARGEST_INTEGER, Key, Keys, Kind
from satisfice.spec.toml import assignment

T = TypeVar("T")

_DURATION = re.compile(
    r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?"
)
_SECONDS = (86400.0, 3600.0, 60.0, 1.0)
_FLAGS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False}


def show(value: Any) -> str:
    """A value as an error message names it, close to how TOML writes it; long ones are cut."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        quoted = json.dumps(value if len(value) <= 60 else f"{value[:57]}...", ensure_ascii=False)
        # JSON leaves characters raw at which a line ends or that cannot be seen, such as U+0085.
        return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in quoted)
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list | tuple):
        return "an empty list" if not value else "a list"
    if isinstance(value, int) and value.bit_length() > 256:
        return "an integer of more than 70 digits"
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def plain(value: Any) -> Any:
    """A value from Python as TOML would hold it, which knows no numpy, no tuples and no paths."""
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    return str(value) if isinstance(value, PurePath) else value


def is_number(value: Any) -> bool:
    """Whether it is an int or a float, and no bool."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_scalar(value: Any) -> bool:
    """Whether it is a text, a finite number that databases hold, or a bool."""
    if isinstance(value, int):
        return abs(value) <= LARGEST_INTEGER
    if isinstance(value, str):
        return is_text(value)
    return isinstance(value, float) and math.isfinite(value)


def is_text(value: str) -> bool:
    """Whether it is whole characters: half of a pair (a lone surrogate) is no text that can be stored."""
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


class Problems:
    """What is wrong in a study file, gathered while the rest is read, so that all is told at once."""

    def __init__(self) -> None:
        self._found: list[SpecError] = []

    def __len__(self) -> int:
        return len(self._found)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep an error that is raised inside, and go on after the block."""
        try:
            yield
        except SpecError as error:
            self._found += error.problems

    def attempt(self, make: Callable[[], T]) -> T | None:
        """What ``make`` returns; None where it raised an error, which is kept."""
        try:
            return make()
        except SpecError as error:
            self._found += error.problems
            return None

    def tell(self, order: Sequence[str] = ()) -> None:
        """Raise what was found, if anything.

        Args:
            order: Tables and keys of the top in the order of the file.

        Raises:
            SpecError: All of it.
        """
        if self._found:
            place = {name: i for i, name in enumerate(order)}
            found = sorted(self._found, key=lambda e: place.get(e.key.partition(".")[0], -1))
            raise SpecError.of(found)


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the study file and where it stands."""

    content: Mapping[str, Any]
    path: str  # dotted; empty for the whole file
    file: str | None  # for messages
    problems: Problems = field(default_factory=Problems, compare=False)
    stored: bool = False  # read from a database: what was accepted once is accepted again

    def where(self, key: str = "") -> str:
        """Dotted path of a key of this table, or of the table itself."""
        return ".".join(part for part in (self.path, key) if part)

    def error(self, message: str, *, key: str = "", hint: str = "") -> SpecError:
        """An error about this table, or about one of its keys."""
        return SpecError(message, key=self.where(key), file=self.file, hint=hint)

    def child(self, key: str) -> Table:
        """The table under ``key``; empty where there is none.

        Raises:
            SpecError: What stands there is no table.
        """
        value = self.content.get(key, {})
        if not isinstance(value, Mapping):
            fix = "write { key = value }"
            if not self.path:
                lines = clause_lines(value) if key == "constraints" else []
                below = f"write [{key}] on a line of its own, and below {' and '.join(lines)}"
                fix = below if lines else habits.table_advice(key, value)
            raise self.error(f"must be a table, not {show(value)}", key=key, hint=fix)
        return self.at(value, self.where(key))

    def at(self, content: Mapping[str, Any], path: str) -> Table:
        """Another table of the same file."""
        return Table(content, path, self.file, self.problems, self.stored)

    def texts(self) -> None:
        """Check that every key is a string (a dict may have others).

        Raises:
            SpecError: One is not.
        """
        for key in self.content:
            if not isinstance(key, str) or not key.strip() or key != key.strip() or not key.isprintable():
                raise self.error(
                    f"{key!r} is not a key",
                    hint="a key is a printable string, not empty, without spaces at its ends",
                )

    def check_keys(self, known: Keys, also: tuple[str, ...] = ()) -> frozenset[str]:
        """Keep an error for every key that is not known: it names the key's table, or the nearest key.

        Returns:
            The known keys (or tables) that were meant: they are not missing besides.

        Raises:
            SpecError: A key is no string.
        """
        self.texts()
        names = [*known, *also]
        meant: set[str] = set()
        for key, value in self.content.items():
            if key in names:
                continue
            advice = habits.key_advice(self.path, key, value, self.content)
            near = nearest(key, names)
            hint = advice.text if advice is not None else did_you_mean(key, names)
            meant |= {advice.meant} if advice is not None else set() if near is None else {near}
            with self.problems.kept():
                raise self.error("unknown key", key=key, hint=hint)
        return frozenset(meant)

    def read(self, name: str, key: Key) -> Any:
        """The value of a key, checked; its default where it is left out.

        Raises:
            SpecError: It is missing, of the wrong type, or out of range.
        """
        if name not in self.content:
            if key.required:
                raise self.error("is missing", key=name, hint=f"write {name} = {key.example}")
            return key.default
        value = self.content[name]
        fix = _rewritten(name, value, key)
        problem = _type_problem(value, key)
        if problem:
            raise self.error(problem, key=name, hint=fix)
        if key.kind is Kind.DURATION:
            return self._duration(name, value)
        if key.kind in (Kind.NUMBER, Kind.INTEGER):
            self._check_range(name, value, key)
        if key.choices and value not in key.choices:
            raise self.error(f"{show(value)} is not allowed", key=name, hint=_one_of(value, key.choices))
        if key.kind is Kind.TEXTS:
            return tuple(value)
        return value

    def section(self, keys: Keys, meant: Collection[str] = ()) -> dict[str, Any]:
        """All of ``keys``, read; where one is refused, the error is kept and the default stands.

        Args:
            keys: The keys.
            meant: Those that a refused key was meant for: they are not called missing.
        """
        out = {}
        for name, key in keys.items():
            out[name] = key.default
            if name in self.content or name not in meant:
                with self.problems.kept():
                    out[name] = self.read(name, key)
        return out

    def _check_range(self, name: str, value: float, key: Key) -> None:
        fix = f"write for instance {name} = {key.example}"
        if key.minimum is not None and value < key.minimum:
            raise self.error(f"must be at least {key.minimum:g}, not {value}", key=name, hint=fix)
        if key.maximum is not None and value > key.maximum:
            raise self.error(f"must be at most {key.maximum:,}, not {value:,}", key=name, hint=fix)
        if key.above is not None and value <= key.above:
            raise self.error(f"must be above {key.above:g}, not {value}", key=name, hint=fix)
        if key.below is not None and value >= key.below:
            raise self.error(f"must be below {key.below:g}, not {value}", key=name, hint=fix)

    def _duration(self, name: str, value: Any) -> float:
        """Seconds, from a number or from text such as ``1h30m``."""
        if isinstance(value, str):
            match = _DURATION.fullmatch(value.strip().lower())
            if match is None or not any(match.groups()):
                line = habits.time_line(name, value)
                raise self.error(
                    f"{show(value)} is not a time",
                    key=name,
                    hint=f"write {line}" if line else 'write "10m", "90s", "1h30m" or a number of seconds',
                )
            value = sum(float(n) * s for n, s in zip(match.groups(), _SECONDS, strict=True) if n)
        if value <= 0:
            raise self.error(
                f"must be above 0 seconds, not {value:g}", key=name, hint=f'write {name} = "10m"'
            )
        return float(value)


def _rewritten(name: str, value: Any, key: Key) -> str:
    """The line to write, with the value that was meant where that is plain."""
    meant: Any = None
    if value is None and not key.required:
        return f"leave {name} out"
    if isinstance(value, str):
        meant = number_in(value) if key.kind in (Kind.NUMBER, Kind.INTEGER) else _FLAGS.get(value.lower())
        if key.kind is Kind.TEXTS:
            meant = [value]
    elif key.kind is Kind.TEXT and is_number(value):
        meant = str(value)
    if key.kind is Kind.INTEGER and isinstance(meant or value, float) and float(meant or value).is_integer():
        meant = int(meant or value)
    ok = meant is not None and not _type_problem(meant, key)
    line = assignment(name, meant) if ok else ""
    return f"write {line or f'{name} = {key.example}'}"


def number_in(text: str) -> float | int | None:
    """The finite number that a text spells, or None."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _one_of(value: str, choices: tuple[str, ...]) -> str:
    near = did_you_mean(value, list(choices))
    return near if near.startswith("did you mean") else "write " + " or ".join(f'"{c}"' for c in choices)


def _type_problem(value: Any, key: Key) -> str:
    """Why the value is not of the key's kind; empty if it is."""
    ok = {
        Kind.TEXT: isinstance(value, str),
        Kind.INTEGER: isinstance(value, int) and not isinstance(value, bool),
        Kind.NUMBER: is_number(value),
        Kind.FLAG: isinstance(value, bool),
        Kind.TEXTS: isinstance(value, list | tuple) and all(isinstance(item, str) for item in value),
        Kind.SCALAR: is_scalar(value),
        Kind.DURATION: isinstance(value, str) or is_number(value),
        Kind.TABLES: isinstance(value, list | tuple) and all(isinstance(item, Mapping) for item in value),
    }[key.kind]
    if not ok:
        return f"must be {key.kind.value}, not {show(value)}"
    if isinstance(value, float) and not math.isfinite(value):
        return f"must be finite, not {value}"
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        return f"{show(value)} is too large"
    if isinstance(value, str) and not value.strip():
        return "must not be empty"
    if isinstance(value, str) and not is_text(value):
        return "holds half of a character (a lone surrogate)"
    return ""
