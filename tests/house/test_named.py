"""What docs/life-of-a-trial.md and docs/architecture.md name is there: every file, every function."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "satisfice"
ROWS = [
    (re.findall(r"`([\w/]+\.py)`", files), re.findall(r"`([\w.]+)`", functions))
    for files, functions in re.findall(
        r"^\|[^|]+\|([^|]+\.py`[^|]*)\|([^|]+)\|$",
        (ROOT / "docs" / "life-of-a-trial.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
]


def functions_in(path: Path) -> set[str]:
    """Functions of a module and methods of its classes, as ``name`` and ``Class.name``."""
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)}
    return found


@pytest.mark.parametrize(("files", "functions"), ROWS, ids=[" ".join(names) for _, names in ROWS])
def test_the_functions_that_a_trial_passes_exist(files: list[str], functions: list[str]) -> None:
    there = [functions_in(PACKAGE / name) for name in files]
    assert len(functions) >= len(files)
    assert [name for name in functions if not any(name in each for each in there)] == []
    # No file stands there for nothing.
    assert [file for file, each in zip(files, there, strict=True) if not each & set(functions)] == []


def test_the_whole_way_is_described() -> None:
    files = {name for each, _ in ROWS for name in each}
    assert len(ROWS) > 20
    assert {"study/running/worker.py", "study/lifecycle/session.py", "store/ledger/slots.py"} <= files


def test_the_architecture_names_every_room() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `([\w/]+/)` \|", text, re.MULTILINE))
    rooms = {
        f"{path.parent.relative_to(PACKAGE)}/"
        for path in PACKAGE.rglob("__init__.py")
        if path.parent != PACKAGE
    }
    assert listed == rooms


@pytest.mark.parametrize("page", ["architecture.md", "life-of-a-trial.md", "glossary.md"])
def test_every_file_that_a_page_names_is_there(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:\w+/)+(?:\w+\.(?:py|md|toml))?)`", text))
    named |= {f"docs/{name}" for name in re.findall(r"\]\((\w[\w-]*\.md)", text)}
    assert [name for name in sorted(named) if not any((at / name).exists() for at in (ROOT, PACKAGE))] == []


RENAMED = re.findall(
    r"^\|[^|]+\|([^|]+)\|([^|]+)\|$",
    (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").partition("## Retired words")[2],
    re.MULTILINE,
)[2:]


@pytest.mark.parametrize(("now", "files"), RENAMED, ids=[now.strip() for now, _ in RENAMED])
def test_the_words_that_replaced_others_are_used(now: str, files: str) -> None:
    there: set[str] = set()
    for name in re.findall(r"`([\w/]+\.py)`", files):
        tree = ast.parse((PACKAGE / name).read_text(encoding="utf-8"))
        there |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        there |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert there
    assert set(re.findall(r"`(\w+)`", now)) <= there


def test_no_word_of_the_glossary_has_two_meanings() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").partition("## Retired words")[0]
    words = [
        word for word in re.findall(r"^\| ([^|]+?) \|", text, re.MULTILINE) if word not in ("word", "---")
    ]
    assert len(words) > 60
    assert sorted(words) == sorted(set(words))
    assert re.search(r"\]\(docs/glossary\.md\)", (ROOT / "README.md").read_text(encoding="utf-8"))
