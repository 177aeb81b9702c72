"""Small shipped folders, written by hand: no training, and answers that follow from a formula."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto

from satisfice.data.reading.cells import Rule
from satisfice.ship.folder.card import model_card
from satisfice.ship.folder.description import Description, ImageInput, InputColumn, Promise, Score
from satisfice.ship.folder.pipeline import Pipeline
from satisfice.ship.folder.write import write_folder
from satisfice.ship.onnx.decision import add_classes
from satisfice.ship.onnx.graph import ML, Graph
from satisfice.ship.runtime import session

EPOCH_DAY = 86_400.0
ROWS: list[dict[str, Any]] = [
    {"age": 30, "fare": "1.234,5", "sex": "female", "boarded": "1.2.1970", "name": "x"},
    {"age": None, "fare": "7", "sex": "male", "boarded": "1970-01-11", "name": None},
    {"age": 61.5, "fare": "", "sex": "elf", "boarded": None, "name": "z"},
]


def expected(age: float | None, fare: float | None, female: bool, day: float | None) -> float:
    """What `survival` answers by its formula."""
    fare = fare or 0.0
    raw = (
        0.05 * (30.0 if age is None else age) + 0.001 * fare + (1.0 if female else -1.0) - 0.01 * (day or 0.0)
    )
    return 1 / (1 + math.exp(-(raw - 2.0)))


def survival_model(threshold: float | None = 0.5, classes: tuple[Any, ...] = ("no", "yes")) -> bytes:
    """A logistic model of three numbers and a category."""
    graph = Graph()
    numbers = (("age", 0.05, 30.0), ("fare", 0.001, 0.0), ("boarded", -0.01 / EPOCH_DAY, 0.0))
    inputs = [graph.input(name, TensorProto.DOUBLE, ["n", 1]) for name, _, _ in numbers]
    sex = graph.input("sex", TensorProto.STRING, ["n", 1])
    terms = []
    for x, (_, weight, fill) in zip(inputs, numbers, strict=True):
        filled = graph.op("Where", graph.op("IsNaN", x), graph.constant(np.float64(fill)), x)
        terms.append(graph.op("Mul", filled, graph.constant(np.float64(weight))))
    code = graph.op(
        "LabelEncoder", sex, domain=ML, keys_strings=["female"], values_floats=[1.0], default_float=-1.0
    )
    terms.append(graph.op("Cast", code, to=TensorProto.DOUBLE))
    raw = terms[0]
    for term in terms[1:]:
        raw = graph.op("Add", raw, term)
    raw = graph.op("Sub", raw, graph.constant(np.float64(2.0)))
    add_classes(graph, graph.op("Cast", raw, to=TensorProto.FLOAT), "sigmoid", classes, threshold)
    return graph.serialized({})


def survival_description(model: bytes, **changed: Any) -> Description:
    """What `survival_model` is said to be."""
    told: dict[str, Any] = {
        "name": "survival-3",
        "study": "survival",
        "trial": 3,
        "task": "classification",
        "target": "survived",
        "classes": ("no", "yes"),
        "threshold": 0.5,
        "input": (
            InputColumn(name="age", rule=Rule(), low=0.2, high=80),
            InputColumn(name="fare", rule=Rule(decimal=",", thousands="."), low=0, high=512),
            InputColumn(name="sex", rule=Rule(kind="category", values=("female", "male"))),
            InputColumn(name="boarded", rule=Rule(kind="moment", order="dmy"), low=0, high=4e6),
        ),
        "outputs": {"label": "string", "probabilities": "float32"},
        "promises": (Promise(metric="size_bytes", value=float(len(model)), bound="<= 20000"),),
        "scores": (
            Score(split="test", rows=400, metrics={"accuracy": 0.9}, standard_errors={"accuracy": 0.015}),
        ),
    }
    return Description(**{**told, **changed})


def write_survival(folder: Path, threshold: float = 0.5, **changed: Any) -> Description:
    """The folder of `survival_model`, its golden rows `ROWS`."""
    model = survival_model(threshold)
    told = survival_description(model, threshold=threshold, **changed)
    golden = Pipeline(told, session(model)).answer(ROWS)[0]
    return write_folder(folder, model, told, (ROWS, golden), model_card(told))


def write_price(folder: Path, name: str = "size", tensor: str = "") -> Description:
    """A regression: value = 1000 + 2 * size, in float64; a missing size counts as 0."""
    graph = Graph()
    x = graph.input(tensor or name, TensorProto.DOUBLE, ["n", 1])
    x = graph.op("Where", graph.op("IsNaN", x), graph.constant(np.float64(0)), x)
    doubled = graph.op("Mul", x, graph.constant(np.float64(2)))
    value = graph.op("Add", doubled, graph.constant(np.float64(1000)))
    flat = graph.op("Reshape", value, graph.constant(np.array([-1], np.int64)))
    graph.output(flat, "value", TensorProto.DOUBLE, ["n"])
    model = graph.serialized({})
    told = Description(
        name="price",
        study="price",
        trial=0,
        task="regression",
        target="price",
        input=(InputColumn(name=name, rule=Rule(), low=0, high=10, tensor=tensor),),
        outputs={"value": "float64"},
    )
    rows = [{name: 3}]
    golden = Pipeline(told, session(model)).answer(rows)[0]
    return write_folder(folder, model, told, (rows, golden), model_card(told))


def write_bright(folder: Path, dtype: str = "uint8") -> Description:
    """Images of one channel, 2 x 3 pixels, with whole numbers as labels: 1 where they are bright."""
    graph = Graph()
    x = graph.input("images", TensorProto.UINT8 if dtype == "uint8" else TensorProto.DOUBLE, ["n", 1, 2, 3])
    flat = graph.op("Reshape", graph.op("Cast", x, to=TensorProto.FLOAT), graph.constant(np.array([-1, 6])))
    weights = np.array([[-1.0, 1.0]] * 6, np.float32) / 600
    raw = graph.op("MatMul", flat, graph.constant(weights))
    raw = graph.op("Add", raw, graph.constant(np.array([1.0, -1.0], np.float32)))
    add_classes(graph, raw, "softmax", (0, 1))
    model = graph.serialized({})
    told = Description(
        name="bright",
        study="bright",
        trial=1,
        task="classification",
        target="label",
        classes=(0, 1),
        input=ImageInput(shape=(1, 2, 3), dtype=dtype),
        outputs={"label": "int64", "probabilities": "float32"},
    )
    rows: list[dict[str, Any]] = [
        {"image": [[0, 0, 0], [0, 0, 0]]},
        {"image": [[[255, 255, 255], [255, 255, 255]]]},
    ]
    golden = Pipeline(told, session(model)).answer(rows)[0]
    return write_folder(folder, model, told, (rows, golden), model_card(told))
