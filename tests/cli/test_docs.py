"""Every command line in the documentation is one that the program takes."""

import re
import shlex
from pathlib import Path

import click
import pytest

from satisfice.cli.main import cli

DOCS = Path(__file__).parents[2] / "docs"
LINES = [
    (page, line.strip())
    for page in ("command-line.md", "launching.md")
    for block in re.findall(r"```bash\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    for line in block.splitlines()
    if line.strip().startswith("satisfice ")
]


def parse(command: click.Command, arguments: list[str], parent: click.Context | None = None) -> list[str]:
    """Parse a command line down to the last command, without running it.

    Returns:
        The commands' names.
    """
    context = command.make_context(command.name, list(arguments), parent=parent)
    if not isinstance(command, click.Group):
        return [str(command.name)]
    rest = [*context._protected_args, *context.args]
    name, inner, rest = command.resolve_command(context, rest)
    assert inner is not None
    return [str(name), *parse(inner, rest, context)]


def leaves(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        found += leaves(command, (*path, name)) if isinstance(command, click.Group) else [(*path, name)]
    return found


@pytest.mark.parametrize(("page", "line"), LINES, ids=[line for _, line in LINES])
def test_the_documented_command_line_is_taken(page: str, line: str) -> None:
    assert parse(cli, shlex.split(line, comments=True)[1:])


def test_every_command_is_documented() -> None:
    shown = {" ".join(line.split()[1:]) for _, line in LINES}
    missing = [leaf for leaf in leaves(cli) if not any(s.startswith(" ".join(leaf)) for s in shown)]
    assert missing == []


@pytest.mark.parametrize("leaf", leaves(cli), ids=" ".join)
def test_every_help_has_an_example_that_is_taken(leaf: tuple[str, ...]) -> None:
    command: click.Command | None = cli
    for name in leaf:
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), name)
    assert command is not None
    example = (command.epilog or "").removeprefix("Example: ")
    assert example.startswith(f"satisfice {' '.join(leaf)}")
    assert parse(cli, shlex.split(example)[1:])
