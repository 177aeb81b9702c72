"""Retired words stay out of the names of modules, classes and functions; no two classes have one name."""

from __future__ import annotations

import ast
import functools
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.house.retired_words import MODULES, NAMES, WORDS, Retired

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "satisfice"
GLOSSARY = ROOT / "docs" / "glossary.md"


def parts(name: str) -> list[str]:
    """``ScreenMemory`` and ``screen_memory`` as words."""
    return re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower())


@functools.cache
def modules() -> dict[str, Path]:
    """Every module and package: its path under ``src/satisfice``, without suffix, and its file."""
    found = {path.relative_to(PACKAGE).with_suffix("").as_posix(): path for path in PACKAGE.rglob("*.py")}
    return {name.removesuffix("/__init__"): path for name, path in sorted(found.items())}


@functools.cache
def module_names() -> tuple[tuple[str, str], ...]:
    """Path and name of every module."""
    return tuple((module, module.rpartition("/")[2]) for module in modules())


@functools.cache
def definitions() -> tuple[tuple[str, str], ...]:
    """Module and name of every class, function and module constant."""
    found = modules().items()
    return tuple((m, name) for m, path in found for name in defined(path.read_text(encoding="utf-8")))


def defined(source: str) -> Iterator[str]:
    """Names of classes and functions, methods and nested ones included, and what a module assigns."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
    for statement in tree.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        yield from (target.id for target in targets if isinstance(target, ast.Name))


def is_in(module: str, where: str) -> bool:
    """Whether a module is the one named, or in that folder."""
    return not where or module == where or module.startswith(where + "/")


def uses(retired: Retired, found: tuple[tuple[str, str], ...], *, whole: bool) -> list[str]:
    """Names that still use a retired word, as a part or as a whole (but for leading underscores)."""
    return [
        f"{module}: {name} (now: {retired.new})"
        for module, name in found
        if is_in(module, retired.where)
        and (name.lstrip("_") == retired.old if whole else retired.old in parts(name))
    ]


def identity(retired: Retired) -> str:
    return f"{retired.where}-{retired.old}"


@pytest.mark.parametrize("retired", WORDS, ids=identity)
def test_no_name_has_a_retired_word_as_a_part(retired: Retired) -> None:
    assert uses(retired, (*module_names(), *definitions()), whole=False) == []


@pytest.mark.parametrize("retired", NAMES, ids=identity)
def test_no_class_or_function_has_a_retired_name(retired: Retired) -> None:
    assert uses(retired, definitions(), whole=True) == []


@pytest.mark.parametrize("retired", MODULES, ids=identity)
def test_no_module_has_a_retired_name(retired: Retired) -> None:
    assert uses(retired, module_names(), whole=True) == []


@pytest.mark.parametrize("retired", [*WORDS, *NAMES, *MODULES], ids=identity)
def test_a_retired_word_is_retired_from_a_place_that_exists(retired: Retired) -> None:
    assert any(is_in(module, retired.where) for module in modules())


@pytest.mark.parametrize("retired", NAMES, ids=identity)
def test_what_replaces_a_name_exists(retired: Retired) -> None:
    assert set(retired.new.split(", ")) <= {name.lstrip("_") for _, name in definitions()}


@pytest.mark.parametrize("retired", MODULES, ids=identity)
def test_what_replaces_a_module_exists(retired: Retired) -> None:
    assert f"{retired.where}/{retired.new}" in modules() or retired.new in modules()


def test_retired_words_are_found_where_they_stand() -> None:
    source = "class ScreenMemory:\n    def _take_stock(self):\n        async def fill(): ...\n"
    found = tuple(("search/auto/sampler", name) for name in defined(source))
    assert [name for _, name in found] == ["ScreenMemory", "_take_stock", "fill"]
    memory = next(r for r in WORDS if r.old == "memory")
    assert uses(memory, found, whole=False) == ["search/auto/sampler: ScreenMemory (now: screening)"]
    taken = next(r for r in NAMES if r.old == "take_stock")
    assert uses(taken, found, whole=True) == ["search/auto/sampler: _take_stock (now: observations)"]
    elsewhere = tuple(("measure/memory", name) for _, name in found)
    assert uses(memory, elsewhere, whole=False) == []


@pytest.mark.parametrize("words", [WORDS, NAMES, MODULES])
def test_a_word_is_retired_once_for_a_place(words: tuple[Retired, ...]) -> None:
    assert len({(r.old, r.where) for r in words}) == len(words)


def test_what_the_glossary_calls_retired_is_retired() -> None:
    if not GLOSSARY.exists():
        pytest.skip("the glossary is not written yet")
    table = GLOSSARY.read_text(encoding="utf-8").partition("## Retired words")[2]
    rows = re.findall(r"^\|([^|]+)\|[^|]+\|[^|]+\|$", table, re.MULTILINE)
    old = {name for row in rows for name in re.findall(r"`(\w+)(?:\(\))?`", row)}
    assert old
    assert old <= {r.old for r in [*WORDS, *NAMES, *MODULES]}


def test_no_two_classes_have_one_name() -> None:
    places = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(path.relative_to(PACKAGE).as_posix())
    assert {name: each for name, each in places.items() if len(each) > 1} == {}
