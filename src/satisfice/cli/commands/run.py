"""``satisfice run``: from a study file to the chosen model and its report."""

from __future__ import annotations

import signal
from importlib.util import find_spec
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from satisfice.cli import options
from satisfice.cli.commands.answers import front_title
from satisfice.cli.errors import EXIT_FAILED, exited, say, say_why
from satisfice.cli.output import print_json, print_trials
from satisfice.cli.status import show_status
from satisfice.errors import CannotWrite, InputError, MissingExtra, NoFeasibleTrial, SatisficeError
from satisfice.results.as_json import notes_json
from satisfice.results.trial import BestSummary, TrialSummary

if TYPE_CHECKING:
    from satisfice.choose import BestTrial
    from satisfice.launch.job import Launcher
    from satisfice.study import Study

_REPORTS = "reports"  # folder of the reports that are not told where to go


@click.command(epilog="Example: satisfice run studies/digits_edge.toml --workers 2 --report reports/digits")
@click.argument("study_file", metavar="STUDY.toml")
@options.storage
@options.workers
@options.defining
@click.option("--report", "report_dir", metavar="DIR", help="Where the report goes.  [default: reports/NAME]")
@options.engine
@options.as_json
def run(
    study_file: str,
    storage: str | None,
    workers: int,
    report_dir: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Define or resume a study, run it to its budget, and report.

    Prints the feasible Pareto front, the chosen model against the default configuration, and its test score.
    Again: goes on where it stopped; with the budget spent it only reports. Ctrl-C stops cleanly.
    """
    options.quiet()
    launcher = _launcher(workers, {key: given.pop(key) for key in options.ENGINE})
    _check_report_dir(report_dir)
    started_in = Path.cwd()  # training code may leave it
    study = options.define_study(study_file, storage, given)
    for note in study.data_notes():
        say(f"data: {note}")
    again = quote(study_file) + (f" --name {quote(study.name)}" if given["name"] is not None else "")
    failure = _work(study, again, workers, launcher)
    directory = Path(_REPORTS) / study.name if report_dir is None else Path(report_dir)
    result = _conclude(study, started_in / directory, explicit=report_dir is not None)
    if result["report"] is not None:
        result["report"] = str(directory / Path(result["report"]).name)
    if as_json:
        print_json(result)
    else:
        _show(study, result)
    if failure is not None:
        say_why(failure)
    if "failure" in result and (failure is None or result["failure"] != str(failure)):
        say(result["failure"])
    if failure is not None or "failure" in result:
        click.get_current_context().exit(EXIT_FAILED)


def _launcher(workers: int, engine: dict[str, Any]) -> Launcher | None:
    """The launcher to use; None where this process does the work itself.

    Raises:
        InputError: An option does not belong to the engine, or the engine is not installed.
    """
    name = engine.pop("engine")
    given = {key: value for key, value in engine.items() if value is not None}
    if name == "local" and not given and workers == 1:
        return None
    from satisfice.launch import make_launcher

    return make_launcher(name, **given)


def _check_report_dir(directory: str | None) -> None:
    options.check_folder("--report", _REPORTS if directory is None else directory)
    if directory is not None and find_spec("plotly") is None:
        raise MissingExtra("plotly", "plots")


def _work(study: Study, again: str, workers: int, launcher: Launcher | None) -> SatisficeError | None:
    """Run to the budget, with progress on standard error.

    Returns:
        Why the search ended early, if it did; what is finished is reported all the same.
    """
    from satisfice.cli.progress import Progress

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    try:
        with Progress(study) as progress:
            study.optimize(workers=workers, engine=launcher or "local", progress=progress)
    except KeyboardInterrupt:
        say(f"stopped; nothing that finished is lost: go on with satisfice run {again}")
        raise
    except InputError:
        raise
    except SatisficeError as error:
        return error
    except SystemExit as error:
        return exited(error)
    finally:
        signal.signal(signal.SIGTERM, before)
    return None


def _conclude(study: Study, directory: Path, *, explicit: bool) -> dict[str, Any]:
    """Choose, score the test split, write the report."""
    result: dict[str, Any] = {"name": study.name, "best": None, "pareto": [], "test": {}, "default": None}
    try:
        best = study.best()
        result["best"] = BestSummary.of_best(best)
    except NoFeasibleTrial as error:
        result["failure"] = str(error)
        result["nearest"] = TrialSummary.of(error.nearest) if error.nearest is not None else None
    else:
        same = study.same_within_noise()
        result["pareto"] = [
            {**TrialSummary.of(trial), "same_as": same.get(trial.number)} for trial in study.pareto_front()
        ]
        try:
            result |= _confirmed(study, best)
        except CannotWrite as error:  # the answer is known, and only its test score cannot be kept
            result["failure"] = str(error)
    result["status"] = study.status()
    result["headline"], result["notes"] = _words(study)
    result["data_notes"] = notes_json(study.data_notes())
    try:
        result["report"] = _report(study, directory, explicit=explicit)
    except CannotWrite as error:
        result |= {"report": None, "failure": str(error)}
    return result


def _confirmed(study: Study, best: BestTrial) -> dict[str, Any]:
    """The winner that still fits when it is measured again, with its test score; else why there is none.

    Without its ties where another trial than the best takes its place. Beside it the default configuration,
    or None where none was trained.
    """
    confirmed = study.confirm()
    if confirmed.number is None:
        missed = " and ".join(dict.fromkeys(key for d in confirmed.dropped for key in d.violates))
        count = len(confirmed.dropped)
        trials = "the one trial that fitted misses" if count == 1 else f"all {count} trials that fitted miss"
        failure = f"measured again, {trials} {missed} (a quiet host or a looser bound may help)"
        return {"best": None, "failure": failure}
    records = {r.number: r for r in study.records()}
    scored = confirmed.default
    default = None
    if scored is not None:
        default = {
            **TrialSummary.of(records[scored.number]),
            "test": scored.test,
            "test_standard_errors": scored.standard_errors or {},
        }
    kept = confirmed.number == best.number
    return {
        "best": BestSummary.of_best(best) if kept else TrialSummary.of(records[confirmed.number]),
        "test": confirmed.test,
        "test_standard_errors": confirmed.standard_errors or {},
        "default": default,
    }


def _words(study: Study) -> tuple[str, list[str]]:
    """The report's own headline, and its sentences below that."""
    from satisfice.cli.commands.report import view_of
    from satisfice.report.headline import headline
    from satisfice.report.summary import paragraphs

    view, context = view_of(study)
    return headline(view, context), paragraphs(view, context)


def _report(study: Study, directory: Path, *, explicit: bool) -> str | None:
    try:
        return str(study.report(directory))
    except MissingExtra as error:
        if explicit:
            raise
        say(f"no report: {error}")
        return None


def _show(study: Study, result: dict[str, Any]) -> None:
    """The result for people."""
    chosen = result["best"]
    if chosen is None:
        show_status(result["status"], study.spec, ended=False)  # the notes below tell that
    else:
        front = study.pareto_front()
        print_trials(
            front,
            study.spec.metric_names,
            title=f"{front_title(front, study.spec.objectives)} (* chosen)",
            chosen=chosen["number"],
            constraints=study.spec.constraints,
            objectives=study.spec.objectives,
            covered_by=study.same_within_noise(),
        )
        click.echo(result["headline"].replace("Chosen:", "chosen:", 1))
        for each in result["status"]["profiles"]:
            click.echo(f"profile {each['profile']}: {each['sentence']}")
    for sentence in result["notes"]:
        click.echo(sentence)
    if result["report"] is not None:
        click.echo(f"report: {result['report']}")
