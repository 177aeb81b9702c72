"""The lab as a WSGI application, behind the dashboard's guard, served until interrupted."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from satisfice.addresses import is_loopback
from satisfice.dashboard.answers import Headers, reason, send
from satisfice.dashboard.guard import LOOPBACK, Guard
from satisfice.dashboard.server import authority, make_dashboard_server
from satisfice.dashboard.tokens import Tokens
from satisfice.errors import InputError, SatisficeError
from satisfice.lab.bench import Bench, QueueFull
from satisfice.lab.jobs import LabJob
from satisfice.lab.page import page, policy
from satisfice.lab.settings import MOST_EPOCHS, request_of, training_of
from satisfice.lab.subject import Subject
from satisfice.results.as_json import plain
from satisfice.train import TRAINERS

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_MOST_BYTES = 1 << 18  # of a body
_EVENTS = re.compile(r"^/lab/events/([A-Za-z0-9_-]{1,64})$")
_FRESH: Headers = [("Cache-Control", "no-store")]


class LabApp:
    """The page, and the trainings behind it. Every answer to bad input is a sentence with a status below 500.

    Args:
        bench: Where trainings are queued.
        subject: What is trained on.
    """

    def __init__(self, bench: Bench, subject: Subject) -> None:
        self._bench = bench
        self._subject = subject

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
        posts = {"/lab/train": self._train, "/lab/study": self._study, "/lab/cancel": self._cancel}
        if path in posts:
            if method != "POST":
                return _not_allowed(start_response, "POST")
            try:
                return posts[path](_body(environ), start_response)
            except QueueFull as error:
                return reason(start_response, "429 Too Many Requests", str(error), _FRESH)
            except SatisficeError as error:
                return reason(start_response, "400 Bad Request", str(error), _FRESH)
        if method not in ("GET", "HEAD"):
            return _not_allowed(start_response, "GET, HEAD")
        if path in ("", "/"):
            headers = [*_FRESH, ("Content-Security-Policy", policy())]
            return send(start_response, "200 OK", "text/html; charset=utf-8", page(), headers)
        if path == "/lab/data":
            return _json(start_response, described(self._subject))
        match = _EVENTS.match(path)
        job = self._bench.job(match[1]) if match else None
        if job is None:
            return reason(start_response, "404 Not Found", "there is nothing here", _FRESH)
        return self._events(job, environ, start_response)

    def _train(self, content: Mapping[str, Any], start: StartResponse) -> Iterable[bytes]:
        request = request_of(content)
        for training in request.trainings[:1]:
            self._subject.spec_of(training)  # values that do not go together are refused now
        job = self._bench.submit(request)
        return _json(start, {"id": job.number, "events": f"/lab/events/{job.number}"})

    def _study(self, content: Mapping[str, Any], start: StartResponse) -> Iterable[bytes]:
        text = self._subject.file_of(training_of(content))
        return send(start, "200 OK", "application/toml; charset=utf-8", text.encode(), _FRESH)

    def _cancel(self, content: Mapping[str, Any], start: StartResponse) -> Iterable[bytes]:
        number = content.get("id")
        job = self._bench.job(number) if isinstance(number, str) else None
        if job is None:
            return reason(start, "404 Not Found", "there is no such training", _FRESH)
        self._bench.cancel(job)
        return _json(start, {"id": job.number})

    def _events(self, job: LabJob, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        last = environ.get("HTTP_LAST_EVENT_ID", "")
        first = int(last) + 1 if re.fullmatch(r"[0-9]{1,9}", last) else 0
        start("200 OK", [("Content-Type", "text/event-stream; charset=utf-8"), *_FRESH])
        if environ["REQUEST_METHOD"] == "HEAD":
            return []
        return self._stream(job, first)

    def _stream(self, job: LabJob, first: int) -> Iterator[bytes]:
        """Server-sent events. Who stops reading before the end has closed the page: the training stops."""
        over = False
        try:
            yield b": hello\n\n"
            for each in job.listen(first):
                if each is None:
                    yield b": still here\n\n"  # fails where the page is gone
                    continue
                number, event = each
                yield f"id: {number}\ndata: {json.dumps(event)}\n\n".encode()
            over = True
        finally:
            if not over:
                self._bench.cancel(job)


def described(subject: Subject) -> dict[str, Any]:
    """The data and the families with their hyperparameters, as the page needs them."""
    spec = subject.spec
    assert spec.data is not None
    families = {}
    for family in dict.fromkeys(subject.families.values()):
        known = TRAINERS.get(family).hyperparameters
        families[family] = {
            "fixed": subject.fixed(family),
            "hyperparameters": {
                name: {"kind": h.kind, "default": h.default, "choices": list(h.choices), "doc": h.doc}
                for name, h in known.items()
            },
        }
    objective = next((o for o in spec.objectives), None)
    assert objective is not None
    return {
        "data": spec.data.name or str(spec.data.file),
        "name": spec.name,
        "metric": objective.metric,
        "sign": 1.0 if objective.direction == "maximize" else -1.0,
        "most_epochs": MOST_EPOCHS,
        "parts": subject.families,
        "families": families,
    }


def make_lab(
    bench: Bench,
    subject: Subject,
    *,
    allowed_hosts: Collection[str] = LOOPBACK,
    tokens: Tokens | None = None,
) -> WSGIApplication:
    """The lab behind the guard.

    Args:
        bench: Where trainings are queued; it must be entered.
        subject: What is trained on.
        allowed_hosts: Host names that a request may name, against DNS rebinding; numeric ones always may.
        tokens: What visitors must know; left out, nobody is asked.
    """
    return Guard(LabApp(bench, subject), allow_writes=True, allowed_hosts=allowed_hosts, tokens=tokens)


def serve_lab(
    study: Path | None = None,
    host: str = "127.0.0.1",
    port: int = 8080,
    *,
    allowed_hosts: Collection[str] = (),
    token: str | None = None,
    listening: Callable[[str], object] | None = None,
) -> None:
    """Serve the lab until interrupted.

    Args:
        study: A study file, whose data and family are trained; None for the Titanic.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        allowed_hosts: Further host names, beside loopback and ``host`` itself.
        token: What visitors must know; needed beyond loopback.
        listening: Told the address once a training can begin at once.

    Raises:
        InputError: The study file is wrong, the address cannot be listened on, or a token is missing there.
    """
    subject = Subject.of(study)
    names = {*LOOPBACK, *allowed_hosts} | (set() if is_loopback(host) else {host})
    tokens = Tokens.checked(host, token, None, allow_writes=False)
    bench = Bench(study)
    app = make_lab(bench, subject, allowed_hosts=names, tokens=tokens)
    with make_dashboard_server(app, host, port) as server, bench:
        if listening is not None:
            listening(f"http://{authority(host, server.server_port)}")
        server.serve_forever()


def _body(environ: WSGIEnvironment) -> Mapping[str, Any]:
    """The JSON object that was sent.

    Raises:
        InputError: There is none.
    """
    text = environ.get("CONTENT_LENGTH") or "0"
    if not re.fullmatch(r"[0-9]{1,12}", text) or int(text) > _MOST_BYTES:
        raise InputError(f"the body is no JSON object of at most {_MOST_BYTES} bytes", hint="send less")
    try:
        content = json.loads(environ["wsgi.input"].read(int(text)))
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or "json" not in environ.get("CONTENT_TYPE", ""):
        raise InputError("the body is no JSON object", hint="send one, with Content-Type: application/json")
    return content


def _json(start: StartResponse, content: Any) -> Iterable[bytes]:
    body = json.dumps(plain(content), allow_nan=False).encode()
    return send(start, "200 OK", "application/json", body, _FRESH)


def _not_allowed(start: StartResponse, allowed: str) -> Iterable[bytes]:
    return reason(start, "405 Method Not Allowed", "not by this method", [*_FRESH, ("Allow", allowed)])
