"""``satisfice check``: is the study file right, and how much of its space fits?"""

from __future__ import annotations

import click

from satisfice.cli import options
from satisfice.cli.output import print_json


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
    """Validate a study file, and say what share of its space fits each constraint and what drives it.

    Nothing is trained and nothing is written.
    """
    from satisfice.study import create_study

    options.quiet()
    study = create_study(study_file, storage="sqlite://")
    result = study.check(n=samples)
    if as_json:
        print_json(result)
