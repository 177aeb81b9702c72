"""Every page of docs/ against the program: commands, study files, Python, links and the navigation."""

from __future__ import annotations

import ast
import functools
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.house.command_lines import parse

import satisfice
from satisfice.cli.main import cli
from satisfice.spec import parse_dict
from satisfice.train.catalog import TRAINERS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md"))
LINKED = [*PAGES, "README.md", "CONTRIBUTING.md", "SECURITY.md"]
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)(?P<more>[^\n]*)\n(?P<body>.*?)^ *```$", re.MULTILINE | re.DOTALL
)
MARK = re.compile(r"<!-- run ?(?P<needs>\w*) -->\n```python\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


@functools.cache
def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, *languages: str) -> list[str]:
    """Code blocks of these languages, those that are marked as wrong left out."""
    found = FENCE.finditer(text_of(page))
    return [m["body"] for m in found if m["language"] in languages and not m["more"].strip()]


def everywhere(*languages: str) -> list[Any]:
    """Every such block of every page, with a name for the test."""
    return [
        pytest.param(block, id=f"{Path(page).stem}-{number}")
        for page in PAGES
        for number, block in enumerate(blocks(page, *languages), start=1)
    ]


def prose(page: str) -> str:
    """The page without its code blocks."""
    return FENCE.sub("", text_of(page))


def commands() -> list[Any]:
    """Every call of satisfice: lines of shell blocks, and whole commands in the text."""
    found: dict[str, str] = {}
    for page in PAGES:
        lines = [line.strip() for block in blocks(page, "bash", "sh") for line in block.splitlines()]
        lines += re.findall(r"`(satisfice run [\w/]+\.toml[^`]*)`", prose(page))
        found |= {line: Path(page).stem for line in lines if line.startswith("satisfice ")}
    return [pytest.param(line, id=f"{page}: {line}") for line, page in found.items()]


@pytest.mark.parametrize("line", commands())
def test_every_command_parses(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = shlex.split(line, comments=True)[1:]
    monkeypatch.chdir(tmp_path)
    for word in words:  # files that a command reads must exist for click
        if re.fullmatch(r"[\w/-]+\.(csv|toml|zip)", word):
            (tmp_path / word).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / word).touch()
        elif re.fullmatch(r"(shipped|models)(/\w[\w-]*)?", word):
            (tmp_path / word).mkdir(parents=True, exist_ok=True)
    parse(words, cli)


@pytest.mark.parametrize("block", everywhere("toml"))
def test_every_study_file_parses(block: str) -> None:
    content = tomllib.loads(block)
    if {"name", "objectives"} <= set(content):
        taught = content.get("model", {}).get("family") == "nearest_mean"  # docs/extending.md registers it
        parse_dict(content, file="study.toml", families=None if taught else TRAINERS.get)


def test_whole_study_files_are_among_the_examples() -> None:
    whole = [
        page
        for page in PAGES
        for block in blocks(page, "toml")
        if re.search(r"^name = ", block, re.MULTILINE)
    ]
    assert len(whole) >= 6


def test_every_json_document_parses() -> None:
    found = [block for page in PAGES for block in blocks(page, "json")]
    found += [data for page in PAGES for data in re.findall(r" -d '([^']*)'", text_of(page))]
    assert found
    assert all(isinstance(json.loads(document), dict) for document in found)


@pytest.mark.parametrize("block", everywhere("python"))
def test_every_python_block_compiles_and_uses_what_there_is(block: str) -> None:
    tree = ast.parse(block)
    study_is_ours = "optuna.create_study" not in block
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == "satisfice" and node.attr not in {"errors", "search", "train", "ship"}:
                assert hasattr(satisfice, node.attr)
            if node.value.id == "study" and study_is_ours:
                assert hasattr(satisfice.Study, node.attr)


def runnable() -> list[Any]:
    return [
        pytest.param(m["body"], m["needs"], id=f"{Path(page).stem}-{number}")
        for page in PAGES
        for number, m in enumerate(MARK.finditer(text_of(page)), start=1)
    ]


def called(words: list[str], folder: Path) -> str:
    """Run a program in a folder; return its standard output."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("program", "needs"), runnable())
def test_every_marked_program_runs(program: str, needs: str, tmp_path: Path) -> None:
    if needs:
        pytest.importorskip(needs)
    (tmp_path / "program.py").write_text(program, encoding="utf-8")
    called([sys.executable, "program.py"], tmp_path)
    assert len(list(tmp_path.iterdir())) > 1


@pytest.mark.slow
def test_the_tutorial_is_walked_word_for_word(tmp_path: Path) -> None:
    page = "docs/tutorial.md"
    (program,) = (m["body"] for m in MARK.finditer(text_of(page)))
    (shown,) = blocks(page, "toml")
    (tmp_path / "make_data.py").write_text(program, encoding="utf-8")
    called([sys.executable, "make_data.py"], tmp_path)
    lines = [line for block in blocks(page, "bash") for line in block.splitlines()]
    walked = [shlex.split(line)[1:] for line in lines if re.match(r"satisfice (?!serve)", line)]
    assert [words[0] for words in walked] == [
        *("init", "check", "run", "best", "best", "pareto", "report", "ship", "verify", "predict")
    ]
    for words in walked:
        fewer = ["--trials", "8"] if words[0] == "run" else []
        called([sys.executable, "-m", "satisfice.cli.main", *words, *fewer], tmp_path)
        if words[0] == "init":
            written = tomllib.loads((tmp_path / "machines.toml").read_text(encoding="utf-8"))
            assert written == tomllib.loads(shown)
    assert (tmp_path / "answers.csv").read_text(encoding="utf-8").count("\n") == 3001


def slugs(page: Path) -> set[str]:
    """Anchors of a page's headings, as mkdocs makes them."""
    plain = FENCE.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.+?)(?: \{.*\})?$", plain, re.MULTILINE)
    linkless = [re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", title) for title in titles]
    return {re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", title).strip().lower()) for title in linkless}


@pytest.mark.parametrize("page", LINKED)
def test_links_and_anchors_lead_somewhere(page: str) -> None:
    dead = []
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", prose(page)):
        path, _, anchor = target.partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        known = file.exists() and (not anchor or file.suffix != ".md" or anchor in slugs(file))
        if not known:
            dead.append(target)
    assert dead == []


def test_a_dead_anchor_would_be_seen() -> None:
    assert "profilesname-several-ways-to-choose" in slugs(ROOT / "docs" / "study-files.md")
    assert "no-such-heading" not in slugs(ROOT / "docs" / "study-files.md")


def in_nav(entries: list[Any]) -> list[str]:
    """The pages of a part of the navigation."""
    found: list[str] = []
    for entry in entries:
        (value,) = entry.values()
        found += in_nav(value) if isinstance(value, list) else [value]
    return found


def site() -> dict[str, Any]:
    settings: dict[str, Any] = yaml.safe_load(text_of("mkdocs.yml"))
    return settings


def test_every_page_is_in_the_navigation_once() -> None:
    assert sorted(in_nav(site()["nav"])) == [page.removeprefix("docs/") for page in PAGES]


def test_the_site_asks_nothing_of_another_host() -> None:
    assert site()["theme"]["font"] is False
    assert not {"extra_css", "extra_javascript"} & set(site())


def test_the_reference_has_every_public_name() -> None:
    page = text_of("docs/api.md")
    shown = re.findall(r"^::: satisfice\.(\w+)$", page, re.MULTILINE)
    assert set(shown) == set(satisfice.__all__) - {"__version__"}


def test_every_study_is_in_the_gallery() -> None:
    shown = set(re.findall(r"\]\(\.\./studies/(\w+\.toml)\) \|", text_of("docs/gallery.md")))
    assert shown == {path.name for path in (ROOT / "studies").glob("*.toml")}


@pytest.mark.slow
def test_the_site_builds_strictly_and_loads_nothing(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="the extra docs is not installed: make site")
    pytest.importorskip("mkdocstrings")
    words = ["-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    called([sys.executable, *words], ROOT)
    loaded = set()
    for page in (tmp_path / "site").rglob("*.html"):
        html = page.read_text(encoding="utf-8")
        loaded |= set(
            re.findall(
                r'<(?:script|img|link rel="(?:stylesheet|preconnect)")[^>]+(?:src|href)="(https?:[^"]+)"',
                html,
            )
        )
    assert loaded == set()
