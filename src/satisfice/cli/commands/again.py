"""``satisfice ablate``, ``replay``: stored trials trained again, with a change or without."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from satisfice.cli import answer, options
from satisfice.cli.errors import EXIT_FAILED, say
from satisfice.cli.output import console, number, print_json

if TYPE_CHECKING:
    from satisfice.results.importance import Ablation, AblationRow

_PLOT = 21  # characters of an interval's drawing; odd, so that zero is in the middle


@click.command(epilog="Example: satisfice ablate digits-edge --seeds 3 --workers 2")
@click.argument("name")
@click.option(
    "--trial",
    type=click.IntRange(min=0),
    metavar="N",
    help="The configuration to take apart.  [default: the one that `best` chooses]",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    metavar="N",
    help="Trainings of each configuration.",
)
@click.option("--towards", is_flag=True, help="Also add each change alone to the default configuration.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Begin no further training after so long.",
)
@click.option("--metric", "metrics", multiple=True, metavar="METRIC", help="Also show this; may be repeated.")
@options.workers
@options.storage
@options.as_json
def ablate(
    name: str,
    trial: int | None,
    seeds: int,
    towards: bool,
    timeout: float | None,
    metrics: tuple[str, ...],
    workers: int,
    storage: str | None,
    as_json: bool,
) -> None:
    """Switch each technique of a trial off alone, train each with several seeds, and compare.

    The trainings are a study of their own, NAME-ablation-N, in the same storage: the same command goes on
    where it was interrupted. An effect is what a metric gains by the technique, with its 95% interval. The
    tables show the metrics that the study names, and --metric others; the JSON has all that were recorded.
    """
    options.quiet()
    study = options.open_study(name, storage)
    found = study.ablate(
        trial,
        seeds,
        towards=towards,
        workers=workers,
        timeout_s=timeout,
        progress=_Trainings(),
    )
    if as_json:
        rows = found.rows()
        print_json({**{key: value for key, value in found.items() if key != "table"}, "rows": rows})
        return
    _show(found, [*study.spec.metric_names, *metrics])


class _Trainings:
    """Says now and then how many trainings have ended."""

    def __init__(self) -> None:
        self._said_at = -math.inf

    def __call__(self, counts: Mapping[str, Any]) -> None:
        from satisfice.cli.progress import PLAIN_EVERY_S, finished

        if time.monotonic() - self._said_at >= PLAIN_EVERY_S:
            self._said_at = time.monotonic()
            say(f"{finished(counts)}/{counts['budget']['trials']} trainings")


def _show(found: Ablation, named: Sequence[str]) -> None:
    from rich.table import Table

    for metric in (m for m in dict.fromkeys(row.metric for row in found.table) if m in named):
        rows = [row for row in found.table if row.metric == metric]
        if all(row.effect in (None, 0) for row in rows):
            answer.give(f"{metric}: no technique changes it\n")
            continue
        better = {"maximize": ", more is better", "minimize": ", less is better"}.get(
            rows[0].direction or "", ""
        )
        table = Table(
            title=f"{metric}{better}: what each is worth",
            title_justify="left",
            box=None,
            header_style="bold",
            pad_edge=False,
        )
        for column in ("technique", "change", "effect", "95% interval", "", "verdict"):
            table.add_column(column, no_wrap=column != "change")
        reach = max((abs(x) for r in rows for x in (r.effect, r.low, r.high) if x is not None), default=0.0)
        for row in rows:
            span = "–" if row.low is None else f"{number(row.low)} to {number(row.high)}"
            label = f"{row.technique} (added)" if row.kind == "with" else row.technique
            table.add_row(label, row.change, number(row.effect), span, _drawn(row, reach), row.verdict)
        console().print(table)
    lost = f", {found.lost} diverged or failed" if found.lost else ""
    what = f"trial {found.trial} of {found.parent}, {found.trainings} trainings{lost}"
    answer.give(f"{what}, kept as study {found.study}\n")
    if found.seeds == 1:
        say("one seed tells nothing of chance: --seeds 3 gives intervals")


def _drawn(row: AblationRow, reach: float) -> str:
    """The interval on a line whose middle is zero."""
    if row.effect is None or not reach:
        return " " * _PLOT
    middle = _PLOT // 2

    def place(value: float) -> int:
        return middle + math.floor(value / reach * middle + 0.5)

    cells = [" "] * _PLOT
    cells[middle] = "|"
    if row.low is not None and row.high is not None:
        for at in range(place(row.low), place(row.high) + 1):
            cells[at] = "-"
    cells[place(row.effect)] = "o"
    return "".join(cells)


@click.command(epilog="Example: satisfice replay digits-edge 17")
@click.argument("name")
@click.argument("trial", metavar="NUMBER", type=click.IntRange(min=0))
@options.storage
@options.as_json
@click.pass_context
def replay(context: click.Context, name: str, trial: int, storage: str | None, as_json: bool) -> None:
    """Train one stored trial again with its own seed, and compare; the study is not changed."""
    result = options.open_study(name, storage).replay(trial)
    if as_json:
        print_json(result)
    else:
        from satisfice.spec.metric import one_unit

        for metric in one_unit((), result.stored):
            stored = result.stored[metric]
            again = result.metrics.get(metric)
            click.echo(f"{metric:24} stored {number(stored):>12}   now {number(again):>12}")
        click.echo("the same" if result.same else "different")
    if not result.same:
        context.exit(EXIT_FAILED)
