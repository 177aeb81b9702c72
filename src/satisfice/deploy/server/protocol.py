"""The bodies of requests and answers: Open Inference Protocol version 2, and plain rows.

Field names and datatypes are those of https://github.com/kserve/open-inference-protocol.
"""

from __future__ import annotations

import math
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
_NUMBER_TYPES = frozenset((bool, int, float, type(None)))
_PLAIN_NUMBERS = frozenset((float, type(None)))
_TEXT_TYPES = frozenset((str, type(None)))
_COLUMN = (-1, 1)


class RowsRequest(msgspec.Struct):
    """Plain rows."""

    rows: list[dict[str, Any]]


class InputTensor(msgspec.Struct):
    """One input of an inference request."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]
    parameters: dict[str, Any] | None = None


class OutputName(msgspec.Struct):
    """One output that is asked for."""

    name: str
    parameters: dict[str, Any] | None = None


class InferRequest(msgspec.Struct):
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
    given: dict[str, InputTensor] = {tensor.name: tensor for tensor in request.inputs}
    if len(given) != len(request.inputs) or len(given) != len(model.inputs):
        _refuse_names(request, model)
    feeds: Feeds = {}
    rows = None
    for wanted in model.inputs:
        tensor = given.get(wanted.name)
        if tensor is None:
            _refuse_names(request, model)
            raise InputError(
                f"inputs: input {wanted.name!r} is absent", hint="null is a missing number, '' a text"
            )
        array = _column(tensor, wanted)
        feeds[wanted.name] = array = _array(tensor, wanted) if array is None else array
        if rows is not None and len(array) != rows:
            raise InputError(f"input {wanted.name!r} has {len(array)} rows, another one {rows}")
        rows = len(array)
    _check_count(rows or 0, max_rows)
    if not rows:
        raise InputError("inputs: there are no rows", hint="give at least one")
    if isinstance(model.described.input, ImageInput):
        feeds = {name: pixels_of(images, model.described.input) for name, images in feeds.items()}
    return feeds, rows


def _refuse_names(request: InferRequest, model: Model) -> None:
    """Say which input is unknown, or is given twice; what is absent is said by whoever looks for it."""
    known = {tensor.name for tensor in model.inputs}
    met: set[str] = set()
    for at, tensor in enumerate(request.inputs):
        if tensor.name not in known:
            raise InputError(f"inputs[{at}].name: the model has no input {tensor.name!r}")
        if tensor.name in met:
            raise InputError(f"inputs[{at}].name: input {tensor.name!r} is given twice")
        met.add(tensor.name)


def _fits(shape: list[int], wanted: tuple[int, ...]) -> bool:
    if len(shape) != len(wanted):
        return False
    for length, right in zip(shape, wanted, strict=True):  # a generator costs more than it all
        if length < 0 or (length != right and right != -1):
            return False
    return True


def _column(tensor: InputTensor, wanted: Tensor) -> NDArray[Any] | None:
    """A column of a table, as nearly all are sent; None where the tensor must be looked at more closely."""
    data = tensor.data
    if wanted.shape != _COLUMN or tensor.shape != [len(data), 1] or tensor.datatype != wanted.datatype:
        return None
    if tensor.datatype == "BYTES" and _TEXT_TYPES.issuperset(map(type, data)):
        texts = [value or "" for value in data] if None in data else data
        return np.array(texts, dtype=object)[:, None]
    if tensor.datatype == "FP64" and _PLAIN_NUMBERS.issuperset(map(type, data)):
        return np.array(data, dtype=np.float64)[:, None]  # None becomes NaN
    return None


def _array(tensor: InputTensor, wanted: Tensor) -> NDArray[Any]:
    """The tensor as the file takes it; images still as they came."""
    name, shape = tensor.name, tensor.shape
    if not _fits(shape, wanted.shape):
        raise InputError(
            f"input {name!r}: shape {shape} is not {list(wanted.shape)}", hint="-1 stands for any length"
        )
    text = wanted.datatype == "BYTES"
    if (tensor.datatype == "BYTES") != text or (not text and tensor.datatype not in _NUMBERS):
        raise InputError(f"input {name!r}: datatype {tensor.datatype!r} is not {wanted.datatype}")
    data = _flat(tensor.data, name)
    count = math.prod(shape)
    if len(data) != count:
        raise InputError(f"input {name!r}: data holds {len(data)} values, the shape says {count}")
    if wanted.datatype == "UINT8":
        try:
            return np.frombuffer(bytes(data), dtype=np.uint8).reshape(shape)
        except (TypeError, ValueError):  # numbers such as 7.0, or what is refused
            pass
    return (_texts(data, name) if text else _numbers(data, name)).reshape(shape)


def _flat(data: list[Any], name: str) -> list[Any]:
    """Nested lists are allowed too, row by row."""
    while data and isinstance(data[0], list):
        if not all(isinstance(each, list) for each in data):
            raise InputError(f"input {name!r}: data mixes lists and values")
        data = [value for each in data for value in each]
    return data


def _texts(data: list[Any], name: str) -> NDArray[Any]:
    if not _TEXT_TYPES.issuperset(map(type, data)):
        raise InputError(f"input {name!r}: data holds something else than texts")
    return np.array([value or "" for value in data], dtype=object)


def _numbers(data: list[Any], name: str) -> NDArray[np.float64]:
    if not _NUMBER_TYPES.issuperset(map(type, data)):
        raise InputError(f"input {name!r}: data holds something else than numbers")
    try:
        return np.array(data, dtype=np.float64)  # None becomes NaN
    except OverflowError:
        raise InputError(f"input {name!r}: data holds a number too large for float64") from None


def infer_answer(request: InferRequest, model: Model, outputs: Feeds) -> dict[str, Any]:
    """The answer to an inference request.

    Raises:
        InputError: An output is asked for that the model does not have, or an answer is no finite number.
    """
    out = []
    given = [each for each in model.outputs if each.name in outputs]
    for tensor in _asked(request, given) if request.outputs else given:
        array = outputs[tensor.name]
        data = array.ravel().tolist()
        # NaN and the infinities spread through a sum; a sum of finite ones may be infinite too.
        if array.dtype.kind == "f" and not math.isfinite(sum(data)) and not np.isfinite(array).all():
            raise InputError("an input holds a number too far from those that the model was trained on")
        out.append({"name": tensor.name, "datatype": tensor.datatype, "shape": array.shape, "data": data})
    answer: dict[str, Any] = {"model_name": model.name, "model_version": model.version, "outputs": out}
    if request.id is not None:
        answer["id"] = request.id
    return answer


def _asked(request: InferRequest, given: list[Tensor]) -> list[Tensor]:
    told = {each.name: each for each in given}
    for at, each in enumerate(request.outputs or ()):
        if each.name not in told:
            raise InputError(f"outputs[{at}].name: the model has no output {each.name!r}")
    return [told[each.name] for each in request.outputs or ()]
