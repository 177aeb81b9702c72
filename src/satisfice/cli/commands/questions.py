"""``satisfice compare``, ``price``, ``knee``, ``rank``, ``binding``, ``infeasible``: questions to a study."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from satisfice.cli import options
from satisfice.cli.errors import EXIT_FAILED, say
from satisfice.cli.output import number, print_csv, print_json, print_rows
from satisfice.errors import InputError, NoFeasibleTrial

if TYPE_CHECKING:
    from satisfice.results.questions import Tabular, TrialComparison, Unknown

Answer = TypeVar("Answer")


@click.command(epilog="Example: satisfice compare digits-edge 3 17")
@click.argument("name")
@click.argument("a", type=int)
@click.argument("b", type=int)
@options.storage
@options.where
@options.profile
@options.as_json
@options.as_csv
def compare(
    name: str,
    a: int,
    b: int,
    storage: str | None,
    where: tuple[str, ...],
    profile: str | None,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Two trials side by side: every metric with the better one, parameters that differ, bounds missed.

    Each is taken by itself, without its replicates. A difference has its 95% interval where its noise is
    known: of scores from the rows that both were scored on.
    """
    _check(None, None, where, as_json, as_csv)
    found = options.open_study(name, storage).compare(a, b, where=where, profile=profile)
    if not _printed(found, as_json, as_csv):
        _show_comparison(found)


@click.command(epilog='Example: satisfice price digits-edge size_mb --where "latency_ms <= 1"')
@click.argument("name")
@click.argument("metric")
@options.storage
@options.question
@options.profile
@options.as_json
@options.as_csv
@click.pass_context
def price(
    context: click.Context,
    name: str,
    metric: str,
    storage: str | None,
    maximize: str | None,
    minimize: str | None,
    where: tuple[str, ...],
    profile: str | None,
    as_json: bool,
    as_csv: bool,
) -> None:
    """What the next step of METRIC buys, along the feasible front of it and the first objective.

    Where nothing is feasible, the nearest miss is named, the JSON is null, and the exit code is 1.
    """
    _check(maximize, minimize, where, as_json, as_csv)
    study = options.open_study(name, storage)
    found = _asked(
        context,
        lambda: study.price_of(metric, maximize=maximize, minimize=minimize, where=where, profile=profile),
        as_json,
    )
    if not _printed(found, as_json, as_csv):
        title = f"{found.objective} against {found.metric}, from the cheapest trial that fits to the best"
        print_rows([_renamed(row, number="trial") for row in found.rows()], title=title)
        _close(found.sentence, found.unknown)


@click.command(epilog='Example: satisfice knee digits-edge --where "latency_ms <= 1"')
@click.argument("name")
@options.storage
@click.option(
    "--objective",
    "objectives",
    multiple=True,
    metavar="METRIC",
    help="An objective of the front, instead of the study's; may be repeated.",
)
@options.where
@options.profile
@options.as_json
@options.as_csv
@click.pass_context
def knee(
    context: click.Context,
    name: str,
    storage: str | None,
    objectives: tuple[str, ...],
    where: tuple[str, ...],
    profile: str | None,
    as_json: bool,
    as_csv: bool,
) -> None:
    """The trial of the feasible front where a little more of one objective begins to cost much of another.

    Where nothing is feasible, the nearest miss is named, the JSON is null, and the exit code is 1. A front
    may have no knee: then its JSON has a trial of null.
    """
    _check(None, None, where, as_json, as_csv)
    study = options.open_study(name, storage)
    found = _asked(context, lambda: study.knee(objectives or None, where=where, profile=profile), as_json)
    if not _printed(found, as_json, as_csv):
        print_rows([_renamed(row, number="trial") for row in found.rows()], title="feasible Pareto front")
        _close(found.sentence, found.unknown)


@click.command(epilog="Example: satisfice rank digits-edge --weight accuracy=2 --weight size_mb=1")
@click.argument("name")
@options.storage
@click.option(
    "--weight",
    "weights",
    multiple=True,
    metavar="METRIC=W",
    help="How much a metric counts, for instance --weight accuracy=2; may be repeated.",
)
@options.where
@options.profile
@options.as_json
@options.as_csv
@click.pass_context
def rank(
    context: click.Context,
    name: str,
    storage: str | None,
    weights: tuple[str, ...],
    where: tuple[str, ...],
    profile: str | None,
    as_json: bool,
    as_csv: bool,
) -> None:
    """The feasible front of some metrics in the order of weights (TOPSIS).

    A weight says how much the range of its metric over the front counts beside the others. Where nothing is
    feasible, the nearest miss is named, the JSON is null, and the exit code is 1.
    """
    _check(None, None, where, as_json, as_csv)
    parsed = _weights(weights)
    study = options.open_study(name, storage)
    found = _asked(context, lambda: study.ranking(parsed, where=where, profile=profile), as_json)
    if not _printed(found, as_json, as_csv):
        print_rows(
            [_renamed(row, number="trial") for row in found.rows()], title="feasible front, best first"
        )
        _close(found.sentence, found.unknown)


@click.command(epilog="Example: satisfice binding digits-edge --maximize accuracy")
@click.argument("name")
@options.storage
@options.question
@options.profile
@options.as_json
@options.as_csv
def binding(
    name: str,
    storage: str | None,
    maximize: str | None,
    minimize: str | None,
    where: tuple[str, ...],
    profile: str | None,
    as_json: bool,
    as_csv: bool,
) -> None:
    """What each bound costs: the best recorded trial with all bounds, and with each of them dropped."""
    _check(maximize, minimize, where, as_json, as_csv)
    study = options.open_study(name, storage)
    found = study.binding(maximize=maximize, minimize=minimize, where=where, profile=profile)
    if _printed(found, as_json, as_csv):
        return
    if found.best is None:
        click.echo("no finished trial satisfies every bound")
    else:
        click.echo(f"with every bound: trial {found.best.number}, {found.objective} {number(found.value)}")
    for bound in found.bounds:
        click.echo(bound.sentence)
    if not found.bounds:
        click.echo("there is no bound")
    _close("", found.unknown)


@click.command(epilog='Example: satisfice infeasible digits-edge --where "size_mb <= 0.01"')
@click.argument("name")
@options.storage
@options.where
@options.profile
@options.as_json
@options.as_csv
def infeasible(
    name: str,
    storage: str | None,
    where: tuple[str, ...],
    profile: str | None,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Why nothing fits: which bound is in the way, where it would have had a solution, the nearest trial."""
    _check(None, None, where, as_json, as_csv)
    found = options.open_study(name, storage).explain_infeasible(where=where, profile=profile)
    if _printed(found, as_json, as_csv):
        return
    click.echo(found.sentence)
    for bound in found.bounds:
        click.echo(bound.sentence)
    if found.nearest is not None:
        click.echo(found.nearest.sentence)
    for note in found.notes:
        click.echo(note)
    _close("", found.unknown)


def _weights(texts: Sequence[str]) -> dict[str, float]:
    """``accuracy=2`` and the like, read.

    Raises:
        InputError: One is none, or a metric is named twice.
    """
    found: dict[str, float] = {}
    for text in texts:
        metric, _, number_text = text.rpartition("=")
        try:
            weight = float(number_text)
        except ValueError:
            weight = math.nan
        if not metric.strip() or math.isnan(weight):
            raise InputError(f"--weight {text!r} is no weight", hint="write it as --weight accuracy=2")
        if metric.strip() in found:
            raise InputError(f"--weight names {metric.strip()} twice", hint="keep one of the two")
        found[metric.strip()] = weight
    return found


def _check(
    maximize: str | None, minimize: str | None, where: Sequence[str], as_json: bool, as_csv: bool
) -> None:
    """Refuse what is wrong in itself, before a database is opened."""
    options.check_question(maximize, minimize, where)
    if as_json and as_csv:
        raise InputError("both --json and --csv are given", hint="name one")


def _asked(context: click.Context, ask: Callable[[], Answer], as_json: bool) -> Answer:
    """The answer; where nothing is feasible, that is said, and the command ends with exit code 1."""
    try:
        return ask()
    except NoFeasibleTrial as error:
        if as_json:
            print_json(None)
        say(str(error))
        context.exit(EXIT_FAILED)


def _printed(found: Tabular, as_json: bool, as_csv: bool) -> bool:
    """Whether the answer was printed as a document."""
    if as_json:
        print_json(found)
    elif as_csv:
        print_csv(found.rows())
    return as_json or as_csv


def _close(sentence: str, unknown: Sequence[Unknown]) -> None:
    for said in (sentence, *(u.sentence for u in unknown)):
        if said:
            click.echo(said)


def _interval(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return ""
    return "exact" if low == high else f"{number(low)} to {number(high)}"


def _renamed(row: dict[str, Any], **names: str) -> dict[str, Any]:
    return {names.get(column, column): value for column, value in row.items()}


def _show_comparison(found: TrialComparison) -> None:
    trials = {"a": f"trial {found.a.number}", "b": f"trial {found.b.number}"}
    rows = [
        {
            "metric": m.metric,
            trials["a"]: m.a,
            trials["b"]: m.b,
            "difference": m.difference,
            "95% interval": _interval(m.low, m.high),
            "better": "within noise"
            if m.within_noise and m.difference
            else trials.get(m.better or "", m.better),
        }
        for m in found.metrics
    ]
    print_rows(rows, title="metrics")
    if found.params:
        print_rows(
            [{"parameter": p.param, trials["a"]: p.a, trials["b"]: p.b} for p in found.params],
            title="parameters that differ",
        )
    for bound in found.bounds:
        missing = [trials[side] for side in ("a", "b") if bound[side] > 0]
        if missing:
            click.echo(
                f"{' and '.join(missing)} {'miss' if len(missing) > 1 else 'misses'} {bound.constraint}"
            )
    for said in (found.sentence, *found.notes):
        click.echo(said)
