"""The dashboard as a WSGI application, and a small server for it."""

from __future__ import annotations

import errno
import json
import math
import re
import socket
import sys
from collections.abc import Callable, Collection, Iterable
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from satisfice.addresses import is_loopback
from satisfice.dashboard.guard import LOOPBACK, Guard
from satisfice.dashboard.insight import Insights, Source
from satisfice.dashboard.storage import StorageView, detail_of
from satisfice.errors import InputError, MissingExtra
from satisfice.threads import one_blas_thread

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from optuna.storages import BaseStorage

_DETAIL = re.compile(r"^/api/studies/(\d+)/?$")


def make_app(
    storage: BaseStorage,
    *,
    allow_writes: bool = False,
    allowed_hosts: Collection[str] = LOOPBACK,
    source: Source | None = None,
) -> WSGIApplication:
    """optuna-dashboard over ``storage``, with feasibility shown right, our figures, and a note on each study.

    Args:
        storage: Any Optuna storage; nothing is written to it unless ``allow_writes``.
        allow_writes: Let visitors create, annotate and delete; there is no authentication.
        allowed_hosts: Host names that a request may name, against DNS rebinding; numeric ones always may.
        source: Reads a study by name from satisfice's own tables, for conditional spaces, learning curves and
            what was turned away; without it Optuna's rows alone are shown.

    Raises:
        MissingExtra: optuna-dashboard or plotly is not installed.
    """
    try:
        import optuna_dashboard
        import plotly  # noqa: F401  # our figures need it; say so now
    except ModuleNotFoundError as missing:
        raise MissingExtra(str(missing.name), "dashboard") from missing

    view = StorageView(storage, Insights(source), allow_writes=allow_writes)
    inner: WSGIApplication = optuna_dashboard.wsgi(view)
    return Guard(_Details(inner, view), allow_writes=allow_writes, allowed_hosts=allowed_hosts)


class _Details:
    """Answers a study's detail with our best trials instead of the dashboard's, and passes all else on."""

    def __init__(self, inner: WSGIApplication, view: StorageView) -> None:
        self._inner = inner
        self._view = view

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with one_blas_thread():  # the dashboard's own importances factor small matrices as well
            return self._answer(environ, start_response)

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        match = _DETAIL.match(environ.get("PATH_INFO", ""))
        after = parse_qs(environ.get("QUERY_STRING", "")).get("after", ["0"])[-1]
        if match is None or environ["REQUEST_METHOD"] != "GET" or not after.isdecimal():
            return self._inner(environ, start_response)
        status, headers, body = self._whole({**environ, "QUERY_STRING": ""}, int(match[1]))
        if status.startswith("200"):
            body = self._corrected(json.loads(body), int(match[1]), int(after))
            headers = [(k, v) for k, v in headers if k.lower() != "content-length"]
            headers.append(("Content-Length", str(len(body))))
        start_response(status, headers)
        return [body]

    def _whole(self, environ: WSGIEnvironment, study_id: int) -> tuple[str, list[tuple[str, str]], bytes]:
        """The dashboard's own answer, with all trials."""
        answer: dict[str, Any] = {}

        def start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Any:
            answer.update(status=status, headers=headers)
            return lambda _: None

        token = detail_of.set(study_id)
        try:
            chunks = self._inner(environ, start)
            body = b"".join(chunks)
        finally:
            detail_of.reset(token)
        return answer["status"], answer["headers"], body

    def _corrected(self, detail: dict[str, Any], study_id: int, after: int) -> bytes:
        best = set(self._view.best_numbers(study_id))
        detail["directions"] = [d.name.lower() for d in self._view.get_study_directions(study_id)]
        detail["best_trials"] = [t for t in detail["trials"] if t["number"] in best]
        detail["trials"] = detail["trials"][after:]
        detail["plotly_graph_objects"].sort(key=lambda figure: figure["id"])  # it gives them in any order
        return json.dumps(_finite(detail), allow_nan=False).encode()


def _finite(content: Any) -> Any:
    """JSON content without NaN and infinities, which no browser reads: null, and the greatest float."""
    if isinstance(content, float) and not math.isfinite(content):
        return None if math.isnan(content) else math.copysign(sys.float_info.max, content)
    if isinstance(content, dict):
        return {key: _finite(item) for key, item in content.items()}
    return [_finite(item) for item in content] if isinstance(content, list) else content


class _Server(ThreadingMixIn, WSGIServer):
    """One thread a request: drawing figures must not hold up the page."""

    daemon_threads = True


class _Server6(_Server):
    """The same on an address of IPv6."""

    address_family = socket.AF_INET6


class _QuietHandler(WSGIRequestHandler):
    """Logs no line for each request: the terminal belongs to the address line."""

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


def serve(
    storage: BaseStorage,
    host: str = "127.0.0.1",
    port: int = 8080,
    *,
    allow_writes: bool = False,
    allowed_hosts: Collection[str] = (),
    source: Source | None = None,
    listening: Callable[[str], object] | None = None,
) -> None:
    """Serve the dashboard until interrupted.

    There is no authentication: listen beyond loopback only behind something that asks who is there.

    Args:
        storage: Any Optuna storage.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        allow_writes: As for `make_app`.
        allowed_hosts: Further host names, beside loopback and ``host`` itself.
        source: As for `make_app`.
        listening: Told the address once it is listened on.

    Raises:
        InputError: The address cannot be listened on.
        MissingExtra: optuna-dashboard or plotly is not installed.
    """
    names = {*LOOPBACK, *allowed_hosts} | (set() if is_loopback(host) else {host})
    app = make_app(storage, allow_writes=allow_writes, allowed_hosts=names, source=source)
    with make_dashboard_server(app, host, port) as server:
        if listening is not None:
            listening(f"http://{authority(host, server.server_port)}")
        server.serve_forever()
