"""``satisfice report`` and ``satisfice dashboard``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from satisfice.cli import options
from satisfice.cli.errors import say
from satisfice.cli.output import print_json
from satisfice.errors import InputError

if TYPE_CHECKING:
    from satisfice.report.context import StudyView
    from satisfice.results.report_context import ReportContext
    from satisfice.study import Study


@click.command(epilog="Example: satisfice report digits-edge --output reports/digits")
@click.argument("name")
@options.storage
@click.option("--output", metavar="DIR", help="Where the report goes.  [default: reports/NAME]")
@options.as_json
def report(name: str, storage: str | None, output: str | None, as_json: bool) -> None:
    """Write plots and tables of a stored study as pages that open offline."""
    directory = options.check_folder("--output", f"reports/{name}" if output is None else output)
    from satisfice.report.headline import headline

    study = options.open_study(name, storage)
    index = study.report(directory)
    said = headline(*view_of(study))
    if as_json:
        print_json({"name": name, "headline": said, "report": str(index)})
    else:
        click.echo(said)
        click.echo(f"report: {index}")


@click.command(epilog="Example: satisfice dashboard --storage postgresql://me@db/studies --port 8080")
@options.storage
@click.option("--host", default="127.0.0.1", show_default=True, metavar="H", help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    metavar="P",
    help="Port to listen on; 0 takes a free one.",
)
@click.option(
    "--allowed-host",
    multiple=True,
    metavar="NAME",
    help="A further name the page is visited by; may be repeated.",
)
@click.option(
    "--allow-writes", is_flag=True, help="Let visitors annotate and delete; nobody is asked who they are."
)
def dashboard(
    storage: str | None, host: str, port: int, allowed_host: tuple[str, ...], allow_writes: bool
) -> None:
    """Show all studies in optuna-dashboard, with feasibility shown right, until Ctrl-C.

    It is read-only and has no authentication: beyond this machine, put it behind something that asks who is
    there.
    """
    from satisfice.dashboard.app import serve
    from satisfice.store import migrate
    from satisfice.store.database.engine import Database
    from satisfice.store.database.url import resolve

    options.quiet()
    database = Database(resolve(options.existing(storage)))
    migrate.ensure_ready(database)
    try:
        serve(
            database.optuna_storage(),
            host,
            port,
            allow_writes=allow_writes,
            allowed_hosts=allowed_host,
            source=_source(storage),
            listening=lambda address: say(f"dashboard: {address} (Ctrl-C ends it)"),
        )
    except KeyboardInterrupt:
        say("dashboard ended")


def view_of(study: Study, chosen: int | None = None) -> tuple[StudyView, ReportContext]:
    """A study as plots and sentences see it.

    Args:
        study: The study.
        chosen: The trial that they are about, where that is not the study's own choice.
    """
    from satisfice.report.context import StudyView

    context = study.report_context(chosen)
    return StudyView.of(study.spec, study.records(with_reports=True), context), context


def _source(storage: str | None) -> Callable[[str], tuple[StudyView, ReportContext] | None]:
    """Views by study name; None for a study that Optuna alone knows."""
    from satisfice.study import load_study

    opened: dict[str, Study] = {}

    def source(name: str) -> tuple[StudyView, ReportContext] | None:
        try:
            if name not in opened:
                opened[name] = load_study(name, storage=storage)
            return view_of(opened[name])
        except InputError:
            return None

    return source
