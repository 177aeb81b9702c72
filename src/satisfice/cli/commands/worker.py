"""``satisfice define`` and ``satisfice worker``."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import click

from satisfice.cli import options
from satisfice.cli.errors import explain, say
from satisfice.cli.output import print_json
from satisfice.errors import SatisficeError, StorageRefused
from satisfice.launch.job import EXIT_PREEMPTED, EXIT_UNEXPECTED
from satisfice.launch.resources import thread_environment
from satisfice.launch.worker_process import StopSignals
from satisfice.results.as_json import notes_json

if TYPE_CHECKING:
    from satisfice.study import Study

_RESTART_S = 60.0  # longest wait for a server that refuses; a wrong address looks the same


@click.command(
    epilog="Example: satisfice define studies/digits_edge.toml --storage postgresql://me@db/studies"
)
@click.argument("study_file", metavar="STUDY.toml")
@options.storage
@options.defining
@options.as_json
def define(study_file: str, storage: str | None, as_json: bool, **given: Any) -> None:
    """Define the study without running it; workers can then join from any machine."""
    options.quiet()
    options.lasting(storage)
    study = options.define_study(study_file, storage, given)
    for note in study.data_notes():
        say(f"data: {note}")
    if as_json:
        print_json({**study.status(), "data_notes": notes_json(study.data_notes())})
        return
    click.echo(f"study {study.name!r} is defined; start workers with: satisfice worker {study.name}")


@click.command(
    epilog="Example: satisfice worker digits-edge --storage postgresql://me@db/studies --label edge-box"
)
@click.argument("name")
@options.storage
@options.label
@click.option(
    "--threads", type=click.IntRange(min=1), metavar="N", help="CPU threads it may use.  [default: all cores]"
)
def worker(name: str, storage: str | None, label: str | None, threads: int | None) -> None:
    """Work on an existing study until its budget is spent.

    SIGTERM or Ctrl-C: it saves a checkpoint, gives its trial back and leaves within ten seconds, with exit
    code 143.
    """
    if threads is not None:
        os.environ.update(thread_environment(threads))  # before any numeric library is loaded
    stop = threading.Event()
    signals = StopSignals(stop, on_deadline=_too_late)
    try:
        study = _open(name, storage)
        signals.install()  # until here a signal ends it at once: it holds nothing
        outcome = study.run_worker(label=label, stop=stop)
    except SatisficeError:
        raise
    except Exception as error:  # noqa: BLE001  # its own exit code tells a launcher that another start may help
        explain(error)
        click.get_current_context().exit(EXIT_UNEXPECTED)
    if signals.received is not None:
        say(f"stopped by {signals.received}; its trial was given back")
        sys.stdout.flush()
        sys.stderr.flush()
        # Taking the interpreter apart takes most of a second, and ten on an overloaded machine: too long.
        os._exit(EXIT_PREEMPTED)
    say(f"done: {outcome}")


def _open(name: str, storage: str | None) -> Study:
    """The study. Machines start workers too, perhaps while the database restarts: that is waited for.

    Raises:
        InputError: There is none, or the database cannot be used.
    """
    from satisfice.study.environment import PATIENCE_VARIABLE, seconds_of

    deadline = time.monotonic() + min(_RESTART_S, seconds_of(PATIENCE_VARIABLE, _RESTART_S))
    said = False
    while True:
        try:
            return options.open_study(name, storage)
        except StorageRefused as error:
            if time.monotonic() > deadline:
                raise
            if not said:
                say(f"{error.message}; waiting in case it restarts")
                said = True
            time.sleep(0.5)


def _too_late() -> None:
    say("did not stop in time; its lease runs out by itself")
