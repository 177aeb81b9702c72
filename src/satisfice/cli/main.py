"""Entry point of the ``satisfice`` command.

Everything heavy is imported inside the command that needs it: ``satisfice --help`` loads neither Optuna nor
torch.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import NoReturn

import click
from click.shell_completion import shell_complete

from satisfice.cli import answer
from satisfice.cli.errors import explain
from satisfice.registry import did_you_mean

# Command -> where it is defined, in the order of the help text.
_COMMANDS = {
    "init": "satisfice.cli.commands.init:init",
    "run": "satisfice.cli.commands.run:run",
    "check": "satisfice.cli.commands.check:check",
    "define": "satisfice.cli.commands.worker:define",
    "worker": "satisfice.cli.commands.worker:worker",
    "status": "satisfice.cli.commands.answers:status",
    "best": "satisfice.cli.commands.answers:best",
    "pareto": "satisfice.cli.commands.answers:pareto",
    "compare": "satisfice.cli.commands.questions:compare",
    "price": "satisfice.cli.commands.questions:price",
    "knee": "satisfice.cli.commands.questions:knee",
    "rank": "satisfice.cli.commands.questions:rank",
    "binding": "satisfice.cli.commands.questions:binding",
    "infeasible": "satisfice.cli.commands.questions:infeasible",
    "importance": "satisfice.cli.commands.importance:importance",
    "diagnose": "satisfice.cli.commands.understand:diagnose",
    "health": "satisfice.cli.commands.understand:health",
    "journal": "satisfice.cli.commands.understand:journal",
    "report": "satisfice.cli.commands.report:report",
    "dashboard": "satisfice.cli.commands.report:dashboard",
    "ablate": "satisfice.cli.commands.again:ablate",
    "lab": "satisfice.cli.commands.lab:lab",
    "replay": "satisfice.cli.commands.again:replay",
    "ship": "satisfice.cli.commands.ship:ship",
    "verify": "satisfice.cli.commands.shipped:verify",
    "serve": "satisfice.cli.commands.shipped:serve",
    "predict": "satisfice.cli.commands.shipped:predict",
    "delete": "satisfice.cli.commands.studies:delete_",
    "export": "satisfice.cli.commands.studies:export",
    "import": "satisfice.cli.commands.studies:import_",
    "db": "satisfice.cli.commands.db:db",
    "doctor": "satisfice.cli.commands.doctor:doctor",
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the help text."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but an unknown command names the nearest known one."""
        if args and not args[0].startswith("-") and args[0] not in _COMMANDS:
            hint = did_you_mean(args[0], list(_COMMANDS))
            raise click.UsageError(f"no such command {args[0]!r} ({hint})", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with: satisfice run studies/digits_edge.toml --workers 2",
)
@click.version_option(package_name="satisfice", message="satisfice %(version)s")
def cli() -> None:
    """Search hyperparameters for models that must ship inside a budget.

    The storage is --storage, else SATISFICE_STORAGE, else satisfice.db in the working directory.

    Exit codes: 0 done, 1 ran but failed, 2 the input is wrong and nothing was written, 130 interrupted.
    """


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code.

    Not by Click's own `main`, which ends the process itself where the reader of the output has gone.
    """
    completion = os.environ.get("_SATISFICE_COMPLETE")  # set by the shell, for Tab
    if completion:
        sys.exit(shell_complete(cli, {}, "satisfice", "_SATISFICE_COMPLETE", completion))
    words = sys.argv[1:] if arguments is None else arguments
    try:
        if "--json" in words or "--csv" in words:
            answer.reserve()  # before any code of others is imported
        with cli.make_context("satisfice", words) as context:
            cli.invoke(context)
        code = 0
    except BaseException as error:  # noqa: BLE001  # the outermost wall: everything becomes a sentence and a code
        code = explain(error)
    if arguments is not None:  # called by a program that goes on
        answer.release()
    sys.exit(code)


if __name__ == "__main__":
    main()
