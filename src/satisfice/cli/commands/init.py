"""``satisfice init``: a commented study file for a table of one's own."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

import click

from satisfice.cli import options
from satisfice.cli.output import print_json
from satisfice.errors import InputError


@click.command(epilog="Example: satisfice init customers.csv --target churned --output churn.toml")
@click.argument("file", metavar="FILE")
@click.option("--target", required=True, metavar="COLUMN", help="The column to predict.")
@click.option(
    "--output",
    metavar="STUDY.toml",
    help="The study file to write; never an existing one.  [default: FILE's name with .toml, here]",
)
@options.as_json
def init(file: str, target: str, output: str | None, as_json: bool) -> None:
    """Write a commented study file for a table: objective, family, search space and bounds that suit it.

    The columns are read as the study will read them; what was found in them stands in the comments.
    """
    from satisfice.store.atomic_files import written_whole
    from satisfice.study.before.starter import starter

    place = Path(f"{Path(file).name.split('.')[0] or 'study'}.toml") if output is None else Path(output)
    if place.suffix != ".toml":
        raise InputError(f"--output {output!r} is no study file", hint="its name ends in .toml")
    if place.exists():
        raise InputError(f"{place} exists", hint="remove it, or name another file by --output")
    if not place.parent.is_dir():
        raise InputError(f"there is no folder {place.parent}", hint="create it first")
    found = starter(Path(file), target, beside=place.parent)
    with written_whole(place) as part:
        part.write_text(found.content, encoding="utf-8")
    if as_json:
        told = {
            key: getattr(found, key) for key in ("name", "task", "family", "objective", "rows", "columns")
        }
        print_json({"output": str(place), **told, "notes": list(found.notes)})
        return
    click.echo(
        f"{place}: {found.task} of {target!r} from {found.rows:,} rows and {found.columns} columns, "
        f"{found.objective} with the family {found.family}"
    )
    for note in found.notes:
        click.echo(f"data: {note}")
    click.echo(f"next: satisfice check {quote(str(place))}, then satisfice run {quote(str(place))}")
