"""The layers: who may import whom, read from the source; and docs/architecture.md's picture held to it."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "satisfice"

# From the bottom up. A package imports from the rows above its own line only, never from its own row.
LAYERS = (
    ("errors", "threads"),
    ("registry",),
    ("spec",),
    ("choose", "surrogate"),
    ("data", "store", "measure", "search", "launch"),
    ("ship",),
    ("train",),
    ("study",),
    ("report", "deploy"),
    ("dashboard",),
    ("api",),  # satisfice/__init__.py
    ("cli",),
)
RANK = {name: rank for rank, row in enumerate(LAYERS) for name in row}


@functools.cache
def packages() -> set[str]:
    """Folders and modules directly under satisfice."""
    found = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    return found | {path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.glob("*.py"))}


@functools.cache
def modules() -> dict[str, Path]:
    """Dotted name of every module, with its file."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@functools.cache
def imported_names(module: str, path: Path) -> set[str]:
    """Dotted names that a module imports anywhere, also inside functions and under TYPE_CHECKING."""
    names: set[str] = set()
    base = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = base[: len(base) - node.level + 1] if node.level else []
            origin = ".".join([*start, node.module] if node.module else start)
            names.update(f"{origin}.{alias.name}" for alias in node.names)
    return names


def package_of(name: str) -> str:
    """``spec`` for ``satisfice.spec.study``; ``api`` for a name of satisfice's own face."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in packages() else "api"


@functools.cache
def edges() -> dict[tuple[str, str], str]:
    """Every pair (importing package, imported package), with one import that makes it so."""
    found: dict[tuple[str, str], str] = {}
    for module, path in modules().items():
        for name in sorted(imported_names(module, path)):
            pair = (package_of(module), package_of(name))
            if name.split(".")[0] == "satisfice" and pair[0] != pair[1]:
                found.setdefault(pair, f"{module} imports {name}")
    return found


def test_every_package_has_its_layer() -> None:
    assert packages() <= set(RANK)


def test_arrows_go_one_way() -> None:
    wrong = [example for (above, below), example in edges().items() if RANK[above] <= RANK[below]]
    assert wrong == []


def test_only_study_looks_a_higher_package_up_by_name() -> None:
    call = re.compile(r"""import_module\(\s*["'](satisfice[.\w]*)["']""")
    found = {
        (module, name)
        for module, path in modules().items()
        for name in call.findall(path.read_text(encoding="utf-8"))
    }
    # `Study.report` writes pages on request; whoever does not ask for them does not load them.
    assert found == {("satisfice.study.reporting", "satisfice.report")}


def test_the_reader_of_imports_sees_every_form() -> None:
    seen = edges()
    assert ("choose", "spec") in seen
    assert ("spec", "errors") in seen
    assert len(modules()) > 60


@pytest.mark.parametrize("package", ["report", "dashboard"])
def test_reading_imports_neither_torch_nor_search(package: str) -> None:
    wrong = {
        module: name
        for module, path in modules().items()
        for name in imported_names(module, path)
        if package_of(module) == package and (name.split(".")[0] == "torch" or package_of(name) == "search")
    }
    assert wrong == {}


def loaded_after(statement: str) -> set[str]:
    """Top-level modules, and satisfice's packages, that a fresh interpreter holds after a statement."""
    code = f"{statement}\nimport sys\nprint(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name for name in done.stdout.split() if name.count(".") <= 1}


def test_the_core_imports_without_torch() -> None:
    loaded = loaded_after("import satisfice, satisfice.cli.main")
    assert "satisfice.cli" in loaded
    assert "torch" not in loaded


@pytest.mark.parametrize("package", ["report", "dashboard"])
def test_reading_loads_neither_torch_nor_search(package: str) -> None:
    loaded = loaded_after(f"import satisfice.{package}")
    assert f"satisfice.{package}" in loaded
    assert not loaded & {"torch", "satisfice.search"}


def test_the_picture_of_the_architecture_is_true() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    (picture,) = re.findall(r"```mermaid\n(.*?)```", text, re.DOTALL)
    drawn = set()
    for importer, imported in re.findall(r"^(\w+) --> ([\w &]+)$", picture, re.MULTILINE):
        drawn |= {(importer, name) for name in imported.split(" & ")}
    # Everybody may import these three: said in words there, and left out of the picture.
    real = {pair for pair in edges() if not set(pair) & {"errors", "registry", "threads"}}
    if drawn != real:
        pytest.fail(f"the picture in docs/architecture.md should be\n{as_mermaid(real)}")


def as_mermaid(pairs: set[tuple[str, str]]) -> str:
    """One line for each importing package, from the top down."""
    importers = sorted({above for above, _ in pairs}, key=lambda name: -RANK[name])
    lines = []
    for importer in importers:
        below = sorted((b for a, b in pairs if a == importer), key=lambda name: (-RANK[name], name))
        lines.append(f"{importer} --> {' & '.join(below)}")
    return "\n".join(lines)
