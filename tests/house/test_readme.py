"""README against the program: its study parses, its commands and options exist, its Python compiles."""

from __future__ import annotations

import ast
import json
import re
import shlex
from pathlib import Path

import click
import pytest
from tests.house.command_lines import parse

import satisfice
from satisfice.cli.main import cli
from satisfice.spec import parse_file

ROOT = Path(__file__).resolve().parents[2]


def blocks(document: str, language: str) -> list[str]:
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands() -> list[str]:
    """Every call of satisfice in a shell block, and in the services of the compose file."""
    found = blocks("README.md", "sh") + blocks("docs/architecture.md", "sh")
    lines = [line for block in found for line in block.splitlines() if line.startswith("satisfice ")]
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    services = [json.loads(words) for words in re.findall(r"^ +command: (\[.*\])$", compose, re.MULTILINE)]
    return lines + ["satisfice " + shlex.join(words) for words in services]


def attributes_of(name: str, tree: ast.AST) -> set[str]:
    """Every ``x`` in ``name.x``."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name
    }


@pytest.mark.parametrize("line", commands())
def test_every_command_in_the_documents_parses(line: str) -> None:
    parse(shlex.split(line, comments=True)[1:], cli)


def test_a_wrong_option_would_be_seen() -> None:
    with pytest.raises(click.NoSuchOption):
        parse(["best", "digits-edge", "--wehre", "size_mb <= 1"], cli)


def test_the_readme_s_study_parses(tmp_path: Path) -> None:
    (text,) = blocks("README.md", "toml")
    file = tmp_path / "digits-small.toml"
    file.write_text(text, encoding="utf-8")
    assert parse_file(file).name == "digits-small"


@pytest.mark.parametrize("code", blocks("README.md", "python"))
def test_the_readme_s_python_compiles_and_uses_what_there_is(code: str) -> None:
    tree = ast.parse(code)
    missing = [name for name in attributes_of("satisfice", tree) if not hasattr(satisfice, name)]
    missing += [name for name in attributes_of("study", tree) if not hasattr(satisfice.Study, name)]
    assert missing == []


def test_links_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert len(targets) > 5
    assert [target for target in targets if not (ROOT / target).exists()] == []
