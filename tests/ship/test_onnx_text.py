"""Raw strings in, answers out: the file prepares columns of text as training did."""

from __future__ import annotations

import csv
import random
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from satisfice.data.features.table import TableEncoder, fit_table
from satisfice.data.reading.cells import Rule
from satisfice.data.text.features import TextFeatures, idf_of
from satisfice.ship import onnx_file, runtime
from satisfice.ship.onnx.graph import Graph
from satisfice.ship.onnx.tables import add_table
from satisfice.ship.onnx_file import Options
from satisfice.spec.study import DataSpec
from satisfice.train import load_model
from satisfice.train.conversion import write_onnx

TERMS = {
    "words": (("free", "café", "ß", "日本", "$", "free money", "a b c"), ("now", "free free")),
    "characters": (("a", " ", "\n", "\0", "é", "😀", "\u200d", "ab", "free"), ("e\u0301", "  ")),
}
ASCII = ("free", "FREE", "money", "$", "a b c", "now", "ab", "free money", " ", "\n", "\r\n", "\t", "\0")
BEYOND = (
    "café",
    "cafe\u0301",
    "e\u0301",
    "ß",
    "日本",
    "İı",
    "😀",
    "👨\u200d👩",
    "\u00a0",
    "\u200b",
    "\u200d",
    "\ufeff",
)
PIECES = st.sampled_from((*ASCII, *BEYOND))
TEXTS = st.one_of(
    st.lists(PIECES, max_size=12).map("".join),
    st.text(st.characters(codec="utf-8"), max_size=60),
)


@cache
def _prepared(unit: str, hashed: bool, idf: bool, ngrams: int) -> tuple[TextFeatures, Any]:
    """The features, and a session from two columns of text to them."""
    terms = tuple(
        tuple(t for t in column if len(t.split(" ") if unit == "words" else t) <= ngrams)
        for column in TERMS[unit]
    )
    width = 32 if hashed else sum(map(len, terms))
    texts = TextFeatures(
        columns=("body", "value"),  # the second one is also the name of an output
        unit=unit,
        ngrams=ngrams,
        terms=() if hashed else terms,
        buckets=32 if hashed else 0,
        idf=idf_of(np.arange(width), width) if idf else None,
    )
    nothing = np.zeros(0)
    encoder = TableEncoder(
        columns=(),
        missing=nothing.astype(np.float32),
        mean=nothing,
        scale=nothing,
        start=nothing,
        unit=nothing,
        rules=dict.fromkeys(texts.columns, Rule(kind="text")),
        texts=texts,
    )
    graph = Graph()
    graph.output(add_table(graph, encoder), "x", 1, ["n", width])
    return texts, runtime.session(graph.serialized({}))


@settings(max_examples=60)
@given(
    st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4),
    st.sampled_from(["words", "characters"]),
    st.booleans(),
    st.booleans(),
    st.integers(1, 4),
)
def test_features_are_the_same_for_any_text(
    rows: list[tuple[str, str]], unit: str, hashed: bool, idf: bool, ngrams: int
) -> None:
    texts, session = _prepared(unit, hashed, idf, ngrams)
    columns = dict(zip(("body", "value_"), zip(*rows, strict=True), strict=True))
    feeds = {name: np.array(cells, dtype=object)[:, None] for name, cells in columns.items()}
    (found,) = session.run(None, runtime.taken(session, feeds))
    wanted = texts.transform({"body": columns["body"], "value": columns["value_"]})
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("unit", "hashed"), list(product(["words", "characters"], [False, True])))
def test_very_long_and_empty_texts(unit: str, hashed: bool) -> None:
    texts, session = _prepared(unit, hashed, True, 3)
    for cells in (["free money " * 20_000, ""], ["", ""], ["now"]):
        given_texts = {"body": cells, "value_": cells[::-1]}
        (found,) = session.run(None, {k: np.array(v, dtype=object)[:, None] for k, v in given_texts.items()})
        wanted = texts.transform({"body": cells, "value": cells[::-1]})
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)


def table(folder: Path, n: int = 150) -> Path:
    """Numbers, categories and two columns of text, some of them missing."""
    rng = random.Random(5)
    good, bad = (
        ["meeting", "agenda", "café", "review", "lunch", "ÄRGER", "日本"],
        ["free", "money", "$", "winner", "click!", "İstanbul", "😀"],
    )
    plain = ["the", "a", "of", "and", "to", "in", "is", "it", "that", "you", "for", "on", "with", "this"]
    path = folder / "mails.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["subject", "body", "size", "source", "label", "price"])
        for at in range(n):
            spam = at % 3 == 0
            words = [rng.choice((bad if spam else good) if rng.random() < 0.2 else plain) for _ in range(40)]
            rows.writerow(
                [
                    "" if at % 11 == 0 else " ".join(words[:8]).title(),
                    "" if at % 13 == 0 else "\n".join([" ".join(words[8:20]), " ".join(words[20:])]),
                    "" if at % 7 == 0 else round(rng.lognormvariate(3 + spam, 1), 2),
                    rng.choice("abc"),
                    "spam" if spam else "ham",
                    round(sum(word in bad for word in words) + rng.random(), 3),
                ]
            )
    return path


SETTINGS: list[dict[str, Any]] = [
    {"vocabulary": 60},
    {"vocabulary": 40, "vocabulary_by": "chi2", "ngrams": 2, "idf": False},
    {"vocabulary": 64, "vocabulary_by": "hashing", "ngrams": 2},
    {"vocabulary": 80, "vocabulary_by": "frequency", "tokens": "characters", "ngrams": 3},
    {"vocabulary": 3, "vocabulary_by": "l1"},
]


def _data(target: str, folder: Path) -> DataSpec:
    path = folder / "mails.csv" if (folder / "mails.csv").exists() else table(folder)
    other = "price" if target == "label" else "label"
    return DataSpec(file=str(path), target=target, drop=(other,), text=("subject", "body"))


CASES = [("linear", target, setting) for target in ("label", "price") for setting in SETTINGS]
CASES += [("mlp", "label", SETTINGS[0]), ("mlp", "price", SETTINGS[2])]


@pytest.mark.parametrize(
    ("family", "target", "setting"),
    CASES,
    ids=[f"{family}-{target}-{setting['vocabulary']}" for family, target, setting in CASES],
)
def test_mixed_tables(
    family: str, target: str, setting: dict[str, Any], train: Any, tmp_path_factory: Any, tmp_path: Path
) -> None:
    data = _data(target, tmp_path_factory.getbasetemp())
    task = "classification" if target == "label" else "regression"
    kept, study = train(family, data, task, **setting, **({"width": 8} if family == "mlp" else {}))
    model = load_model(kept)
    rows = pd.read_csv(str(data.file)).drop(columns=["label", "price"])
    for precision in ("none", "int8"):
        size = write_onnx(kept, tmp_path / "model.onnx", Options(precision=precision))
        session = runtime.session(tmp_path / "model.onnx")
        found = runtime.outputs(session, runtime.taken(session, onnx_file.feeds(model.header, rows)))
        if precision == "none" and task == "classification":
            np.testing.assert_allclose(found["probabilities"], model.predict_proba(rows), rtol=0, atol=1e-6)
        elif precision == "none":
            np.testing.assert_allclose(found["value"], model.predict(rows), rtol=1e-5, atol=1e-5)
        assert onnx_file.length(model.header, study.writer(), Options(precision=precision)) == size


def test_plain_onnxruntime_takes_a_raw_string(train: Any, tmp_path_factory: Any, tmp_path: Path) -> None:
    """No code of ours stands between the string and the probability, and the session has no options."""
    data = _data("label", tmp_path_factory.getbasetemp())
    data = replace(data, drop=("subject", "size", "source", "price"), text=("body",))
    kept, _ = train("linear", data, "classification", **SETTINGS[0])
    write_onnx(kept, tmp_path / "model.onnx", Options())
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    assert given.type == "tensor(string)"
    texts = ["free money $ now!", "the agenda\nof a café meeting", "", "İstanbul 😀 日本 FREE"]
    (found,) = session.run(["probabilities"], {given.name: np.array(texts, dtype=object)[:, None]})
    wanted = load_model(kept).predict_proba(pd.DataFrame({"body": texts}))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)
    assert np.ptp(wanted[:, 1]) > 0.01


def test_a_teacher_reads_the_texts_by_its_own_words(train: Any, tmp_path_factory: Any) -> None:
    from satisfice.train.networks.distillation import outputs_of

    data = _data("label", tmp_path_factory.getbasetemp())
    teacher = load_model(train("linear", data, "classification", **SETTINGS[1])[0])
    _, student = train("mlp", data, "classification", width=8, **SETTINGS[0])
    found = outputs_of(teacher, student.splits)
    np.testing.assert_allclose(
        found, teacher.predict_proba(student.splits.raw_train.items), rtol=0, atol=1e-6
    )


def test_a_column_that_gives_no_feature_is_no_input() -> None:
    frame = pd.DataFrame({"a": ["x y"] * 4, "b": ["z"] * 4})
    encoder = fit_table(frame, dict.fromkeys("ab", Rule(kind="text")))
    texts = TextFeatures(columns=("a", "b"), terms=(("x",), ()))
    graph = Graph()
    add_table(graph, TableEncoder(**{**vars(encoder), "texts": texts}))
    assert [each.name for each in graph._graph.input] == ["a"]
