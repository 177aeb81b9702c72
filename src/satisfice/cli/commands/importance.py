"""``satisfice importance``: what a model goes by, column by column."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from satisfice.cli import options
from satisfice.cli.errors import EXIT_FAILED, say
from satisfice.cli.output import print_csv, print_json, print_rows
from satisfice.errors import InputError, NoFeasibleTrial

if TYPE_CHECKING:
    from satisfice.results.importance import Importance

_MOST_COEFFICIENTS = 20  # that are shown to people


@click.command(epilog="Example: satisfice importance spam-phone --repeats 30")
@click.argument("name")
@click.option(
    "--trial", type=click.IntRange(min=0), metavar="N", help="Of this trial.  [default: the best that fits]"
)
@click.option(
    "--repeats",
    type=click.IntRange(min=1, max=1000),
    default=10,
    show_default=True,
    help="Permutations of each column.",
)
@options.storage
@options.as_json
@options.as_csv
@click.pass_context
def importance(
    context: click.Context,
    name: str,
    trial: int | None,
    repeats: int,
    storage: str | None,
    as_json: bool,
    as_csv: bool,
) -> None:
    """How much worse a model gets where the cells of a column are permuted, on validation rows.

    Trees also tell what their splits gain, linear models their coefficients. Where nothing is feasible, the
    nearest miss is named, the JSON is null, and the exit code is 1.
    """
    if as_json and as_csv:
        raise InputError("both --json and --csv are given", hint="name one")
    try:
        found = options.open_study(name, storage).importance(trial, repeats)
    except NoFeasibleTrial as error:
        if as_json:
            print_json(None)
        say(str(error))
        context.exit(EXIT_FAILED)
    if as_json:
        print_json(found)
    elif as_csv:
        print_csv(found.rows())
    else:
        _show(found)


def _show(found: Importance) -> None:
    print_rows(found.rows(), title=f"what trial {found.trial} of {found.study} goes by")
    click.echo(found.sentence)
    if found.coefficients is None:
        return
    largest = sorted(found.coefficients, key=lambda each: -abs(each.value))[:_MOST_COEFFICIENTS]
    several = any(each.label is not None for each in largest)
    rows = [
        {"feature": each.feature, **({"class": each.label} if several else {}), "coefficient": each.value}
        for each in largest
    ]
    left = len(found.coefficients) - len(largest)
    print_rows(rows, title="the largest coefficients" if left else "coefficients")
