"""The peer of `serving.py`: the same session behind FastAPI and pydantic, as one writes it by hand.

    python benchmarks/serving_peer.py FOLDER sync|async PORT

It takes the same requests at the same addresses and gives the same answers, without access log, metrics or
limits. It needs fastapi, uvicorn, uvloop, httptools, numpy and onnxruntime, and nothing of satisfice.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, create_model


class InputTensor(BaseModel):  # type: ignore[misc]
    """One input of the Open Inference Protocol."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]


class InferRequest(BaseModel):  # type: ignore[misc]
    """Its request."""

    inputs: list[InputTensor]
    id: str | None = None


class OutputTensor(BaseModel):  # type: ignore[misc]
    """One output."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]


class InferAnswer(BaseModel):  # type: ignore[misc]
    """Its answer."""

    model_name: str
    model_version: str
    outputs: list[OutputTensor]


class Prediction(BaseModel):  # type: ignore[misc]
    """The answer to one row."""

    label: int | str
    probabilities: dict[str, float]


class Predictions(BaseModel):  # type: ignore[misc]
    """The answers to some rows."""

    predictions: list[Prediction]


TYPES = {"FP64": np.float64, "UINT8": np.uint8, "BYTES": object}
DATATYPES = {"int64": "INT64", "float32": "FP32", "object": "BYTES"}


class Served:
    """The session of a shipped folder.

    Args:
        folder: Of which ``model.onnx`` and ``model.json`` are read.
    """

    def __init__(self, folder: Path) -> None:
        told = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options)
        self.name, self.version = told["name"], str(told["trial"])
        self.keys = [str(label) for label in told["classes"]]
        self.columns = {column["name"]: column["kind"] for column in told["input"].get("columns", ())}
        kinds: dict[str, Any] = {"number": (float | None, ...), "category": (str | None, ...)}
        # Names such as home.dest are no names in Python: the fields are numbered.
        fields = {f"column_{i}": kinds[kind] for i, kind in enumerate(self.columns.values())}
        aliases = {f"column_{i}": name for i, name in enumerate(self.columns)}
        self.row: Any = create_model("Row", __config__={"alias_generator": aliases.__getitem__}, **fields)

    def infer(self, request: Any) -> Any:
        """The answer to an inference request."""
        feeds = {t.name: np.array(t.data, TYPES[t.datatype]).reshape(t.shape) for t in request.inputs}
        outputs = [
            OutputTensor(
                name=output.name,
                shape=list(array.shape),
                datatype=DATATYPES[str(array.dtype)],
                data=array.ravel().tolist(),
            )
            for output, array in zip(self.session.get_outputs(), self.session.run(None, feeds), strict=True)
        ]
        return InferAnswer(model_name=self.name, model_version=self.version, outputs=outputs)

    def predict(self, rows: list[Any]) -> Any:
        """The answers to rows of a table."""
        feeds: dict[str, Any] = {}
        for i, (name, kind) in enumerate(self.columns.items()):
            cells = [getattr(row, f"column_{i}") for row in rows]
            array = (
                np.array(cells, np.float64)
                if kind == "number"
                else np.array([c or "" for c in cells], object)
            )
            feeds[name] = array.reshape(-1, 1)
        label, probabilities = self.session.run(["label", "probabilities"], feeds)
        return Predictions(
            predictions=[
                Prediction(label=one, probabilities=dict(zip(self.keys, row, strict=True)))
                for one, row in zip(label.tolist(), probabilities.tolist(), strict=True)
            ]
        )


def make_app(served: Served, kind: str) -> Any:
    """The application, its endpoints ``def`` ("sync") or ``async def`` ("async")."""
    rows_request = create_model("Rows", rows=(list[served.row], ...))  # type: ignore[name-defined]

    def infer(request: Any) -> Any:
        return served.infer(request)

    def predict(request: Any) -> Any:
        return served.predict(request.rows)

    async def infer_async(request: Any) -> Any:
        return served.infer(request)

    async def predict_async(request: Any) -> Any:
        return served.predict(request.rows)

    app = FastAPI()

    def add(path: str, endpoint: Callable[..., Any], takes: Any, gives: Any) -> None:
        endpoint.__annotations__ = {"request": takes, "return": gives}
        app.post(path)(endpoint)

    sync = kind == "sync"
    add(f"/v2/models/{served.name}/infer", infer if sync else infer_async, InferRequest, InferAnswer)
    if served.columns:
        add("/predict", predict if sync else predict_async, rows_request, Predictions)
    return app


def main() -> int:
    """Serve until SIGTERM."""
    folder, kind, port = sys.argv[1:]
    app = make_app(Served(Path(folder)), kind)
    uvicorn.run(app, port=int(port), access_log=False, log_level="warning")
    return 0


if __name__ == "__main__":
    sys.exit(main())
