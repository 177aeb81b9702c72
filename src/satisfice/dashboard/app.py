"""The dashboard as a WSGI application, served until interrupted."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from satisfice.addresses import is_loopback
from satisfice.dashboard.checked import Checked
from satisfice.dashboard.csv_name import CsvName
from satisfice.dashboard.detail import Details
from satisfice.dashboard.explorer import Explorer
from satisfice.dashboard.guard import LOOPBACK, Guard
from satisfice.dashboard.heavy import Heavy
from satisfice.dashboard.insight import Insights, Source
from satisfice.dashboard.server import authority, make_dashboard_server
from satisfice.dashboard.storage import Live, StorageView
from satisfice.dashboard.tokens import Tokens
from satisfice.errors import MissingExtra

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

    from optuna.artifacts._protocol import ArtifactStore
    from optuna.storages import BaseStorage


def make_app(
    storage: BaseStorage,
    *,
    allow_writes: bool = False,
    allowed_hosts: Collection[str] = LOOPBACK,
    source: Source | None = None,
    live: Live | None = None,
    tokens: Tokens | None = None,
    artifact_store: ArtifactStore | None = None,
) -> WSGIApplication:
    """optuna-dashboard over ``storage``, with feasibility shown right, our figures, and a note on each study.

    Args:
        storage: Any Optuna storage; nothing is written to it unless ``allow_writes``.
        allow_writes: Let visitors create, annotate and delete.
        allowed_hosts: Host names that a request may name, against DNS rebinding; numeric ones always may.
        source: Reads a study by name from satisfice's own tables, for conditional spaces, learning curves and
            what was turned away; without it Optuna's rows alone are shown.
        live: Follows a study by name in those tables: replicates and reports, from which the best trials and
            the curves come.
        tokens: What visitors must know; left out, nobody is asked.
        artifact_store: Optuna's, where trials have files; they are served as downloads.

    Raises:
        MissingExtra: optuna-dashboard or plotly is not installed.
    """
    try:
        import optuna_dashboard
        import plotly  # noqa: F401  # our figures need it; say so now
    except ModuleNotFoundError as missing:
        raise MissingExtra(str(missing.name), "dashboard") from missing

    view = StorageView(storage, Insights(source), allow_writes=allow_writes, live=live)
    inner: WSGIApplication = optuna_dashboard.wsgi(view, artifact_store=artifact_store)
    pages = Explorer(Details(CsvName(inner), view), view, source)
    checked = Checked(Heavy(pages), storage)
    return Guard(checked, allow_writes=allow_writes, allowed_hosts=allowed_hosts, tokens=tokens)


def serve(
    storage: BaseStorage,
    host: str = "127.0.0.1",
    port: int = 8080,
    *,
    allow_writes: bool = False,
    allowed_hosts: Collection[str] = (),
    source: Source | None = None,
    live: Live | None = None,
    token: str | None = None,
    write_token: str | None = None,
    listening: Callable[[str], object] | None = None,
) -> None:
    """Serve the dashboard until interrupted.

    Args:
        storage: Any Optuna storage.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        allow_writes: As for `make_app`.
        allowed_hosts: Further host names, beside loopback and ``host`` itself.
        source: As for `make_app`.
        live: As for `make_app`.
        token: What visitors must know; needed beyond loopback.
        write_token: What those must know who write; needed beyond loopback with ``allow_writes``.
        listening: Told the address once it is listened on.

    Raises:
        InputError: The address cannot be listened on, or a token is missing there.
        MissingExtra: optuna-dashboard or plotly is not installed.
    """
    names = {*LOOPBACK, *allowed_hosts} | (set() if is_loopback(host) else {host})
    app = make_app(
        storage,
        allow_writes=allow_writes,
        allowed_hosts=names,
        source=source,
        live=live,
        tokens=Tokens.checked(host, token, write_token, allow_writes=allow_writes),
    )
    with make_dashboard_server(app, host, port) as server:
        if listening is not None:
            listening(f"http://{authority(host, server.server_port)}")
        server.serve_forever()
