"""``satisfice status``, ``satisfice best`` and ``satisfice pareto``: questions to a stored study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from satisfice.cli import options
from satisfice.cli.errors import EXIT_FAILED, say
from satisfice.cli.output import console, number, print_front, print_json, print_trials
from satisfice.cli.status import best_so_far, show_status
from satisfice.errors import NoFeasibleTrial
from satisfice.results.trial import BestSummary, TrialSummary

if TYPE_CHECKING:
    from satisfice.choose import BestTrial
    from satisfice.results.status import Status
    from satisfice.spec.study import Objective
    from satisfice.spec.trial import TrialRecord
    from satisfice.study import Study


@click.command(epilog="Example: satisfice status digits-edge --json")
@click.argument("name", required=False)
@options.storage
@options.as_json
def status(name: str | None, storage: str | None, as_json: bool) -> None:
    """Trials by state, the best so far, workers with their trials and budget left, of one study or of all."""
    if name is not None:
        study = options.open_study(name, storage)
        found = study.status()
        if as_json:
            print_json(found)
        else:
            show_status(found, study.spec)
        return
    from satisfice.study import list_studies, load_study

    options.quiet()
    url = options.existing(storage)
    studies = [load_study(each, storage=url) for each in list_studies(url)]
    if as_json:
        print_json([study.status() for study in studies])
    else:
        _show_all([(study.status(), study.spec.objectives[0].metric) for study in studies])


@click.command(epilog='Example: satisfice best digits-edge --maximize accuracy --where "size_mb <= 0.3"')
@click.argument("name")
@options.storage
@options.question
@options.order
@options.profile
@options.rule
@options.as_json
@click.pass_context
def best(
    context: click.Context,
    name: str,
    storage: str | None,
    maximize: str | None,
    minimize: str | None,
    where: tuple[str, ...],
    order: tuple[str, ...],
    profile: str | None,
    rule: str | None,
    as_json: bool,
) -> None:
    """The trial to ship: best on one metric among those that satisfy every constraint.

    With --order, each criterion keeps the trials within its tolerance of the best that is left. With
    --profile, --maximize, --minimize and --order take the place of the profile's own order, and --where adds
    to its bounds. With --rule one-standard-error it is the cheapest of those within one standard error of the
    best. Where no trial fits, the nearest miss is named, the JSON is null, and the exit code is 1.
    """
    options.check_question(maximize, minimize, where)
    options.check_rule(rule)
    study = options.open_study(name, storage)
    try:
        trial = study.best(
            maximize=maximize, minimize=minimize, where=where, order=order, profile=profile, rule=rule
        )
    except NoFeasibleTrial as error:
        if as_json:
            print_json(None)
        say(str(error))
        _say_unknown(study, where, profile)
        context.exit(EXIT_FAILED)
    _say_around(study, where, profile)
    if as_json:
        print_json(BestSummary.of_best(trial))
        return
    _show_best(study, trial, (maximize, minimize, where, order, profile))


@click.command(epilog='Example: satisfice pareto digits-edge --where "latency_ms <= 1" --json')
@click.argument("name")
@options.storage
@options.question
@options.profile
@options.rule
@options.as_json
@click.pass_context
def pareto(
    context: click.Context,
    name: str,
    storage: str | None,
    maximize: str | None,
    minimize: str | None,
    where: tuple[str, ...],
    profile: str | None,
    rule: str | None,
    as_json: bool,
) -> None:
    """The feasible Pareto front, best on the first objective (or the one asked for) first.

    A star marks the trial that best chooses by the rule. A row that adds nothing beyond noise names the row
    that covers it: "same as 12". Where nothing is feasible, the nearest miss is named, the JSON is an empty
    list, and the exit code is 1.
    """
    options.check_question(maximize, minimize, where)
    options.check_rule(rule)
    study = options.open_study(name, storage)
    try:  # refuses a metric that no trial has
        chosen = study.best(maximize=maximize, minimize=minimize, where=where, profile=profile, rule=rule)
    except NoFeasibleTrial as error:
        if as_json:
            print_json([])
        say(str(error))
        _say_unknown(study, where, profile)
        context.exit(EXIT_FAILED)
    front = study.pareto_front(where=list(where), profile=profile)
    _say_around(study, where, profile)
    asked = maximize or minimize
    if asked is not None:
        sign = -1.0 if maximize else 1.0
        front = sorted(front, key=lambda t: sign * t.metrics.get(asked, float("inf") * sign))
    same = study.same_within_noise(where=list(where), profile=profile)
    if as_json:
        print_json([{**TrialSummary.of(trial), "same_as": same.get(trial.number)} for trial in front])
        return
    from satisfice.choose import asked as asked_of
    from satisfice.choose import merge_constraints

    question = asked_of(study.spec, profile)
    bounds = merge_constraints(question.constraints, where)
    # What is asked about is shown, also where the study does not name it.
    metrics = [*study.spec.metric_names, *([asked] if asked else []), *(c.metric for c in bounds)]
    title = f"{front_title(front, question.objectives)} (* chosen)"
    print_trials(
        front,
        metrics,
        title=title,
        chosen=chosen.number,
        constraints=bounds,
        objectives=question.objectives,
        covered_by=same,
    )
    if same:
        click.echo(front_words(len(front), same))
    print_front(front, question.objectives)


def _say_around(study: Study, where: Sequence[str], profile: str | None) -> None:
    """What the answer does not know of: trials that wait to be timed, and what was turned away."""
    status = study.counts()
    if status.waiting:
        say(status.waiting)
    beyond_profiles = profile is None and study.spec.profiles  # what no profile can use is not trained
    if where or status.spec_version > 1 or beyond_profiles:  # else nothing inside was turned away
        _say_unknown(study, where, profile)


def _say_unknown(study: Study, where: Sequence[str], profile: str | None) -> None:
    for unknown in study.unknown_beyond(where, profile=profile):
        say(unknown.sentence)


def front_words(count: int, same: Mapping[int, int]) -> str:
    """How many of the rows differ by more than noise."""
    return (
        f"{count - len(same)} of {count} rows differ by more than noise; the others name one that covers them"
    )


def front_title(front: Sequence[TrialRecord], objectives: Sequence[Objective]) -> str:
    """What a table of the front is called: with one objective there is nothing to trade."""
    if len(objectives) > 1:
        return "feasible Pareto front"
    trials = "the best trial that fits" if len(front) == 1 else f"the {len(front)} best trials that fit, tied"
    return f"{trials} (one objective: {objectives[0].metric})"


def _show_best(
    study: Study,
    trial: BestTrial,
    question: tuple[str | None, str | None, Sequence[str], Sequence[str], str | None],
) -> None:
    """The answer in a sentence, every metric in one unit, the parameters."""
    from satisfice.choose import asked, merge_constraints
    from satisfice.choose.asked import without_implied
    from satisfice.choose.best import in_order
    from satisfice.choose.bounds import beside, metric_value
    from satisfice.choose.noise.words import expected_words, split_remarks, tied_words
    from satisfice.cli.commands.report import view_of
    from satisfice.report.headline import headline
    from satisfice.report.summary import seeds
    from satisfice.spec.metric import one_unit
    from satisfice.spec.standard_error import NORMAL_95, in_every_unit

    maximize, minimize, where, order, profile = question
    of = asked(study.spec, profile)
    constraints = without_implied(merge_constraints(of.constraints, where))
    by = of.preference(order, maximize, minimize)
    criteria = in_order(of.objectives, constraints, maximize, minimize, by)
    goals = tuple(c.objective for c in criteria)
    view, context = view_of(study, chosen=trial.number)
    click.echo(headline(replace(view, objectives=goals, constraints=constraints), context))
    for said in (
        tied_words(trial.number, trial.tied, trial.cheapest_tied),
        expected_words(trial.expected),
        *split_remarks(
            [g.metric for g in goals],
            trial.metrics,
            trial.standard_errors,
            context.test_metrics,
            context.test_errors,
        ),
    ):
        if said:
            click.echo(said)
    for said in seeds(view, context):
        click.echo(said)
    for said in context.notes:
        if said.startswith(f"Trial {trial.number} was dropped"):
            click.echo(said)
    for name in one_unit(study.spec.metric_names, trial.metrics):
        value = metric_value(trial, name)
        shown = number(None) if value is None else beside(value, [c for c in constraints if c.metric == name])
        error = in_every_unit([name], trial.standard_errors).get(name)
        within = f" ± {number(NORMAL_95 * error)}" if error else ""
        click.echo(f"{trial.label(name):24} {shown}{within}")
    click.echo(f"trial {trial.number}: " + ", ".join(f"{k} = {number(v)}" for k, v in trial.params.items()))


def _show_all(all_found: Sequence[tuple[Status, str]]) -> None:
    from rich.table import Table

    if not all_found:
        say("no study is stored here")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in (
        "study",
        "trials",
        "complete",
        "pruned",
        "failed",
        "turned away",
        "workers",
        "best so far",
    ):
        left = column in ("study", "best so far")  # the others wrap between words where a line is short
        table.add_column(column, justify="left" if left else "right", no_wrap=column == "study")
    for found, objective in all_found:
        states, budget = found["states"], found["budget"]
        table.add_row(
            found["name"],
            f"{budget['used']}/{budget['trials']}",
            *(str(states.get(state, 0)) for state in ("COMPLETE", "PRUNED", "FAIL")),
            str(found["turned_away"]),
            str(found["workers"]),
            best_so_far(found, objective),
        )
    console().print(table)
