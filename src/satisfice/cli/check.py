"""``satisfice check``: is the study file right, and how much of its space fits?"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from satisfice.cli import options
from satisfice.cli.output import print_json

if TYPE_CHECKING:
    from satisfice.study.check import CheckResult, ConstraintShare

_LEAST = 0.0001  # percent: less is told as a bound


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
        print_json({"name": study.name, **asdict(result)})
    else:
        _show(study.name, result)


def _show(name: str, result: CheckResult) -> None:
    drawn = "1 configuration" if result.samples == 1 else f"{result.samples} configurations"
    click.echo(f"study {name!r} is valid; of {drawn} drawn from its space (in brackets: 95% interval)")
    for each in result.constraints:
        if each.share is None:
            click.echo(f"  {'–':>6}  {each.constraint}: {each.unknown}")
            continue
        driver = f", driven by {each.driver}" if each.driver else ""
        click.echo(
            f"  {_share(each.share):>6}  {_fit(each.at_most)} {each.constraint}"
            f" {_interval(each.low, each.high)} from {_configurations(each)}{driver}"
        )
    if result.broken:
        share = _share(result.broken / result.samples)
        click.echo(f"  {share:>6}  cannot be built or measured: {result.broken_by}")
    if result.constraints:
        span = _interval(result.low, result.high)
        click.echo(f"  {_share(result.together):>6}  {_fit(result.at_most)} all of them {span}")
    else:
        click.echo("  the study has no constraint, so nothing is turned away for its size or speed")


def _configurations(each: ConstraintShare) -> str:
    kind = " measured" if each.measured else ""
    return f"1 configuration{kind}" if each.samples == 1 else f"{each.samples} configurations{kind}"


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"[{_share(low)} to {_share(high)}]"


def _share(share: float) -> str:
    """A percentage that is 0 or 100 only where the share is."""
    text = f"{share:.1%}"
    if text not in ("0.0%", "100.0%") or share in (0, 1):
        return text
    rest = 100 * min(share, 1 - share)
    if rest < _LEAST:
        return f"under {_LEAST:g}%" if share < 0.5 else f"over {100 - _LEAST:g}%"
    return f"{rest:.2g}%" if share < 0.5 else f"{100 - rest:.7g}%"


def _fit(at_most: bool) -> str:
    return "may fit" if at_most else "fit"
