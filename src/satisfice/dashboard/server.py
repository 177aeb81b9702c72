"""A small server for the dashboard."""

from __future__ import annotations

import errno
import socket
import sys
import threading
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from satisfice.errors import InputError

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

_MOST_CONNECTIONS = 100
_SILENT_S = 30.0  # a connection that sends nothing for so long is closed


class _Server(ThreadingMixIn, WSGIServer):
    """One thread a request: drawing figures must not hold up the page."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, *given: Any, **named: Any) -> None:
        self._room = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        super().__init__(*given, **named)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin a thread; where there are too many, hang up."""
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer in that thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who hangs up midway is no fault of ours; anything else is told."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Server6(_Server):
    """The same on an address of IPv6."""

    address_family = socket.AF_INET6


class _QuietHandler(WSGIRequestHandler):
    """Logs no line for each request: the terminal belongs to the address line."""

    timeout = _SILENT_S

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        """Nothing."""


def make_dashboard_server(app: WSGIApplication, host: str = "127.0.0.1", port: int = 8080) -> WSGIServer:
    """A listening server, not yet serving; port 0 takes a free one.

    Raises:
        InputError: The address cannot be listened on.
    """
    kind = _Server6 if ":" in host else _Server
    try:
        return make_server(host, port, app, server_class=kind, handler_class=_QuietHandler)
    except OSError as error:
        taken = error.errno in (errno.EADDRINUSE, errno.EACCES)
        raise InputError(
            f"cannot listen on {authority(host, port)}: {error.strerror or error}",
            hint="try --port 0" if taken else "--host takes an address or a name of this machine",
        ) from error


def authority(host: str, port: int) -> str:
    """Host and port as a URL has them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
