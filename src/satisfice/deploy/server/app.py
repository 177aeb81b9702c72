"""The routes of a server, as a Starlette application."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from satisfice.deploy.server.answering import Answer, Answering, status_of
from satisfice.deploy.server.counters import Counters
from satisfice.deploy.server.gate import Gate
from satisfice.deploy.server.models import Model, Models
from satisfice.deploy.server.openapi import openapi
from satisfice.deploy.server.page import PAGE, PAGE_HEADERS
from satisfice.deploy.server.protocol import encoded
from satisfice.deploy.server.settings import Settings
from satisfice.errors import InputError

_JSON = "application/json"
_PLATFORM = "onnx_onnxv1"


def make_app(settings: Settings, ready: Callable[[], None] | None = None) -> Any:
    """The ASGI application of one worker process.

    Args:
        settings: What is served, and how.
        ready: Called once the models are open.

    Raises:
        InputError: A folder cannot be served.
    """
    models = Models(settings.directories, settings.threads)
    counters = Counters(settings.counters, models.names)
    server = _Application(settings, models, counters)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        watch = asyncio.create_task(models.watch(settings.reload_s, counters.reload))
        if ready is not None:
            ready()
        yield
        watch.cancel()

    app = Starlette(
        routes=server.routes(),
        lifespan=lifespan,
        exception_handlers={HTTPException: _http_error, InputError: _input_error},
    )
    server.answering.routes = app
    return Gate(server.answering, settings, counters)


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    plain = {"Not Found": "there is nothing at this address", "Method Not Allowed": "it takes another method"}
    text = plain.get(error.detail, error.detail)
    return _json({"error": text}, error.status_code, dict(error.headers or {}))


async def _input_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, InputError)
    return _json({"error": str(error)}, status_of(error))


def _json(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(encoded(content), status, headers, media_type=_JSON)


def _version() -> str:
    try:
        return version("satisfice")
    except PackageNotFoundError:  # it runs from its source folder
        return "unknown"


class _Application:
    """What the routes answer."""

    def __init__(self, settings: Settings, models: Models, counters: Counters) -> None:
        self._settings = settings
        self._models = models
        self.answering = Answering(settings, models)
        self._counters = counters

    def routes(self) -> list[Route]:
        out = [Route("/predict", self.predict, methods=["POST"])]
        out += [Route("/predict/{name}", self.predict, methods=["POST"])]
        for path in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}"):
            out.append(Route(f"{path}/infer", self.infer, methods=["POST"]))
            out.append(Route(path, self.metadata))
            out.append(Route(f"{path}/ready", self.model_ready))
        return [
            *out,
            Route("/v2", self.server_metadata),
            Route("/v2/health/live", self.live),
            Route("/v2/health/ready", self.live),
            Route("/openapi.json", self.openapi),
            Route("/docs", self.docs),
            Route("/metrics", self.metrics),
        ]

    async def predict(self, request: Request) -> Response:
        return await self._answered(request, self.answering.predict)

    async def infer(self, request: Request) -> Response:
        return await self._answered(request, self.answering.infer)

    async def _answered(self, request: Request, answer: Answer) -> Response:
        model = self._model(request)
        content = await self.answering.content(request.scope, request.receive, model, answer)
        return Response(content, media_type=_JSON)

    def _model(self, request: Request) -> Model:
        name = request.path_params.get("name") or request.query_params.get("model")
        names = self._models.names
        if name is None and len(names) > 1:
            raise InputError(f"several models are served: {', '.join(names)}", hint="add ?model=NAME")
        model = self._models.get(names[0] if name is None else name)
        asked = request.path_params.get("version")
        if model is None:
            raise HTTPException(404, f"there is no model {name!r} (there are: {', '.join(names)})")
        if asked not in (None, model.version):
            raise HTTPException(404, f"model {model.name!r} is at version {model.version}, not {asked}")
        request.scope["satisfice.model"] = model.name
        return model

    async def metadata(self, request: Request) -> Response:
        model = self._model(request)
        return _json(
            {
                "name": model.name,
                "versions": [model.version],
                "platform": _PLATFORM,
                "inputs": [each.to_json() for each in model.inputs],
                "outputs": [each.to_json() for each in model.outputs],
            }
        )

    async def model_ready(self, request: Request) -> Response:
        return _json({"name": self._model(request).name, "ready": True})

    async def server_metadata(self, _request: Request) -> Response:
        return _json({"name": "satisfice", "version": _version(), "extensions": []})

    async def live(self, request: Request) -> Response:
        return _json({request.url.path.rsplit("/", 1)[1]: True})

    async def openapi(self, _request: Request) -> Response:
        return _json(openapi(self._models.all(), token=self._settings.token is not None))

    async def docs(self, _request: Request) -> Response:
        return HTMLResponse(PAGE, headers=PAGE_HEADERS)

    async def metrics(self, _request: Request) -> Response:
        return PlainTextResponse(self._counters.text(), media_type="text/plain; version=0.0.4")
