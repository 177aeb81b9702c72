"""What stands before the routes: who may call, and what is counted and logged of each request."""

from __future__ import annotations

import hmac
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any

from satisfice.addresses import may_call
from satisfice.deploy.server.counters import Counters
from satisfice.deploy.server.protocol import encoded
from satisfice.deploy.server.settings import Settings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_OPEN = ("/v2/health/live", "/v2/health/ready", "/docs")  # they tell nothing of the models


class Gate:
    """An ASGI application that refuses strangers and counts requests.

    Without a token only numeric addresses and this machine's names pass as Host: a page on the net could else
    point its own name here and read answers through a visitor's browser.
    """

    def __init__(self, inner: Any, settings: Settings, counters: Counters) -> None:
        self._inner = inner
        self._wanted = None if settings.token is None else f"Bearer {settings.token}".encode()
        self._hosts = {"localhost", settings.host.lower()}
        self._log = settings.access_log
        self._counters = counters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        begin = time.perf_counter()
        status = 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        refused = self._refusal(scope)
        try:
            if refused is not None:
                await _answer(noted, *refused)
            else:
                await self._inner(scope, receive, noted)
        except Exception:  # noqa: BLE001  # a fault of ours: it is told in the log, not to the caller
            print(traceback.format_exc(), file=sys.stderr, flush=True)  # noqa: T201
            if not status:
                await _answer(noted, 500, "the server failed; its log says why", [])
        self._note(scope, status, time.perf_counter() - begin)

    def _refusal(self, scope: Scope) -> tuple[int, str, list[tuple[bytes, bytes]]] | None:
        headers = dict(scope["headers"])
        if self._wanted is None:
            host = headers.get(b"host", b"").decode("latin-1")
            return None if may_call(host, self._hosts) else (403, f"unknown host {host!r}", [])
        if scope["path"] in _OPEN or hmac.compare_digest(headers.get(b"authorization", b""), self._wanted):
            return None
        return 401, "a token is needed: Authorization: Bearer TOKEN", [(b"www-authenticate", b"Bearer")]

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        path = scope["path"]
        endpoint = (
            "infer" if path.endswith("/infer") else "predict" if path.startswith("/predict") else "other"
        )
        rows = scope.get("satisfice.rows", 0)
        self._counters.request(scope.get("satisfice.model", ""), endpoint, status or 500, seconds, rows)
        if self._log:
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            client = (scope.get("client") or ("-",))[0]
            raw = scope.get("raw_path", b"").decode("latin-1")
            told = f"{now} {client} {scope['method']} {raw} {status} {seconds * 1e3:.2f} ms {rows} rows\n"
            sys.stderr.write(told)


async def _answer(send: Send, status: int, sentence: str, headers: list[tuple[bytes, bytes]]) -> None:
    body = encoded({"error": sentence})
    plain = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*plain, *headers]})
    await send({"type": "http.response.body", "body": body})
