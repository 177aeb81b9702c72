"""``satisfice check``: is the study file right, how much of its space fits, and does its code train?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from satisfice.cli import options
from satisfice.cli.errors import EXIT_FAILED, say, say_failed
from satisfice.cli.output import number, print_json
from satisfice.results.as_json import notes_json

if TYPE_CHECKING:
    from satisfice.results.check import CheckResult, ConstraintShare, ProfileShare
    from satisfice.results.rehearsal import Rehearsal

_LEAST = 0.0001  # percent: less is told as a bound
_ENDED = {
    "finished": "finished",
    "stopped": "stopped, as it was asked to,",
    "pruned": "was pruned by its own code, or diverged,",
    "out of time": "was ended at the time limit",
}


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
@click.option(
    "--train/--no-train",
    default=True,
    help="Train one configuration for one epoch, a family on few rows.  [default: --train]",
)
@click.option(
    "--time-limit",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="For that training.",
)
@options.storage
@options.as_json
def check(
    study_file: str, samples: int, train: bool, time_limit: float, storage: str | None, as_json: bool
) -> None:
    """Validate a study file, say what share of its space fits and what drives it, and try its training.

    Nothing is written; the storage is asked for the trial that `teacher` names, if any.
    Where the training fails, its traceback is shown, and the exit code is 1.
    """
    from satisfice.study import create_study

    options.quiet()
    study = create_study(study_file, storage="sqlite://")
    if study.missing_teachers:
        study.take_teachers(options.existing(storage))
    result = study.check(n=samples)
    notes = study.data_notes()
    if not as_json:
        _show(study.name, result)
        for note in notes:
            click.echo(f"data: {note}")
    rehearsal = None
    if train:
        say(f"training one configuration for a moment, {time_limit:g} s at most (--no-train leaves it out)")
        rehearsal = study.rehearse(time_limit_s=time_limit)
    if as_json:
        print_json({"name": study.name, **result, "training": rehearsal, "data_notes": notes_json(notes)})
    elif rehearsal is not None:
        _show_training(rehearsal, study.spec.metric_names)
    if rehearsal is not None and rehearsal.problem is not None:
        say_failed(f"the training fails: {rehearsal.problem}", rehearsal.traceback)
        click.get_current_context().exit(EXIT_FAILED)


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
    elif not result.profiles:
        click.echo("  the study has no constraint, so nothing is turned away for its size or speed")
    for profile in result.profiles:
        _show_profile(profile)


def _show_profile(each: ProfileShare) -> None:
    bounds = f" {' and '.join(each.constraints)}" if each.constraints else " its bounds"
    span = _interval(each.low, each.high)
    click.echo(f"  {_share(each.share):>6}  {_fit(each.at_most)} profile {each.profile},{bounds} {span}")
    click.echo(f"          chosen by: {each.chosen_by}")
    for key in each.idle:
        click.echo(f"          {key} changes nothing: [constraints] is at least as strict")


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


def _show_training(found: Rehearsal, names: Sequence[str]) -> None:
    """How the training went, unless it failed."""
    if found.params is None:
        click.echo("no configuration that fits was found: nothing was trained")
    if found.params is None or found.problem is not None:
        return
    metrics = [f"{name} {number(found.metrics[name])}" for name in names if name in found.metrics]
    reports = "1 report" if found.steps == 1 else f"{found.steps} reports"
    what = f"{_ENDED[found.ended]} after {found.seconds:.1f} s and {reports}"
    click.echo(f"one short training {what}" + (f": {', '.join(metrics)}" if metrics else ""))
    for note in found.notes:
        click.echo(f"  {note}")


def _fit(at_most: bool) -> str:
    return "may fit" if at_most else "fit"
