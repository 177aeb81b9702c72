"""``satisfice verify``, ``serve`` and ``predict``: what is done with a shipped folder alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from satisfice.cli import answer, options
from satisfice.cli.errors import EXIT_FAILED, say
from satisfice.cli.output import number, print_json

_FOLDER = click.argument("directory", type=click.Path(path_type=Path))
_PROGRESS_ROWS = 100_000
_UNITS = {
    "checksum": "files",
    "golden": "answers",
    "size_bytes": "bytes",
    "latency_ms": "ms",
    "pipeline_latency_ms": "ms",
}
threads = click.option(
    "--threads", type=click.IntRange(min=1), default=1, show_default=True, metavar="N", help="Of one call."
)


@click.command(epilog="Example: satisfice predict shipped --data rows.csv --output answers.csv")
@_FOLDER
@click.option(
    "--data", required=True, metavar="FILE", type=click.Path(path_type=Path), help="CSV, .npy or picture."
)
@click.option(
    "--output",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="One answer for each row: .csv or .jsonl.",
)
@threads
def predict(directory: Path, data: Path, output: Path, threads: int) -> None:
    """Write the model's answer for each row of a file, in batches of bounded memory."""
    from satisfice.deploy.batch import predict_file

    told = 0

    def progress(done: int) -> None:
        nonlocal told
        if done - told >= _PROGRESS_ROWS:
            told = done
            say(f"{done} rows")

    count, sentences = predict_file(directory, data, output, threads=threads, progress=progress)
    for sentence in sentences:
        say(sentence)
    say(f"{count} rows: {output}")


@click.command(epilog="Example: satisfice verify shipped --data test.csv")
@_FOLDER
@click.option(
    "--data",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="CSV with the target's column: the score is checked too.",
)
@options.as_json
@click.pass_context
def verify(context: click.Context, directory: Path, data: Path | None, as_json: bool) -> None:
    """Check a shipped folder against its promises: checksums, golden answers, size, latency, score.

    Exit code 1 where one does not hold. What is too close to call does not fail.
    """
    from satisfice.deploy.verify import verify_folder

    found = verify_folder(directory, data)
    if as_json:
        print_json(found.to_json())
    else:
        for check in found.checks:
            mark = {True: "holds", False: "FAILS", None: "open"}[check.holds]
            promised, here = (_shown(check.name, value) for value in (check.promised, check.found))
            detail = f" ({check.detail})" if check.detail else ""
            answer.give(f"{mark:6} {check.name:14} promised {promised}; found {here}{detail}\n")
    if found.holds is False:
        context.exit(EXIT_FAILED)


def _shown(check: str, value: Any) -> str:
    """What a check compares, with its unit: four significant digits, counts whole."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {number(each)}" for name, each in value.items())
    unit = _UNITS.get(check, "")
    return f"{number(value)} {unit}" if unit and not isinstance(value, str) else str(value)


@click.command(epilog="Example: satisfice serve shipped --workers 2")
@click.argument("directories", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one."
)
@options.workers
@click.option(
    "--token",
    envvar="SATISFICE_TOKEN",
    show_envvar=True,
    help="What callers must send as Authorization: Bearer. Beyond this machine one is made if none is given.",
)
@click.option(
    "--max-rows", type=click.IntRange(min=1), default=10_000, show_default=True, help="Of one request."
)
@click.option(
    "--max-bytes", type=click.IntRange(min=1), default=16 << 20, show_default=True, help="Of one request."
)
@threads
def serve(directories: tuple[Path, ...], **given: Any) -> None:
    """Serve shipped folders over HTTP until SIGTERM or Ctrl-C; accepted requests are answered first."""
    from satisfice.deploy.server.process import run

    run(directories, **given)
