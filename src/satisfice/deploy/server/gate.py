"""What stands before the routes: who may call, and what is counted and logged of each request."""

from __future__ import annotations

import hmac
import sys
import time
import traceback
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote

from satisfice.addresses import may_call
from satisfice.deploy.server.access_log import AccessLog
from satisfice.deploy.server.answering import Answering, Message, Receive, Scope, Send, send_json, status_of
from satisfice.deploy.server.counters import Counters
from satisfice.deploy.server.protocol import encoded
from satisfice.deploy.server.settings import Settings
from satisfice.errors import InputError

STATE = "satisfice.gate"  # under which connections find the gate in the state that ASGI shares with them
Headers = tuple[tuple[bytes, bytes], ...]

_HOSTS_KEPT = 64  # names of hosts that were judged
_OPEN = ("/v2/health/live", "/v2/health/ready", "/docs")  # they tell nothing of the models
_FAILED = encoded({"error": "the server failed; its log says why"})


class Gate:
    """An ASGI application that refuses strangers and counts requests.

    Without a token only numeric addresses and this machine's names pass as Host: a page on the net could else
    point its own name here and read answers through a visitor's browser.

    Args:
        inner: Answers whoever may call.
        settings: What is served, and how.
        counters: Of this worker.
    """

    def __init__(self, inner: Answering, settings: Settings, counters: Counters) -> None:
        self._inner = inner
        self._wanted = None if settings.token is None else f"Bearer {settings.token}".encode()
        hosts = {"localhost", settings.host.lower()}
        self._may_call = lru_cache(_HOSTS_KEPT)(lambda host: may_call(host.decode("latin-1"), hosts))
        self._log = AccessLog() if settings.access_log else None
        self._counters = counters
        # What `answer` takes: addresses as they stand in a request, where nothing in them is quoted.
        self.addresses = {path.encode(): path for path in inner.addresses if quote(path) == path}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                scope.get("state", {})[STATE] = self
            await self._inner(scope, receive, send)
            if self._log:
                self._log.flush()
            return
        begin = time.perf_counter()
        status = 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        refused = self._refusal(scope["path"], dict(scope["headers"]))
        try:
            if refused is not None:
                await send_json(noted, *refused)
            else:
                await self._inner(scope, receive, noted)
        except Exception:  # noqa: BLE001  # a fault of ours: it is told in the log, not to the caller
            _say_fault()
            if not status:
                await send_json(noted, 500, _FAILED)
        model, rows = scope.get("satisfice.model", ""), scope.get("satisfice.rows", 0)
        self._note(scope["path"], model, status or 500, time.perf_counter() - begin, rows)
        if self._log:
            client = (scope.get("client") or ("-",))[0]
            raw = scope.get("raw_path", b"").decode("latin-1")
            self._log.add(client, scope["method"], raw, status, time.perf_counter() - begin, rows)

    def answer(
        self, address: bytes, headers: Mapping[bytes, bytes], body: bytes, client: str, begin: float
    ) -> tuple[int, bytes, Headers]:
        """Answer a POST at once, without ASGI.

        Args:
            address: One of `addresses`.
            headers: Names in small letters.
            body: At most `satisfice.deploy.server.answering.INLINE_BYTES` long.
            client: Its address, for the log.
            begin: When the request came, on `time.perf_counter`.

        Returns:
            Status, body in JSON, and further headers.
        """
        path = self.addresses[address]
        found = self._refusal(path, headers)
        rows = 0
        model = ""
        if found is None:
            model = self._inner.addresses[path][0]
            try:
                content, rows = self._inner.at_once(path, headers, body)
                found = 200, content, ()
            except InputError as error:
                found = status_of(error), encoded({"error": str(error)}), ()
            except Exception:  # noqa: BLE001  # a fault of ours: it is told in the log, not to the caller
                _say_fault()
                found = 500, _FAILED, ()
        seconds = time.perf_counter() - begin
        self._note(path, model, found[0], seconds, rows)
        if self._log:
            self._log.add(client, "POST", path, found[0], seconds, rows)
        return found

    def _refusal(self, path: str, headers: Mapping[bytes, bytes]) -> tuple[int, bytes, Headers] | None:
        if self._wanted is None:
            host = headers.get(b"host", b"")
            if self._may_call(host):
                return None
            return 403, encoded({"error": f"unknown host {host.decode('latin-1')!r}"}), ()
        if path in _OPEN or hmac.compare_digest(headers.get(b"authorization", b""), self._wanted):
            return None
        sentence = "a token is needed: Authorization: Bearer TOKEN"
        return 401, encoded({"error": sentence}), ((b"www-authenticate", b"Bearer"),)

    def _note(self, path: str, model: str, status: int, seconds: float, rows: int) -> None:
        endpoint = (
            "infer" if path.endswith("/infer") else "predict" if path.startswith("/predict") else "other"
        )
        self._counters.request(model, endpoint, status, seconds, rows)


def _say_fault() -> None:
    print(traceback.format_exc(), file=sys.stderr, flush=True)  # noqa: T201  # this is the log
