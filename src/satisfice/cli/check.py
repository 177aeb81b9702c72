"""``satisfice check``: is the study file right, and how much of its space fits?"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from satisfice.cli import options
from satisfice.cli.output import notes_json, print_json

if TYPE_CHECKING:
    from satisfice.study import CheckResult


@click.command(epilog="Example: satisfice check studies/digits_edge.toml")
@click.argument("study_file", metavar="STUDY.toml")
@click.option(
    "--samples",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    metavar="N",
    help="Configurations drawn.",
)
@options.as_json
def check(study_file: str, samples: int, as_json: bool) -> None:
    """Validate a study file, and say what share of its space fits and what drives it.

    Nothing is trained and nothing is written.
    """
    from satisfice.study import create_study

    options.quiet()
    study = create_study(study_file, storage="sqlite://")
    result = study.check(n=samples)
    if as_json:
        print_json({"name": study.name, **asdict(result), "data_notes": notes_json(study.data_notes())})
    else:
        _show(study.name, result)
        for note in study.data_notes():
            click.echo(f"data: {note}")


def _show(name: str, result: CheckResult) -> None:
    click.echo(f"study {name!r} is valid; of {result.samples} configurations drawn from its space")
    for each in result.constraints:
        if each.share is None:
            click.echo(f"  {'–':>6}  {each.constraint}: known only after training")
            continue
        driver = f", driven by {each.driver}" if each.driver else ""
        click.echo(f"  {each.share:6.1%}  {_fit(each.at_most)} {each.constraint}{driver}")
    if result.broken:
        click.echo(
            f"  {result.broken / result.samples:6.1%}  cannot be built or measured: {result.broken_by}"
        )
    click.echo(f"  {result.together:6.1%}  {_fit(result.at_most)} all of them")


def _fit(at_most: bool) -> str:
    return "may fit" if at_most else "fit"
