"""``satisfice lab``: a page to try techniques on."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import click

from satisfice.cli import options
from satisfice.cli.errors import say
from satisfice.tokens import made_for


@click.command(epilog="Example: satisfice lab studies/titanic.toml --port 8090")
@click.argument("study", required=False, metavar="[STUDY.toml]")
@options.visited
def lab(study: str | None, host: str, port: int, allowed_host: tuple[str, ...], token: str | None) -> None:
    """Move one technique at a time on a page, and watch what it does to a training, until Ctrl-C.

    It trains on the data of STUDY.toml, else on the Titanic's passengers, in one process, as a search does.
    Nothing is stored. The first line on standard output is the address, once a training can begin at once.
    """
    from satisfice.lab.app import serve_lab

    options.quiet()
    made = made_for(host, token)

    def listening(address: str) -> None:
        click.echo(address)
        say("the lab is open (Ctrl-C ends it)")
        if made is not None:
            say(f"token: {made}")

    # SIGTERM ends it as Ctrl-C does, and Ctrl-C also where a shell started it in the background.
    both = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.default_int_handler) for number in both]
    if sys.stderr.isatty():  # the first line that a program reads is the address
        say("loading the data")
    try:
        serve_lab(
            None if study is None else Path(study),
            host,
            port,
            allowed_hosts=allowed_host,
            token=token or made,
            listening=listening,
        )
    except KeyboardInterrupt:
        say("lab ended")
    finally:
        for number, handler in zip(both, before, strict=True):
            signal.signal(number, handler)
