"""Who may import whom, between the layers and inside them; and docs/architecture.md's picture held to it."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "satisfice"

# From the bottom up. A package imports from the rows above its own line only, never from its own row.
LAYERS = (
    ("addresses", "errors", "threads"),
    ("registry", "tokens"),
    ("spec",),
    ("choose", "surrogate"),
    ("data", "store", "measure", "search", "launch"),
    ("ship", "understand"),
    ("train", "results"),
    ("study",),
    ("report", "deploy"),
    ("dashboard",),
    ("lab",),
    ("api",),  # satisfice/__init__.py
    ("cli",),
)
RANK = {name: rank for rank, row in enumerate(LAYERS) for name in row}

# The rooms of each package that has several, from the bottom up. A room never reaches one to its right,
# neither directly nor through modules that stand beside the rooms.
ROOMS = {
    "spec": ("advice", "study_file"),
    "choose": ("noise", "questions"),
    "data": ("pictures", "reading", "text", "features", "sets"),
    "search": ("curves", "pruners", "baselines", "auto", "interop"),
    "store": ("database", "ledger"),
    "train": ("files", "preparing", "folds", "backbones", "networks", "trees", "families"),
    "ship": ("onnx", "folder"),
    "understand": ("training", "health"),
    "study": ("optuna_api", "measuring", "lifecycle", "before", "running", "after", "facade"),
}
# Imports inside functions that go up on purpose.
UPWARD = {
    # The digest of a spec is that of its canonical content, and rendering takes a spec.
    ("satisfice.spec.study", "satisfice.spec.study_file.render"),
}
MOST_MODULES = 16  # in one folder


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
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {name for node in ast.walk(tree) for name in _names_of(node, module, path)}


def _names_of(node: ast.AST, module: str, path: Path) -> list[str]:
    """Dotted names that one statement imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    start = base[: len(base) - node.level + 1] if node.level else []
    origin = ".".join([*start, node.module] if node.module else start)
    return [f"{origin}.{alias.name}" for alias in node.names]


@functools.cache
def runtime_imports(module: str, *, in_functions: bool) -> frozenset[str]:
    """Modules of ours that one imports when it is loaded (or when its functions run), not for type hints."""
    path = modules()[module]
    return frozenset(
        name
        for node in _statements(ast.parse(path.read_text(encoding="utf-8")), in_functions=in_functions)
        for name in (_module_named(full) for full in _names_of(node, module, path))
        if name is not None and name != module
    )


def _statements(node: ast.AST, *, in_functions: bool) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not in_functions:
            continue
        yield child
        yield from _statements(child, in_functions=in_functions)


def _module_named(name: str) -> str | None:
    """The module of ours that an imported name is, or is in."""
    parts = name.split(".")
    if parts[0] != "satisfice":
        return None
    return next(".".join(parts[:n]) for n in range(len(parts), 0, -1) if ".".join(parts[:n]) in modules())


def circles(arrows: Mapping[str, Iterable[str]]) -> list[str]:
    """Every node that reaches itself."""
    return sorted(node for node in arrows if node in reached(arrows, node))


def reached(arrows: Mapping[str, Iterable[str]], start: str) -> set[str]:
    """All nodes that are reached from one; itself only where it is on a circle."""
    found: set[str] = set()
    todo = list(arrows.get(start, ()))
    while todo:
        node = todo.pop()
        if node not in found:
            found.add(node)
            todo.extend(arrows.get(node, ()))
    return found


def folders() -> dict[str, Path]:
    """Every package, satisfice itself included, with its folder."""
    return {module: path.parent for module, path in modules().items() if path.name == "__init__.py"}


def inside(package: str) -> dict[str, set[str]]:
    """Arrows between the rooms of a package and the modules beside them, by their names there."""

    def unit(module: str) -> str | None:
        if module == package:
            return "__init__"
        return module.removeprefix(f"{package}.").split(".")[0] if module.startswith(f"{package}.") else None

    arrows: dict[str, set[str]] = {}
    for module in modules():
        source = unit(module)
        if source is None:
            continue
        for name in runtime_imports(module, in_functions=True):
            target = unit(name)
            if target is not None and target != source and (module, name) not in UPWARD:
                arrows.setdefault(source, set()).add(target)
    return arrows


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


def test_no_modules_import_each_other_when_they_are_loaded() -> None:
    arrows = {module: runtime_imports(module, in_functions=False) for module in modules()}
    assert circles(arrows) == []


@pytest.mark.parametrize("package", sorted(folders()))
def test_rooms_and_the_modules_beside_them_import_one_way(package: str) -> None:
    if package != "satisfice":  # its layers are held above
        assert circles(inside(package)) == []


def test_every_package_with_several_rooms_has_their_order() -> None:
    found: dict[str, set[str]] = {}
    for module in folders():
        if module.count(".") == 2:
            _, package, room = module.split(".")
            found.setdefault(package, set()).add(room)
    several = {package: rooms for package, rooms in found.items() if len(rooms) > 1}
    assert {package: set(rooms) for package, rooms in ROOMS.items()} == several


@pytest.mark.parametrize("package", sorted(ROOMS))
def test_rooms_keep_their_order(package: str) -> None:
    order, arrows = ROOMS[package], inside(f"satisfice.{package}")
    wrong = [
        f"{room} reaches {above}"
        for rank, room in enumerate(order)
        for above in order[rank + 1 :]
        if above in reached(arrows, room)
    ]
    assert wrong == []


def test_imports_that_go_up_on_purpose_are_there() -> None:
    for module, name in UPWARD:
        assert name in runtime_imports(module, in_functions=True)
        assert name not in runtime_imports(module, in_functions=False)


def test_the_search_for_circles_finds_one() -> None:
    assert circles({"a": ["b"], "b": ["c"], "c": ["b"]}) == ["b", "c"]
    assert "lifecycle" in inside("satisfice.study")["running"]
    assert "satisfice.spec.toml" in runtime_imports("satisfice.spec.study_file.read", in_functions=False)


@pytest.mark.parametrize("package", sorted(folders()))
def test_a_folder_is_seen_at_a_glance(package: str) -> None:
    folder = folders()[package]
    assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= MOST_MODULES
    said = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
    assert len(said.split()) >= 3, f"{package}: its docstring says what is in the room"


def test_every_folder_of_modules_is_a_package() -> None:
    assert {path.parent for path in PACKAGE.rglob("*.py")} == set(folders().values())


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
    # Everybody may import these five: said in words there, and left out of the picture.
    real = {
        pair for pair in edges() if not set(pair) & {"addresses", "errors", "registry", "threads", "tokens"}
    }
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
