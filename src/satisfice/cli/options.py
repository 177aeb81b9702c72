"""Options that several commands share, and the checks that come before a database is opened."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from satisfice.cli.errors import keep_secret, say
from satisfice.errors import InputError, StudyNotFound

if TYPE_CHECKING:
    from sqlalchemy import URL

    from satisfice.study import Study

ENGINE = ("engine", "address", "cpus", "gpus", "partition")  # what `engine` adds to a command

F = TypeVar("F", bound=Callable[..., Any])


def _note_storage(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    keep_secret(value)
    keep_secret(os.environ.get("SATISFICE_STORAGE"))
    return value


storage = click.option(
    "--storage",
    metavar="URL",
    callback=_note_storage,
    help="sqlite:///file.db, postgresql://…, mysql://…  [default: SATISFICE_STORAGE, else satisfice.db]",
)


as_json = click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one JSON document on standard output, and nothing else there.",
)
as_csv = click.option(
    "--csv", "as_csv", is_flag=True, help="Print one CSV table on standard output, and nothing else there."
)
where = click.option(
    "--where",
    multiple=True,
    metavar="CONDITION",
    help='A further bound, for instance --where "size_mb <= 8"; may be repeated.',
)
order = click.option(
    "--order",
    multiple=True,
    metavar="CRITERION",
    help='Choose by this first, for instance --order "f1 within 0.005" --order size_mb; may be repeated.',
)
profile = click.option(
    "--profile",
    metavar="NAME",
    help="Answer for this profile of the study: its bounds hold too, and its order chooses.",
)
rule = click.option(
    "--rule",
    metavar="RULE",
    help="value, or one-standard-error: the cheapest of those within one standard error of the best.  "
    "[default: the study's]",
)
label = click.option(
    "--label", metavar="L", help="Label of this worker, for [measure] on = ... in the study file."
)
workers = click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Worker processes.",
)


def question(command: F) -> F:
    """The options of a question about finished trials."""
    for option in (
        where,
        click.option(
            "--minimize", metavar="METRIC", help="Minimise this metric instead of the first objective."
        ),
        click.option(
            "--maximize", metavar="METRIC", help="Maximise this metric instead of the first objective."
        ),
    ):
        command = option(command)
    return command


def visited(command: F) -> F:
    """The options of a server whose pages people open: where it listens, and what visitors must know."""
    for option in (
        click.option(
            "--token",
            envvar="SATISFICE_TOKEN",
            show_envvar=True,
            help="What visitors must know. Beyond this machine one is made and printed if none is given.",
        ),
        click.option(
            "--allowed-host",
            multiple=True,
            metavar="NAME",
            help="A further name the page is visited by; may be repeated.",
        ),
        click.option(
            "--port",
            type=click.IntRange(0, 65535),
            default=8080,
            show_default=True,
            metavar="P",
            help="Port to listen on; 0 takes a free one.",
        ),
        click.option(
            "--host", default="127.0.0.1", show_default=True, metavar="H", help="Address to listen on."
        ),
    ):
        command = option(command)
    return command


def _limit(_context: click.Context, parameter: click.Parameter, value: str | None) -> Any:
    """A limit of the budget as the study file would say it; `none` lifts one."""
    if value is None or value.lower() == "none":
        return value
    if parameter.name == "timeout":
        return value
    if not value.isdecimal() or int(value) < 1:
        raise InputError(
            f"--{str(parameter.name).replace('_', '-')} {value!r} is no count", hint="at least 1"
        )
    return int(value)


def defining(command: F) -> F:
    """The options of who defines a study: its name, its budget, what it starts from."""
    for option in (
        click.option(
            "--top",
            type=click.IntRange(min=1),
            metavar="N",
            help="With --from: how many of its best trials.  [default: 5]",
        ),
        click.option(
            "--from",
            "start_from",
            metavar="NAME",
            help="Try the best trials of this stored study first, moved into the new space.",
        ),
        click.option("--name", metavar="NAME", help="Name of the study, instead of the file's."),
        click.option(
            "--timeout", metavar="T", callback=_limit, help="Time limit, as --timeout 10m; none lifts it."
        ),
        click.option(
            "--total-epochs", metavar="N", callback=_limit, help="Epochs over all trials; none lifts it."
        ),
        click.option("--epochs", metavar="N", callback=_limit, help="Epochs of one trial, at most."),
        click.option(
            "--trials",
            metavar="N",
            callback=_limit,
            help="Budget of trials, instead of the file's; it is stored.",
        ),
    ):
        command = option(command)
    return command


def define_study(study_file: str, storage: str | None, given: dict[str, Any]) -> Study:
    """Create or open the study by its file and the options of `defining`; says what that changed.

    Raises:
        InputError: The file, an option or the storage is wrong.
    """
    from satisfice.store.database.url import named
    from satisfice.study import create_study
    from satisfice.study.starting import DEFAULT_TOP

    if given["top"] is not None and given["start_from"] is None:
        raise InputError("--top is said without --from", hint="name the study to start from: --from NAME")
    limits = {key: given[key] for key in ("trials", "epochs", "total_epochs", "timeout")}
    budget = {key: None if value == "none" else value for key, value in limits.items() if value is not None}
    study = create_study(
        study_file,
        storage=named(storage),  # a command's study outlives it, where a program's may live in memory
        name=given["name"],
        budget=budget,
        start_from=given["start_from"],
        top=given["top"] or DEFAULT_TOP,
    )
    for sentence in study.changes:
        say(f"changed: {sentence}")
    return study


def check_question(maximize: str | None, minimize: str | None, where: Sequence[str]) -> None:
    """Refuse what is wrong in itself, before a database is opened.

    Raises:
        InputError: Both directions, or a condition that is none.
    """
    from satisfice.spec.constraint import parse_clause

    if maximize is not None and minimize is not None:
        raise InputError(
            "both --maximize and --minimize are given", hint="name one; bound the other by --where"
        )
    for clause in where:
        parse_clause(clause)


def check_rule(rule: str | None) -> None:
    """Refuse a rule of choice that does not exist, before a database is opened.

    Raises:
        InputError: There is none of that name.
    """
    from satisfice.choose import rule_named

    rule_named(rule)


def not_empty(option: str, text: str) -> str:
    """What an option names: an unset shell variable gives an empty text.

    Raises:
        InputError: It is empty.
    """
    if not text.strip():
        raise InputError(f"{option} is empty", hint="name a place, or leave the option out")
    return text


def check_folder(option: str, name: str) -> Path:
    """The folder that an option names, after a try whether files can be written there; it is not made yet.

    Raises:
        InputError: They cannot.
    """
    folder = Path(not_empty(option, name))
    # What lies below the nearest folder that stands would be made in it.
    standing = next(f for f in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(f))
    if not standing.is_dir():
        raise InputError(f"{option} {name}: {standing} is no folder", hint="name another place")
    try:
        with tempfile.TemporaryFile(dir=standing):
            pass
    except OSError as error:
        said = f": {os.strerror(error.errno).lower()}" if error.errno else ""
        raise InputError(
            f"{option} {name}: nothing can be written in {standing}{said}", hint="name another place"
        ) from None
    return folder


def lasting(url: str | None) -> URL:
    """The resolved storage URL, of a database that outlives this process.

    Raises:
        InputError: It does not.
        StorageError: It is no database URL.
    """
    from satisfice.store.database.url import is_memory, masked, resolve

    resolved = resolve(url)
    if is_memory(resolved):
        raise InputError(
            f"the storage {masked(resolved)} lives in one process only",
            hint="name a file: sqlite:///satisfice.db",
        )
    return resolved


def existing(url: str | None) -> str | None:
    """The storage URL, where a database stands already.

    Raises:
        InputError: It is a SQLite file that does not exist: a question must not create one.
        StorageError: It is no database URL.
    """
    resolved = lasting(url)
    if resolved.get_backend_name() == "sqlite" and not Path(str(resolved.database)).exists():
        raise StudyNotFound(
            f"there is no database at {resolved.database}",
            hint="run a study first, or name another one by --storage or SATISFICE_STORAGE",
        )
    return url


def open_study(name: str, url: str | None) -> Study:
    """The stored study of that name.

    Raises:
        InputError: There is none, or the database cannot be used.
    """
    from satisfice.study import load_study

    quiet()
    return load_study(name, storage=existing(url))


# What they log is shown: waits for the host, and pictures that are read.
_TELLING = ("satisfice.measure.latency.quiet", "satisfice.data.pictures.progress")


def quiet() -> None:
    """Keep libraries from writing between our lines; warnings and waits become lines of ours."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    warnings.showwarning = _show_warning
    for name in _TELLING:
        logger = logging.getLogger(name)
        if not logger.handlers:
            logger.addHandler(_Say())
            logger.setLevel(logging.INFO)


class _Say(logging.Handler):
    """Log records as lines of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        """Say it."""
        say(record.getMessage())


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    del filename, lineno, file, line
    if (
        not issubclass(category, DeprecationWarning | FutureWarning)
        and "xperimental" not in category.__name__
    ):
        say(f"warning: {message}")


def confirm(sentence: str, *, yes: bool) -> None:
    """Ask before something is lost; where nobody can answer, only ``--yes`` goes on.

    Raises:
        InputError: Nobody can answer and ``--yes`` was not given.
        click.Abort: The answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise InputError(f"not confirmed: {sentence}", hint="add --yes")
    click.confirm(sentence, abort=True, err=True)


def engine(command: F) -> F:
    """The options that say where workers run; the command gets them by name."""
    for option in (
        click.option("--partition", metavar="P", help="SLURM partition (slurm)."),
        click.option(
            "--gpus", type=click.FloatRange(min=0), metavar="N", help="GPUs of one worker (ray, slurm)."
        ),
        click.option(
            "--cpus", type=click.FloatRange(min=0), metavar="N", help="CPUs of one worker (ray, slurm)."
        ),
        click.option("--address", metavar="A", help="Address of a running Ray cluster (ray)."),
        click.option(
            "--engine",
            default="local",
            show_default=True,
            metavar="E",
            help="Where workers run: local, ray, slurm.",
        ),
    ):
        command = option(command)
    return command
