"""Named implementations of a seam: our own, and those that other packages announce as entry points.

A package adds one with, for instance::

    [project.entry-points."satisfice.trainers"]
    my_family = "my_package.module:MyTrainer"
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Collection
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from satisfice.errors import InputError

T = TypeVar("T")


class Registry(Generic[T]):
    """Names to implementations, imported on first use.

    Args:
        kind: What is registered, in the singular: "trainer".
        group: Entry-point group.
        builtin: Name to ``module:attribute``.
    """

    def __init__(self, kind: str, group: str, builtin: dict[str, str]) -> None:
        self.kind = kind
        self.group = group
        self._builtin = dict(builtin)
        self._loaded: dict[str, T] = {}
        self._registered: set[str] = set()

    def names(self) -> list[str]:
        """All names, our own first."""
        found = dict.fromkeys(self._builtin)
        found.update(dict.fromkeys(self._loaded))
        found.update(dict.fromkeys(point.name for point in entry_points(group=self.group)))
        return list(found)

    def is_ours(self, name: str) -> bool:
        """Whether the name is one of our own, which nobody has given to another implementation."""
        return name in self._builtin and name not in self._registered

    def register(self, name: str, implementation: T) -> None:
        """Add an implementation for this process."""
        self._loaded[name] = implementation
        self._registered.add(name)

    def get(self, name: str) -> T:
        """The implementation of that name.

        Raises:
            InputError: Nothing of that name is registered; the sentence names the nearest.
        """
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def _load(self, name: str) -> T:
        if name in self._builtin:
            module, _, attribute = self._builtin[name].partition(":")
            loaded: T = getattr(importlib.import_module(module), attribute)
            return loaded
        for point in entry_points(group=self.group):
            if point.name == name:
                announced: T = point.load()
                return announced
        raise InputError(f"unknown {self.kind} {name!r}", hint=did_you_mean(name, self.names()))


def did_you_mean(word: str, known: list[str]) -> str:
    """A hint that names the nearest known words, or all of them."""
    near = nearest(word, known)
    if near is not None:
        return f"did you mean {near!r}?"
    return "known: " + ", ".join(sorted(known))


def nearest(word: str, known: Collection[str]) -> str | None:
    """The known word that is most like ``word``, whatever its case; None where none is like it."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if close:
        return str(close[0])
    lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), lower, n=1, cutoff=0.5)
    return lower[close[0]] if close else None
