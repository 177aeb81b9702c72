"""``satisfice status``, ``satisfice best`` and ``satisfice pareto``: questions to a stored study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from satisfice.cli import options
from satisfice.cli.errors import EXIT_FAILED, say
from satisfice.cli.output import console, number, print_json, seconds, trial_json, trial_table
from satisfice.errors import NoFeasibleTrial


@click.command(epilog="Example: satisfice status digits-edge --json")
@click.argument("name", required=False)
@options.storage
@options.as_json
def status(name: str | None, storage: str | None, as_json: bool) -> None:
    """Trials by state, workers alive and budget left, of one study or of all."""
    if name is not None:
        found = options.open_study(name, storage).status()
        if as_json:
            print_json(found)
        else:
            show_status(found)
        return
    from satisfice.study import list_studies, load_study

    options.quiet()
    url = options.existing(storage)
    all_found = [load_study(each, storage=url).status() for each in list_studies(url)]
    if as_json:
        print_json(all_found)
    else:
        _show_all(all_found)


@click.command(epilog='Example: satisfice best digits-edge --maximize accuracy --where "size_mb <= 0.3"')
@click.argument("name")
@options.storage
@options.question
@options.as_json
@click.pass_context
def best(
    context: click.Context,
    name: str,
    storage: str | None,
    maximize: str | None,
    minimize: str | None,
    where: tuple[str, ...],
    as_json: bool,
) -> None:
    """The trial to ship: best on one metric among those that satisfy every constraint.

    Where none does, the nearest miss is named, the JSON is null, and the exit code is 1.
    """
    options.check_question(maximize, minimize, where)
    study = options.open_study(name, storage)
    try:
        trial = study.best(maximize=maximize, minimize=minimize, where=where)
    except NoFeasibleTrial as error:
        if as_json:
            print_json(None)
        say(str(error))
        context.exit(EXIT_FAILED)
    waiting = study.status()["waiting"]
    if waiting:
        say(waiting)
    if as_json:
        print_json(trial_json(trial))
        return
    for key, value in trial.metrics.items():
        click.echo(f"{key:24} {number(value)}")
    click.echo(f"trial {trial.number}: " + ", ".join(f"{k} = {number(v)}" for k, v in trial.params.items()))


@click.command(epilog='Example: satisfice pareto digits-edge --where "latency_ms <= 1" --json')
@click.argument("name")
@options.storage
@options.question
@options.as_json
@click.pass_context
def pareto(
    context: click.Context,
    name: str,
    storage: str | None,
    maximize: str | None,
    minimize: str | None,
    where: tuple[str, ...],
    as_json: bool,
) -> None:
    """The feasible Pareto front, best on the first objective (or the one asked for) first.

    Where nothing is feasible, the nearest miss is named, the JSON is an empty list, and the exit code is 1.
    """
    options.check_question(maximize, minimize, where)
    study = options.open_study(name, storage)
    try:
        study.best(maximize=maximize, minimize=minimize, where=where)  # refuses a metric that no trial has
    except NoFeasibleTrial as error:
        if as_json:
            print_json([])
        say(str(error))
        context.exit(EXIT_FAILED)
    front = study.pareto_front(where=list(where))
    waiting = study.status()["waiting"]
    if waiting:
        say(waiting)
    asked = maximize or minimize
    if asked is not None:
        sign = -1.0 if maximize else 1.0
        front = sorted(front, key=lambda t: sign * t.metrics.get(asked, float("inf") * sign))
    if as_json:
        print_json([trial_json(trial) for trial in front])
    else:
        console().print(trial_table(front, study.spec.metric_names, title="feasible Pareto front"))


def show_status(found: Mapping[str, Any]) -> None:
    """The status of one study, for people."""
    budget = found["budget"]
    states = ", ".join(f"{count} {state}" for state, count in found["states"].items() if count)
    click.echo(f"study        {found['name']}")
    click.echo(f"budget       {budget['used']} of {budget['trials']} trials used")
    click.echo(f"trials       {states or 'none yet'}")
    if found["waiting"]:
        click.echo(f"waiting      {found['waiting']}")
    click.echo(f"workers      {found['workers']} alive")
    for each in found.get("workers_detail", []):
        click.echo("             " + ", ".join(f"{k} {number(v)}" for k, v in each.items() if v is not None))
    click.echo(f"turned away  {found['turned_away']} proposals before training")
    for constraint, count in found.get("turned_away_by_constraint", {}).items():
        click.echo(f"             {count} by {constraint}")
    if found.get("elapsed_s") is not None:
        click.echo(f"worked       {seconds(found['elapsed_s'])}")
    for i, sentence in enumerate(found.get("changes", [])):
        click.echo(f"{'changed' if i == 0 else '':12} {sentence}")


def _show_all(all_found: list[dict[str, Any]]) -> None:
    from rich.table import Table

    if not all_found:
        say("no study is stored here")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("study", "trials", "complete", "pruned", "failed", "turned away", "workers"):
        table.add_column(column, justify="left" if column == "study" else "right")
    for found in all_found:
        states, budget = found["states"], found["budget"]
        table.add_row(
            found["name"],
            f"{budget['used']}/{budget['trials']}",
            *(str(states.get(state, 0)) for state in ("COMPLETE", "PRUNED", "FAIL")),
            str(found["turned_away"]),
            str(found["workers"]),
        )
    console().print(table)
