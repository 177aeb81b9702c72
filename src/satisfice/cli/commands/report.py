"""``satisfice report`` and ``satisfice dashboard``."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from satisfice.cli import options
from satisfice.cli.errors import say
from satisfice.cli.output import print_json
from satisfice.errors import InputError
from satisfice.tokens import made_for

if TYPE_CHECKING:
    from satisfice.report.context import StudyView
    from satisfice.results.followed import Followed
    from satisfice.results.report_context import ReportContext
    from satisfice.store.database.engine import Database
    from satisfice.study import Study
    from satisfice.study.after.following import Following


@click.command(epilog="Example: satisfice report digits-edge --output reports/digits")
@click.argument("name")
@options.storage
@click.option("--output", metavar="DIR", help="Where the report goes.  [default: reports/NAME]")
@options.profile
@options.rule
@options.as_json
def report(
    name: str,
    storage: str | None,
    output: str | None,
    profile: str | None,
    rule: str | None,
    as_json: bool,
) -> None:
    """Write the report of a stored study, one page that opens offline: DIR/index.html."""
    directory = options.check_folder("--output", f"reports/{name}" if output is None else output)
    from satisfice.report.headline import headline

    options.check_rule(rule)
    study = options.open_study(name, storage)
    index = study.report(directory, profile, rule=rule)
    said = headline(*view_of(study, profile=profile, rule=rule))
    if as_json:
        print_json({"name": name, "headline": said, "report": str(index)})
    else:
        click.echo(said)
        click.echo(f"report: {index}")


@click.command(epilog="Example: satisfice dashboard --storage postgresql://me@db/studies --port 8080")
@options.storage
@options.visited
@click.option(
    "--allow-writes",
    is_flag=True,
    help="Let visitors annotate and delete; beyond this machine who does must know SATISFICE_WRITE_TOKEN.",
)
def dashboard(
    storage: str | None,
    host: str,
    port: int,
    allowed_host: tuple[str, ...],
    token: str | None,
    allow_writes: bool,
) -> None:
    """Show all studies in optuna-dashboard, with feasibility shown right, until Ctrl-C.

    It is read-only, and beyond this machine it asks who is there: Authorization: Bearer TOKEN, Basic with any
    user name and the token as password, or its login page.
    """
    from satisfice.dashboard.app import serve
    from satisfice.store import migrate
    from satisfice.store.database.engine import Database
    from satisfice.store.database.url import resolve

    options.quiet()
    made = made_for(host, token)
    database = Database(resolve(options.existing(storage)))
    migrate.ensure_ready(database)

    def listening(address: str) -> None:
        say(f"dashboard: {address} (Ctrl-C ends it)")
        if made is not None:
            say(f"token: {made}")

    source, live = _readers(database, storage)
    try:
        serve(
            database.optuna_storage(),
            host,
            port,
            allow_writes=allow_writes,
            allowed_hosts=allowed_host,
            source=source,
            live=live,
            token=token or made,
            write_token=os.environ.get("SATISFICE_WRITE_TOKEN"),
            listening=listening,
        )
    except KeyboardInterrupt:
        say("dashboard ended")


def view_of(
    study: Study, chosen: int | None = None, profile: str | None = None, rule: str | None = None
) -> tuple[StudyView, ReportContext]:
    """A study as plots and sentences see it.

    Args:
        study: The study.
        chosen: The trial that they are about, where that is not the study's own choice.
        profile: The profile that they are for.
        rule: Of that choice; None: the study's.
    """
    from satisfice.choose import as_asked
    from satisfice.report.context import StudyView

    context = study.report_context(chosen, profile, rule)
    spec = study.spec if profile is None else as_asked(study.spec, profile)
    whole = None if profile is None else study.spec
    view = StudyView.of(spec, study.records(with_reports=True), context, study.influences, whole)
    return view, context


def _readers(
    database: Database, storage: str | None
) -> tuple[
    Callable[[str], tuple[StudyView, ReportContext] | None],
    Callable[[str], Followed | None],
]:
    """Studies by name, as reports see them and as they run; None for one that Optuna alone knows."""
    from satisfice.store import studies
    from satisfice.study import load_study

    opened: dict[str, Study] = {}
    followed: dict[str, Following] = {}
    explained: dict[str, tuple[int, ReportContext]] = {}  # with how many trials had finished
    lock = threading.Lock()

    def source(name: str) -> tuple[StudyView, ReportContext] | None:
        try:
            if name not in opened:
                opened[name] = load_study(name, storage=storage)
            view, context = view_of(opened[name])
            finished = sum(r.state.is_finished() for r in view.records)
            if explained.get(name, (-1, context))[0] != finished:
                explained[name] = finished, opened[name].report_context(explained=True)
            told = explained[name][1]
            return view, replace(context, diagnoses=told.diagnoses, health=told.health)
        except InputError:
            return None

    def live(name: str) -> Followed | None:
        with lock:
            for _ in range(2):  # one that was deleted and made anew is opened anew
                try:
                    if name not in followed:
                        if studies.find(database, name) is None:
                            return None
                        followed[name] = load_study(name, storage=storage).follow()
                    return followed[name].now()
                except InputError:
                    opened.pop(name, None)
                    if followed.pop(name, None) is None:
                        break
            return None

    return source, live
