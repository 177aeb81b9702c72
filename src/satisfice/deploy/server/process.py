"""The server's processes: one that serves alone, or several on one socket under a supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from satisfice.addresses import url_of
from satisfice.deploy.server.queue import take_no_more, waiting
from satisfice.deploy.server.settings import Settings
from satisfice.errors import InputError, MissingExtra
from satisfice.tokens import made_for

_DRAIN_S = 30  # for requests that were accepted before SIGTERM
_BACKLOG = 2048
_QUEUE_S = 2.0  # for workers to take the connections that wait in the socket's queue
_START_S = 120.0  # patience with workers that start


def run(
    directories: Sequence[Path],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int = 1,
    token: str | None = None,
    **further: Any,
) -> None:
    """Serve until SIGTERM or SIGINT; requests that were accepted are answered first.

    Args:
        directories: Shipped folders.
        host: Address to listen on.
        port: 0 takes a free one.
        workers: Processes; each holds one session of each model.
        token: What callers must send; beyond loopback one is made and printed where it is empty.
        further: Fields of `Settings`.

    Raises:
        InputError: A folder cannot be served, or the address cannot be taken.
        MissingExtra: starlette, uvicorn or msgspec is not installed.
    """
    try:
        import msgspec  # noqa: F401  # say now what is missing
        import starlette  # noqa: F401
        import uvicorn

        from satisfice.deploy.server.connection import Connection
    except ModuleNotFoundError as missing:
        raise MissingExtra(str(missing.name), "serve") from missing
    given = token or None
    made = made_for(host, given)
    folder = Path(tempfile.mkdtemp(prefix="satisfice-serve-"))
    settings = Settings(
        directories=tuple(directories), host=host, token=given or made, counters=folder, **further
    )
    try:
        with _listening(host, port) as listening:
            address = url_of(host, listening.getsockname()[1])
            start = _Start(settings, address, made)
            config = uvicorn.Config(
                start if workers == 1 else replace(start, silent=True),
                factory=True,
                workers=workers,
                http=Connection,
                access_log=False,
                log_level="warning",
                server_header=False,
                timeout_graceful_shutdown=_DRAIN_S,
                lifespan="on",
            )
            if workers == 1:
                _serve_alone(config, listening)
            else:
                _check(settings)
                _serve_with_workers(config, listening, start)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class _Start:
    """Makes the application in the process that serves; it is sent there by pickle."""

    settings: Settings
    address: str
    made_token: str | None
    silent: bool = False

    def __call__(self) -> Any:
        from satisfice.deploy.server.app import make_app

        if not self.silent:
            return make_app(self.settings, self.say)
        try:
            return make_app(self.settings)
        except InputError as error:  # the supervisor starts another worker soon
            print(f"satisfice: a worker cannot start: {error}", file=sys.stderr)  # noqa: T201  # this is the log
            sys.exit(1)

    def say(self) -> None:
        """Tell where the server is, on standard output."""
        print(self.address, flush=True)  # noqa: T201  # this is the output
        if self.made_token is not None:
            print(f"token: {self.made_token}", flush=True)  # noqa: T201  # this is the output


def _check(settings: Settings) -> None:
    """Say what is wrong with a folder before workers start that would all fail."""
    from satisfice.deploy.server.models import Models

    Models(settings.directories, settings.threads)


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        opened = socket.socket(family, socket.SOCK_STREAM)
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind((host, port))
            opened.listen(_BACKLOG)
        except BaseException:
            opened.close()
            raise
    except OSError as error:
        said = (error.strerror or str(error)).lower()
        raise InputError(
            f"{url_of(host, port)} cannot be listened on: {said}", hint="name another --port"
        ) from None
    opened.set_inheritable(True)
    return opened


def _serve_alone(config: Any, listening: socket.socket) -> None:
    import uvicorn

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: Any = None) -> None:
            until = time.monotonic() + _QUEUE_S
            take_no_more(listening)
            while waiting(listening) and time.monotonic() < until:
                await asyncio.sleep(0.01)
            await super().shutdown(sockets)

    # uvicorn raises the signal again once it has drained: it is done then, not killed.
    before = {number: signal.signal(number, _ignore) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        Server(config).run(sockets=[listening])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ignore(_number: int, _frame: Any) -> None:
    """The signal was answered already."""


def _serve_with_workers(config: Any, listening: socket.socket, start: _Start) -> None:
    from uvicorn.supervisors import Multiprocess

    threading.Thread(target=_say_when_ready, args=(start,), daemon=True).start()
    supervisor = Multiprocess(config, sockets=[listening])
    terminate = supervisor.terminate_all

    def stop() -> None:
        until = time.monotonic() + _QUEUE_S
        take_no_more(listening)
        while waiting(listening) and time.monotonic() < until:
            time.sleep(0.01)
        listening.close()  # else callers would wait in its queue for workers that take no more
        terminate()

    supervisor.terminate_all = stop  # type: ignore[method-assign]  # uvicorn has no other way in
    supervisor.run()


def _say_when_ready(start: _Start) -> None:
    """Connections wait in the socket's queue until the first worker takes them."""
    until = time.monotonic() + _START_S
    host, _, port = start.address.removeprefix("http://").rpartition(":")
    reached = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)  # noqa: S104  # compared, not bound
    address = f"http://{reached}:{port}/v2/health/ready"
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(address, timeout=5).close()  # it is http
            start.say()
            return
        time.sleep(0.05)
    print("satisfice: no worker has answered yet", file=sys.stderr)  # noqa: T201  # this is the output
