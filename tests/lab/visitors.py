"""A visitor of a lab, over HTTP as a page is one."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

LONG = {"family": "mlp", "values": {"patience": 0, "width": 256}, "epochs": 300}


class LabVisitor:
    """Asks a lab over HTTP, as a page does."""

    def __init__(self, address: str, name: str) -> None:
        self.place = urlsplit(address).netloc
        self.name = name

    def ask(
        self, path: str, content: Any = None, *, method: str | None = None, **headers: str
    ) -> tuple[int, str]:
        """Status and body; a body is sent as JSON unless it is text."""
        line = http.client.HTTPConnection(self.place, timeout=60)
        body = None if content is None else content if isinstance(content, str) else json.dumps(content)
        sent = {"Content-Type": "application/json"} if body is not None else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        line.request(method or ("GET" if body is None else "POST"), path, body, sent)
        answer = line.getresponse()
        found = answer.status, answer.read().decode()
        line.close()
        return found

    def train(self, *trainings: dict[str, Any]) -> str:
        """Ask for them; the address of their events."""
        status, body = self.ask("/lab/train", {"visitor": self.name, "trainings": list(trainings)})
        assert status == 200, body
        return str(json.loads(body)["events"])

    def listen(self, path: str) -> Iterator[dict[str, Any]]:
        """Events as they come; who stops listening hangs up."""
        line = http.client.HTTPConnection(self.place, timeout=120)
        line.request("GET", path)
        answer = line.getresponse()
        try:
            for text in answer:
                if text.startswith(b"data: "):
                    yield json.loads(text[len("data: ") :])
        finally:
            answer.close()
            line.close()

    def finish(self, *trainings: dict[str, Any]) -> list[dict[str, Any]]:
        """Train, and all events."""
        return list(self.listen(self.train(*trainings)))


def wait_for(what: Any) -> None:
    """Until it is so."""
    for _ in range(1200):
        if what():
            return
        time.sleep(0.05)
    pytest.fail("it never came to be")
