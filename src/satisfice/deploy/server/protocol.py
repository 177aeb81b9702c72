"""The bodies of requests and answers: Open Inference Protocol version 2, and plain rows.

Field names and datatypes are those of https://github.com/kserve/open-inference-protocol.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from satisfice.deploy.server.models import Model, Tensor
from satisfice.errors import InputError
from satisfice.ship.folder.description import ImageInput
from satisfice.ship.folder.pictures import pixels_of
from satisfice.ship.folder.pipeline import Feeds

_NUMBERS = frozenset(
    ("BOOL", "FP16", "FP32", "FP64", *(f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)))
)


@dataclass
class RowsRequest:
    """Plain rows."""

    rows: list[dict[str, Any]]


@dataclass
class InputTensor:
    """One input of an inference request."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]
    parameters: dict[str, Any] | None = None


@dataclass
class OutputName:
    """One output that is asked for."""

    name: str
    parameters: dict[str, Any] | None = None


@dataclass
class InferRequest:
    """An inference request."""

    inputs: list[InputTensor]
    id: str | None = None
    outputs: list[OutputName] | None = None
    parameters: dict[str, Any] | None = None


_ROWS = msgspec.json.Decoder(RowsRequest)
_INFER = msgspec.json.Decoder(InferRequest)
_ENCODER = msgspec.json.Encoder()


def encoded(content: Any) -> bytes:
    """As JSON."""
    out: bytes = _ENCODER.encode(content)
    return out


def rows_of(body: bytes, max_rows: int) -> list[dict[str, Any]]:
    """The rows of a request.

    Raises:
        InputError: The body is no such request.
        TooLarge: There are more rows than are allowed.
    """
    try:
        decoded: RowsRequest = _ROWS.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"the body is no request for answers: {error}") from None
    _check_count(len(decoded.rows), max_rows)
    return decoded.rows


def infer_request(body: bytes) -> InferRequest:
    """The inference request of a body.

    Raises:
        InputError: It is none.
    """
    try:
        decoded: InferRequest = _INFER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"the body is no inference request: {error}") from None
    return decoded


class TooLarge(InputError):
    """The request is larger than the server allows."""


def _check_count(rows: int, most: int) -> None:
    if rows > most:
        raise TooLarge(f"the request has {rows} rows; at most {most} are allowed", hint="send them in parts")


def feeds_of(request: InferRequest, model: Model, max_rows: int) -> tuple[Feeds, int]:
    """The file's inputs, and their rows.

    Raises:
        InputError: An input is unknown, absent, there twice, or of another datatype or shape.
        TooLarge: There are more rows than are allowed.
    """
    given: dict[str, InputTensor] = {}
    known = {tensor.name for tensor in model.inputs}
    for at, tensor in enumerate(request.inputs):
        if tensor.name not in known:
            raise InputError(f"inputs[{at}].name: the model has no input {tensor.name!r}")
        if tensor.name in given:
            raise InputError(f"inputs[{at}].name: input {tensor.name!r} is given twice")
        given[tensor.name] = tensor
    feeds: Feeds = {}
    rows = None
    for wanted in model.inputs:
        if wanted.name not in given:
            raise InputError(
                f"inputs: input {wanted.name!r} is absent", hint="null is a missing number, '' a text"
            )
        feeds[wanted.name] = array = _array(given[wanted.name], wanted)
        if rows is not None and len(array) != rows:
            raise InputError(f"input {wanted.name!r} has {len(array)} rows, another one {rows}")
        rows = len(array)
    _check_count(rows or 0, max_rows)
    if not rows:
        raise InputError("inputs: there are no rows", hint="give at least one")
    if isinstance(model.described.input, ImageInput):
        feeds = {name: pixels_of(images, model.described.input) for name, images in feeds.items()}
    return feeds, rows


def _array(tensor: InputTensor, wanted: Tensor) -> NDArray[Any]:
    """The tensor as the file takes it; images still as they came."""
    where = f"input {tensor.name!r}"
    shape = tensor.shape
    right = len(shape) == len(wanted.shape) and all(
        a >= 0 and (b in (-1, a)) for a, b in zip(shape, wanted.shape, strict=True)
    )
    if not right:
        raise InputError(
            f"{where}: shape {shape} is not {list(wanted.shape)}", hint="-1 stands for any length"
        )
    text = wanted.datatype == "BYTES"
    if (tensor.datatype == "BYTES") != text or (not text and tensor.datatype not in _NUMBERS):
        raise InputError(f"{where}: datatype {tensor.datatype!r} is not {wanted.datatype}")
    data = _flat(tensor.data, where)
    if len(data) != math.prod(shape):
        raise InputError(f"{where}: data holds {len(data)} values, the shape says {math.prod(shape)}")
    return (_texts(data, where) if text else _numbers(data, where)).reshape(shape)


def _flat(data: list[Any], where: str) -> list[Any]:
    """Nested lists are allowed too, row by row."""
    while data and isinstance(data[0], list):
        if not all(isinstance(each, list) for each in data):
            raise InputError(f"{where}: data mixes lists and values")
        data = [value for each in data for value in each]
    return data


def _texts(data: list[Any], where: str) -> NDArray[Any]:
    if not all(isinstance(value, str) or value is None for value in data):
        raise InputError(f"{where}: data holds something else than texts")
    values = np.empty(len(data), dtype=object)
    values[:] = [value or "" for value in data]
    return values


def _numbers(data: list[Any], where: str) -> NDArray[np.float64]:
    if not all(isinstance(value, int | float) or value is None for value in data):
        raise InputError(f"{where}: data holds something else than numbers")
    try:
        return np.array(data, dtype=np.float64)  # None becomes NaN
    except OverflowError:
        raise InputError(f"{where}: data holds a number too large for float64") from None


def infer_answer(request: InferRequest, model: Model, outputs: Feeds) -> dict[str, Any]:
    """The answer to an inference request.

    Raises:
        InputError: An output is asked for that the model does not have, or an answer is no finite number.
    """
    wanted = [each.name for each in request.outputs or ()] or [each.name for each in model.outputs]
    told = {each.name: each for each in model.outputs}
    out = []
    for at, name in enumerate(wanted):
        if name not in told or name not in outputs:
            raise InputError(f"outputs[{at}].name: the model has no output {name!r}")
        array = outputs[name]
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputError("an input holds a number too far from those that the model was trained on")
        tensor = told[name]
        out.append(
            {"name": name, "datatype": tensor.datatype, "shape": array.shape, "data": array.ravel().tolist()}
        )
    answer: dict[str, Any] = {"model_name": model.name, "model_version": model.version, "outputs": out}
    if request.id is not None:
        answer["id"] = request.id
    return answer
