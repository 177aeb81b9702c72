"""Command lines that documents show, parsed without running them."""

from __future__ import annotations

import click


def parse(words: list[str], command: click.Command) -> None:
    """Parse a command line without running it; click raises what it would tell a person."""
    context = click.Context(command)
    while isinstance(command, click.Group):
        found = command.get_command(context, words[0])
        assert found is not None, f"no command {words[0]!r}"
        command, words = found, words[1:]
    command.make_context(command.name, list(words))
