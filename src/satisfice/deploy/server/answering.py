"""What is asked most, rows and tensors by POST, answered without a router and its requests and responses.

A request's way through Starlette costs as much as a small model. Addresses that no router is needed for are
looked up here; all others go on to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from satisfice.deploy.server.models import Model, Models
from satisfice.deploy.server.protocol import (
    TooLarge,
    encoded,
    feeds_of,
    infer_answer,
    infer_request,
    rows_of,
)
from satisfice.deploy.server.settings import Settings
from satisfice.errors import InputError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Answer = Callable[[Model, bytes], tuple[bytes, int]]  # a body to the answer's body, and its rows

INLINE_BYTES = 32 << 10  # a longer request is computed in a thread: health and others are answered meanwhile
_JSON = (b"content-type", b"application/json")


class Answering:
    """An ASGI application before `routes`, the one that answers all other requests.

    Args:
        settings: What is served, and how.
        models: That answer.
    """

    def __init__(self, settings: Settings, models: Models) -> None:
        self.routes: Any = None
        self._models = models
        self._max_bytes = settings.max_bytes
        self._max_rows = settings.max_rows
        self.addresses: dict[str, tuple[str, Answer]] = {}
        for name in models.names:
            self.addresses[f"/predict/{name}"] = (name, self.predict)
            self.addresses[f"/v2/models/{name}/infer"] = (name, self.infer)
        if len(models.names) == 1:
            self.addresses["/predict"] = (models.names[0], self.predict)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        known = None
        if scope["type"] == "http" and scope["method"] == "POST" and not scope["query_string"]:
            known = self.addresses.get(scope["path"])
        if known is None:
            await self.routes(scope, receive, send)
            return
        try:
            content = await self.content(scope, receive, self._models.of(known[0]), known[1])
        except InputError as error:
            await send_json(send, status_of(error), encoded({"error": str(error)}))
        else:
            await send_json(send, 200, content)

    async def content(self, scope: Scope, receive: Receive, model: Model, answer: Answer) -> bytes:
        """The body that answers a request.

        Raises:
            InputError: The request is wrong.
        """
        scope["satisfice.model"] = model.name
        headers = dict(scope["headers"])
        _refuse_binary(headers)
        body = await self._body(headers.get(b"content-length", b""), receive)
        if len(body) <= INLINE_BYTES:
            content, rows = answer(model, body)
        else:
            content, rows = await asyncio.to_thread(answer, model, body)
        scope["satisfice.rows"] = rows
        return content

    def at_once(self, path: str, headers: Mapping[bytes, bytes], body: bytes) -> tuple[bytes, int]:
        """The body that answers a request to one of `addresses`, and its number of rows.

        Raises:
            InputError: The request is wrong.
        """
        _refuse_binary(headers)
        if len(body) > self._max_bytes:
            raise self._too_large()
        name, answer = self.addresses[path]
        return answer(self._models.of(name), body)

    async def _body(self, stated: bytes, receive: Receive) -> bytes:
        """The request's body; raises `TooLarge` as soon as it is longer than allowed."""
        if stated.isdigit() and int(stated) > self._max_bytes:
            raise self._too_large()
        body = b""
        parts: list[bytes] = []
        length = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise InputError("the request ended early")
            body = message.get("body", b"")
            length += len(body)
            if length > self._max_bytes:
                raise self._too_large()
            if not message.get("more_body", False):
                return b"".join((*parts, body)) if parts else body
            parts.append(body)

    def _too_large(self) -> TooLarge:
        return TooLarge(f"the request is longer than {self._max_bytes} bytes", hint="send the rows in parts")

    def predict(self, model: Model, body: bytes) -> tuple[bytes, int]:
        """The answer to plain rows, and their number."""
        rows = rows_of(body, self._max_rows)
        answers, told = model.pipeline.answer(rows)
        content: dict[str, Any] = {"predictions": answers}
        sentences = told.sentences()
        return encoded(content | {"warnings": sentences} if sentences else content), len(rows)

    def infer(self, model: Model, body: bytes) -> tuple[bytes, int]:
        """The answer to an inference request, and its number of rows."""
        asked = infer_request(body)
        feeds, rows = feeds_of(asked, model, self._max_rows)
        return encoded(infer_answer(asked, model, model.pipeline.outputs(feeds))), rows


def _refuse_binary(headers: Mapping[bytes, bytes]) -> None:
    if b"inference-header-content-length" in headers:
        raise InputError("tensors in binary are not taken", hint="send data as JSON: binary_data=False")


def status_of(error: InputError) -> int:
    """The status of an answer to a wrong request."""
    return 413 if isinstance(error, TooLarge) else 400


async def send_json(
    send: Send, status: int, body: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> None:
    """Send a whole answer in JSON."""
    told = [_JSON, (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": told})
    await send({"type": "http.response.body", "body": body})
