"""``satisfice delete``, ``satisfice export`` and ``satisfice import``."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from shlex import quote

import click

from satisfice.cli import options
from satisfice.cli.output import print_json
from satisfice.errors import InputError


@click.command("delete", epilog="Example: satisfice delete digits-edge --yes")
@click.argument("name")
@options.storage
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete_(name: str, storage: str | None, yes: bool) -> None:
    """Remove a study with its trials and artefacts."""
    from satisfice.store import studies
    from satisfice.study.opening import delete, find, open_database

    options.quiet()
    with closing(open_database(options.existing(storage))) as db:
        row = find(db, name)
        used = studies.count_trials(db, row["uuid"])
        trials = "1 trial" if used == 1 else f"{used} trials"
        options.confirm(f"delete the study {name!r} with its {trials}?", yes=yes)
        delete(db, row)
        click.echo(f"study {name!r} is deleted")


@click.command(epilog="Example: satisfice export digits-edge --output digits.satisfice.zip")
@click.argument("name")
@options.storage
@click.option("--output", metavar="FILE", help="Where it goes.  [default: NAME.satisfice.zip]")
@options.as_json
def export(name: str, storage: str | None, output: str | None, as_json: bool) -> None:
    """Write a study to one file, to take it to another database."""
    path = Path(f"{name}.satisfice.zip" if output is None else options.not_empty("--output", output))
    if path.is_dir():
        raise InputError(f"--output {path} is a folder", hint="name a file in it")
    if path.exists():
        raise InputError(f"{path} exists already", hint="name another file by --output, or remove it")
    if not path.parent.exists():
        raise InputError(f"--output {path}: there is no folder {path.parent}", hint="create it first")
    options.check_folder("--output", str(path.parent))
    options.open_study(name, storage).export(path)
    if as_json:
        print_json({"name": name, "file": str(path)})
    else:
        click.echo(f"study {name!r} is in {path}; elsewhere: satisfice import {quote(str(path))}")


@click.command(
    "import", epilog="Example: satisfice import digits.satisfice.zip --storage postgresql://me@db/studies"
)
@click.argument("source", metavar="FILE|URL")
@options.storage
@options.as_json
def import_(source: str, storage: str | None, as_json: bool) -> None:
    """Take in an exported study, or adopt the Optuna studies of another database."""
    from satisfice.cli.errors import keep_secret
    from satisfice.study import import_study

    keep_secret(options.not_empty("FILE|URL", source))
    if "://" not in source and not Path(source).is_file():
        raise InputError(f"{source}: no such file", hint="give an exported file or a database URL")
    options.quiet()
    options.lasting(storage)
    imported = import_study(source, storage)
    if as_json:
        print_json([study.status() for study in imported])
    else:
        for study in imported:
            used = study.status()["budget"]["used"]
            trials = "1 trial" if used == 1 else f"{used} trials"
            click.echo(f"imported study {study.name!r} with {trials}")
