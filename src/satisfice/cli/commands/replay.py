"""``satisfice replay``: train one stored trial again, alone, from its record."""

from __future__ import annotations

import click

from satisfice.cli import options
from satisfice.cli.errors import EXIT_FAILED
from satisfice.cli.output import number as show
from satisfice.cli.output import print_json


@click.command(epilog="Example: satisfice replay digits-edge 17")
@click.argument("name")
@click.argument("number", type=click.IntRange(min=0))
@options.storage
@options.as_json
@click.pass_context
def replay(context: click.Context, name: str, number: int, storage: str | None, as_json: bool) -> None:
    """Train one stored trial again with its own seed, and compare; the study is not changed."""
    result = options.open_study(name, storage).replay(number)
    if as_json:
        print_json(result)
    else:
        from satisfice.spec.metric import one_unit

        for metric in one_unit((), result.stored):
            stored = result.stored[metric]
            again = result.metrics.get(metric)
            click.echo(f"{metric:24} stored {show(stored):>12}   now {show(again):>12}")
        click.echo("the same" if result.same else "different")
    if not result.same:
        context.exit(EXIT_FAILED)
