"""From a file with hostile cells to a model and its predictions: every column is used or named."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from satisfice.data import TableEncoder, load
from satisfice.errors import UnreadCells
from satisfice.ship.safetensors_file import header_of, write
from satisfice.spec.study import DataSpec
from satisfice.study import create_study
from satisfice.train import load_model

N = 150
Draw = np.random.Generator


def _some(rng: Draw) -> list[float]:
    return [round(float(v), 2) for v in rng.normal(size=N) * 10 ** rng.integers(0, 5)]


def _day(rng: Draw, form: str) -> list[str]:
    days = pd.Timestamp("2019-01-01") + pd.to_timedelta(rng.integers(0, 2000, N), unit="D")
    return [day.strftime(form) for day in days]


def _german(v: float) -> str:
    return f"{v:,.2f}".translate(str.maketrans(",.", ".,"))


def _with(cells: list[str], rng: Draw, *words: str) -> list[str]:
    """A few cells replaced by these words."""
    for word in words:
        for i in rng.integers(0, len(cells), 3):
            cells[i] = word
    return cells


COLUMNS: dict[str, Callable[[Draw], list[str]]] = {
    "plain": lambda rng: [f"{v}" for v in _some(rng)],
    "dash": lambda rng: _with([f"{v}" for v in _some(rng)], rng, "-", "n/a", ""),
    "oops": lambda rng: _with([f"{v}" for v in _some(rng)], rng, "oops"),
    "inf": lambda rng: _with([f"{v}" for v in _some(rng)], rng, "inf", "nan", "1e400"),
    "comma": lambda rng: [f"{v:.3f}".replace(".", ",") for v in _some(rng)],
    "german": lambda rng: _with([_german(v) for v in _some(rng)], rng, "k.A."),
    "swiss": lambda rng: [f"{v:,.2f}".replace(",", "'") for v in _some(rng)],
    "french": lambda rng: [f"{v:,.2f}".replace(",", "\u00a0").replace(".", ",") for v in _some(rng)],
    "euro": lambda rng: [f"{v:,.2f} €" for v in _some(rng)],
    "percent": lambda rng: [f"{v}%" for v in _some(rng)],
    "brackets": lambda rng: [f"({-v:.2f})" if v < 0 else f"{v:.2f}" for v in _some(rng)],
    "trailing": lambda rng: [f"{-v:.2f}-" if v < 0 else f"{v:.2f}" for v in _some(rng)],
    "unicode": lambda rng: [f"{v:.2f}".replace("-", "−") for v in _some(rng)],
    "open": lambda rng: [f"{abs(v) + 1000:,.0f}" for v in _some(rng)],
    "units": lambda rng: [f"{abs(v)} {'kg' if i % 2 else 'g'}" for i, v in enumerate(_some(rng))],
    "hex": lambda rng: [hex(int(i)) for i in rng.integers(0, 10**6, N)],
    "zip": lambda rng: [f"{i:05d}" for i in rng.integers(0, 20, N)],
    "code": lambda rng: rng.choice(["1", "2", "k"], N).tolist(),
    "bool": lambda rng: rng.choice(["True", "False"], N).tolist(),
    "gappy bool": lambda rng: _with(rng.choice(["true", "false"], N).tolist(), rng, ""),
    "answer": lambda rng: rng.choice(["yes", "no ", " maybe"], N).tolist(),
    "none": lambda rng: rng.choice(["None", "some"], N).tolist(),
    "iso": lambda rng: _with(_day(rng, "%Y-%m-%d"), rng, "9999-12-31", "-"),
    "dmy": lambda rng: _day(rng, "%d.%m.%Y"),
    "mdy": lambda rng: _day(rng, "%m/%d/%Y %H:%M"),
    "both": lambda rng: [*_day(rng, "%d/%m/%Y")[:75], *_day(rng, "%m/%d/%Y")[75:]],
    "id": lambda rng: [f"u{i}" for i in rng.permutation(N)],
    "empty": lambda rng: [""] * N,
    "constant": lambda rng: ["7"] * N,
    "newline": lambda rng: rng.choice(["a\nb", 'say "x"', "c;d,e\tf"], N).tolist(),
    "ip": lambda rng: [f"10.0.0.{i}" for i in rng.integers(0, 250, N)],
}


def _write(seed: int, path: Path) -> tuple[pd.DataFrame, str]:
    """A generated table as texts, and the separator it was written with."""
    rng = np.random.default_rng([seed, 71])
    names = rng.choice(list(COLUMNS), 8, replace=False).tolist()
    frame = pd.DataFrame({name: COLUMNS[name](rng) for name in names}, dtype=object)
    frame["signal, sum"] = [f"{v}" for v in _some(rng)]
    frame["y"] = ["yes" if float(v) > 0 else "no" for v in frame["signal, sum"]]
    separator = ",;\t|"[seed % 4]
    text = frame.to_csv(index=False, sep=separator, lineterminator="\r\n" if seed % 3 else "\n")
    path.write_text(("\ufeff" if seed % 2 else "") + text, encoding="utf-8", newline="")
    return frame, separator


@pytest.mark.parametrize("seed", range(30))
def test_every_column_is_used_or_named_and_rows_are_read_alike_later(seed: int, tmp_path: Path) -> None:
    texts, separator = _write(seed, tmp_path / "d.csv")
    splits = load(DataSpec(file="d.csv", target="y"), tmp_path, 0)
    encoder = splits.preprocessor
    assert isinstance(encoder, TableEncoder)
    used = {column.name for column in encoder.columns}
    named = {note.column for note in splits.notes}
    assert used | named >= set(texts.columns) - {"y"}
    assert {note.column for note in splits.notes if note.what == "ignored"} == set(texts.columns) - {
        "y"
    } - used
    assert all(note.reason and "\n" not in note.reason for note in splits.notes)

    d = encoder.n_features
    rng = np.random.default_rng(seed)
    tensors = {"weight": rng.normal(size=(1, d)).astype(np.float32), "bias": np.zeros(1, np.float32)}
    write(header_of("linear", splits, {}), tensors, tmp_path / "model.safetensors")
    model = load_model(tmp_path / "model.safetensors")
    at = encoder.transform(texts)
    assert np.isfinite(at).all()
    expected = model(at)
    again = pd.read_csv(tmp_path / "d.csv", sep=separator, dtype=object, keep_default_na=False)
    assert np.array_equal(model.predict_proba(again), expected)
    rows: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(texts.to_csv(index=False))))
    assert np.array_equal(model.predict_proba(rows), expected)
    assert not model.unread
    # As people read files, pandas taking the types for what they seem.
    typed = pd.read_csv(tmp_path / "d.csv", sep=separator)
    with (
        pytest.warns(UnreadCells) if np.isinf(typed.select_dtypes("number")).any(axis=None) else nullcontext()
    ):
        assert model.predict_proba(typed) == pytest.approx(expected, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30))
def test_a_trained_model_predicts_rows_as_the_study_scored_them(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SATISFICE_ARTEFACTS", str(tmp_path / "artefacts"))
    texts, _ = _write(seed, tmp_path / "d.csv")
    content = {
        "name": f"hostile-{seed}",
        "data": {"file": str(tmp_path / "d.csv"), "target": "y"},
        "model": {"family": "linear"},
        "objectives": {"accuracy": "maximize"},
        "space": {"alpha": {"low": 1e-3, "high": 1.0, "log": True}},
        "budget": {"trials": 1},
    }
    study = create_study(content, storage=f"sqlite:///{tmp_path}/s.db")
    study.optimize()
    told = {note.column for note in study.data_notes()}
    model = study.load_model(0)
    used = {column.name for column in model.header.preprocessor.columns}
    assert used | told >= set(texts.columns) - {"y"}
    splits = load(DataSpec(file="d.csv", target="y"), tmp_path, study.spec.seed)
    scored = {tuple(row): p for fold in (splits.train, splits.valid) for row, p in _each(model, fold.x)}
    predicted = model.predict_proba(texts)
    prepared = model.prepare(texts)
    found = [(scored[tuple(x)], p) for x, p in zip(prepared, predicted, strict=True) if tuple(x) in scored]
    assert len(found) >= len(splits.train)
    assert np.array([a for a, _ in found]) == pytest.approx(np.array([b for _, b in found]), abs=1e-6)
    assert (model.predict(texts) == texts["y"]).mean() > 0.75


def _each(model: Any, x: Any) -> Any:
    return zip(x, model(x), strict=True)


def test_tables_of_all_kinds_of_columns_are_generated(tmp_path: Path) -> None:
    met = {name for seed in range(30) for name in _write(seed, tmp_path / "d.csv")[0].columns}
    assert met >= set(COLUMNS)
