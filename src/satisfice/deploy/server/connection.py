"""Uvicorn's HTTP connections, with a short way for what is asked most.

Tasks, events and messages of ASGI cost several times what parsing a request does, and write an answer in two
system calls. Rows and tensors of a short POST are answered as soon as they are there, in one call. All else
goes uvicorn's own way: long or chunked bodies, other addresses, requests through a proxy that names its
client, callers that read slowly.
"""

from __future__ import annotations

import time
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from satisfice.deploy.server.answering import INLINE_BYTES
from satisfice.deploy.server.gate import STATE, Gate

_OTHER_WAY = frozenset(
    (b"expect", b"transfer-encoding", b"upgrade", b"x-forwarded-for", b"x-forwarded-proto")
)
_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
_IDLE_S = 1.0  # after SIGTERM: for a request that is under way on a connection that was idle


class Connection(HttpToolsProtocol):
    """One connection; the parser calls it for each part of a request."""

    _taken = False  # whether the request that is being read goes the short way
    _ending = False  # whether the server ends

    def on_headers_complete(self) -> None:
        """Choose the way of a request."""
        self._taken = self._is_short()
        if not self._taken:
            super().on_headers_complete()
            if self._ending and self.cycle is not None:
                self.cycle.keep_alive = False
            return
        self._begin = time.perf_counter()
        self._parts: list[bytes] = []

    def _is_short(self) -> bool:
        if self.cycle is not None and not self.cycle.response_complete:
            return False  # answers keep the order of the requests
        gate: Gate = self.app_state[STATE]
        if self.url not in gate.addresses or self.parser.get_method() != b"POST" or self.flow.write_paused:
            return False
        self._headers: dict[bytes, bytes] = dict(self.headers)
        length = self._headers.get(b"content-length", b"")
        return (
            length.isdigit()
            and int(length) <= INLINE_BYTES
            and _OTHER_WAY.isdisjoint(self._headers)
            and self.parser.get_http_version() == "1.1"
        )

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body."""
        if self._taken:
            self._parts.append(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Answer a request that goes the short way."""
        if not self._taken:
            super().on_message_complete()
            return
        self._taken = False
        gate: Gate = self.app_state[STATE]
        client = self.client[0] if self.client else "-"
        parts = self._parts
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        status, content, further = gate.answer(self.url, self._headers, body, client, self._begin)
        keep = self.parser.should_keep_alive() and not self._ending
        head = [_LINES[status]]
        for name, value in (*self.server_state.default_headers, *further):
            head += (name, b": ", value, b"\r\n")
        head.append(b"content-type: application/json\r\ncontent-length: %d\r\n" % len(content))
        head.append(b"\r\n" if keep else b"connection: close\r\n\r\n")
        self.transport.write(b"".join((*head, content)))
        if not keep:
            self.transport.close()
        self.on_response_complete()

    def shutdown(self) -> None:
        """Close once what was accepted is answered; uvicorn calls it when the server ends.

        A connection that is idle may carry a request that has not been read yet: it is open a moment longer.
        """
        self._ending = True
        if self.cycle is not None and not self.cycle.response_complete:
            super().shutdown()
        else:
            self.loop.call_later(_IDLE_S, self._close_idle)

    def _close_idle(self) -> None:
        if not self._taken and not self.transport.is_closing():
            super().shutdown()
