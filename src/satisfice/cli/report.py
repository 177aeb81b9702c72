"""``satisfice report`` and ``satisfice dashboard``."""

from __future__ import annotations

from pathlib import Path

import click

from satisfice.cli import options
from satisfice.cli.output import print_json
from satisfice.errors import InputError


@click.command(epilog="Example: satisfice report digits-edge --output reports/digits")
@click.argument("name")
@options.storage
@click.option("--output", metavar="DIR", help="Where the report goes.  [default: reports/NAME]")
@options.as_json
def report(name: str, storage: str | None, output: str | None, as_json: bool) -> None:
    """Write plots and tables of a stored study as pages that open offline."""
    directory = Path(output) if output is not None else Path("reports") / name
    if directory.exists() and not directory.is_dir():
        raise InputError(f"--output {directory} is a file", hint="name a folder")
    index = options.open_study(name, storage).report(directory)
    if as_json:
        print_json({"name": name, "report": str(index)})
    else:
        click.echo(f"report: {index}")


@click.command(epilog="Example: satisfice dashboard --storage postgresql://me@db/studies --port 8080")
@options.storage
@click.option("--host", default="127.0.0.1", show_default=True, metavar="H", help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8080, show_default=True, metavar="P", help="Port to listen on."
)
def dashboard(storage: str | None, host: str, port: int) -> None:
    """Show all studies in optuna-dashboard, with feasibility shown right."""
    from satisfice.dashboard import serve

    options.quiet()
    serve(options.existing(storage), host=host, port=port)
