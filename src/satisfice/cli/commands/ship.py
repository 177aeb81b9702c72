"""``satisfice ship``: the model of a stored study as a folder for production."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click

from satisfice.cli import answer, options
from satisfice.cli.output import console, number, print_json

if TYPE_CHECKING:
    from satisfice.results.shipped_folder import ShippedFolder


@click.command(epilog="Example: satisfice ship digits-edge --output shipped")
@click.argument("name")
@click.option("--output", required=True, metavar="DIR", help="A new folder, or a shipped one to replace.")
@click.option(
    "--trial",
    type=click.IntRange(min=0),
    metavar="N",
    help="Ship this trial.  [default: the best that fits, measured again]",
)
@click.option("--force", is_flag=True, help="Ship a trial that misses a bound; its model card says so.")
@options.profile
@options.storage
@options.as_json
def ship(
    name: str,
    output: str,
    trial: int | None,
    force: bool,
    profile: str | None,
    storage: str | None,
    as_json: bool,
) -> None:
    """Write a study's model as a folder: the ONNX file, promises, golden answers, a card, a program.

    The file is scored on the test split. Next: satisfice verify, serve and predict, which need the folder
    alone.
    """
    place = options.check_folder("--output", output)
    study = options.open_study(name, storage)
    shipped = study.ship(place, trial, force, profile)
    if as_json:
        print_json(shipped)
        return
    _show(shipped)


def _show(shipped: ShippedFolder) -> None:
    from rich.table import Table

    told = {True: "fits", False: "does NOT fit", None: "has no verdict yet"}[shipped.fits]
    answer.give(f"trial {shipped.trial} of {shipped.study} {told}: {shipped.directory}\n")
    for title, rows in (
        (("file", "bytes"), [(file, f"{size:,}") for file, size in shipped.files.items()]),
        (("promise", "bound", "measured", "95% interval"), [_promise(each) for each in shipped.promises]),
        (("score", "split", "value", "95% interval"), _scores(shipped)),
    ):
        table = Table(box=None, header_style="bold", pad_edge=False)
        for column in title:
            table.add_column(column, no_wrap=True)
        for row in rows:
            table.add_row(*row)
        console().print(table)
    where = shlex.quote(shipped.directory)
    for after in ("verify {}", "serve {}", "predict {} --data FILE --output FILE"):
        answer.give(f"next: satisfice {after.format(where)}\n")


def _promise(promise: Any) -> tuple[str, ...]:
    return (
        promise["metric"],
        promise["bound"] or "",
        number(promise["value"]),
        _span(promise["low"], promise["high"]),
    )


def _scores(shipped: ShippedFolder) -> list[tuple[str, ...]]:
    """On the test split; those of validation are in the card."""
    return [
        (name, f"{score['split']}, {score['rows']} rows", number(value), _span(*score["intervals"][name]))
        for score in shipped.scores
        if score["split"] == "test"
        for name, value in score["metrics"].items()
    ]


def _span(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{number(low)} to {number(high)}"
