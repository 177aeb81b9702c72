"""The server's OpenAPI document, from what ``model.json`` says of each model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from satisfice.deploy.server.models import Model
from satisfice.ship.folder.description import IMAGE_COLUMN, ImageInput, InputColumn

Json = dict[str, Any]


def openapi(models: Sequence[Model], *, token: bool) -> Json:
    """An OpenAPI 3.1 document.

    Args:
        models: That are served.
        token: Whether callers must send one.
    """
    paths: Json = {}
    schemas: Json = {"Error": _object({"error": {"type": "string"}})}
    for model in models:
        key = f"Row{models.index(model)}"
        schemas[key] = _row(model)
        body = {"rows": {"type": "array", "minItems": 1, "items": _ref(key)}}
        post = _post(model, "predict", body, _predictions(model), {"rows": [model.example]})
        paths[f"/predict/{quote(model.name)}"] = {"post": post}
        if len(models) == 1:
            paths["/predict"] = {"post": {**post, "operationId": "predict"}}
        base = f"/v2/models/{quote(model.name)}"
        paths[base] = {"get": _get(f"{model.name} metadata", "Inputs and outputs of the file.")}
        paths[f"{base}/ready"] = {"get": _get(f"{model.name} ready", "Whether the model answers.")}
        paths[f"{base}/infer"] = {"post": _post(model, "infer", *_tensors(model))}
    for path, told in (
        ("/v2", "The server."),
        ("/v2/health/live", "Whether the server runs."),
        ("/v2/health/ready", "Whether every model answers."),
        ("/metrics", "Counts and latencies, in Prometheus' text format."),
    ):
        paths[path] = {"get": _get(path, told)}
    document: Json = {
        "openapi": "3.1.0",
        "info": {"title": ", ".join(m.name for m in models), "version": models[0].version},
        "paths": paths,
        "components": {"schemas": schemas},
    }
    if token:
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
    return document


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(properties: Json, required: Sequence[str] | None = None) -> Json:
    wanted = list(properties) if required is None else list(required)
    return {"type": "object", "properties": properties, "required": wanted}


def _content(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _responses(schema: Json | None) -> Json:
    told = {"400": "A sentence that names the wrong field.", "401": "The token is absent or wrong."}
    told |= {
        "403": "The name in Host is unknown.",
        "404": "There is no such model.",
        "413": "It is too large.",
    }
    errors = {code: {"description": text, "content": _content(_ref("Error"))} for code, text in told.items()}
    return {
        "200": {"description": "The answer.", **({"content": _content(schema)} if schema else {})},
        **errors,
    }


def _get(name: str, told: str) -> Json:
    return {"operationId": name, "summary": told, "responses": _responses(None)}


def _post(model: Model, what: str, body: Json, answer: Json, example: Json) -> Json:
    schema = {**_object(body), "additionalProperties": what == "infer"}
    return {
        "operationId": f"{what} {model.name}",
        "summary": f"{what.capitalize()} by {model.name}, version {model.version}",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema, "example": example}},
        },
        "responses": _responses(answer),
    }


def _row(model: Model) -> Json:
    given = model.described.input
    if isinstance(given, ImageInput):
        shape = " x ".join(map(str, given.shape))
        told = (
            f"{shape} pixels ({given.dtype}), channels first, as nested lists; or a picture's file in base64"
        )
        return _object({IMAGE_COLUMN: {"type": ["array", "string"], "description": told}})
    return _object({column.name: _cell(column) for column in given})


def _cell(column: InputColumn) -> Json:
    kind = column.rule.kind
    if kind == "category":
        seen = ", ".join(column.rule.values[:50])
        return {"type": ["string", "number", "boolean", "null"], "description": f"A category: {seen}"}
    if kind == "text":
        return {"type": ["string", "null"], "description": "A text, as it was written"}
    span = (
        ""
        if column.low is None or column.high is None
        else f"; training saw {column.low:g} to {column.high:g}"
    )
    if kind == "moment":
        return {"type": ["string", "null"], "description": f"A date, such as 2024-12-31T13:30:00Z{span}"}
    return {"type": ["number", "string", "boolean", "null"], "description": f"A number{span}"}


def _predictions(model: Model) -> Json:
    if model.described.classes:
        shares = {"type": "object", "additionalProperties": {"type": "number"}}
        answer = _object({"label": {"enum": list(model.described.classes)}, "probabilities": shares})
    else:
        answer = _object({"value": {"type": "number"}})
    told = {"predictions": {"type": "array", "items": answer}}
    told["warnings"] = {"type": "array", "items": {"type": "string"}}
    return _object(told, ["predictions"])


def _tensors(model: Model) -> tuple[Json, Json, Json]:
    """Body, answer and example of an inference request."""
    tensor = _object(
        {
            "name": {"type": "string", "enum": [each.name for each in model.inputs]},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
            "datatype": {"type": "string", "enum": sorted({each.datatype for each in model.inputs})},
            "data": {"type": "array", "items": {"type": ["number", "string", "null"]}},
        }
    )
    feeds, _ = model.pipeline.feeds([model.example])
    example = []
    for each in model.inputs:
        array = feeds[each.name]
        data = [None if value != value else value for value in array.ravel().tolist()]  # NaN
        example.append(
            {"name": each.name, "shape": list(array.shape), "datatype": each.datatype, "data": data}
        )
    output = _object(
        {
            "name": {"type": "string"},
            "shape": {"type": "array", "items": {"type": "integer"}},
            "datatype": {"type": "string"},
            "data": {"type": "array"},
        }
    )
    answer = {"model_name": {"type": "string"}, "outputs": {"type": "array", "items": output}}
    body = {"inputs": {"type": "array", "minItems": len(model.inputs), "items": tensor}}
    return body, _object(answer), {"inputs": example}
