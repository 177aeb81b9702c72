"""Files as people have them: packed, damaged, of another kind, with other separators and headers."""

from __future__ import annotations

import bz2
import datetime as dt
import gzip
import io
import lzma
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from satisfice.data import load
from satisfice.errors import DataError
from satisfice.spec.study import DataSpec

RNG = np.random.default_rng(8)
ROWS = [(f"{v:.3f}", f"{v * 2 + 100:.1f}", f"{int(v > 0)}") for v in RNG.normal(size=60)]


def _text(separator: str = ",", header: str = "x,w,y") -> str:
    return "\n".join([header.replace(",", separator), *(separator.join(row) for row in ROWS)]) + "\n"


def _names(folder: Path, content: str | bytes, name: str = "d.csv", **settings: Any) -> list[str]:
    """Columns that are used; the numbers in them are right."""
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    splits: Any = load(DataSpec(**({"file": name, "target": "y"} | settings)), folder, 0)
    assert splits.classes in ((0, 1), (1, 0))
    assert sum(len(fold) for fold in (splits.train, splits.valid, splits.test)) == len(ROWS)
    return list(splits.preprocessor.feature_names)


def _zip(**files: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return out.getvalue()


COMMAS = [tuple(cell.replace(".", ",") for cell in row) for row in ROWS]


@pytest.mark.parametrize(
    ("content", "name", "names"),
    [
        ("\ufeff" + _text(), "d.csv", ["x", "w"]),
        ("\ufeff" + _text(header='"x","w","y"'), "d.csv", ["x", "w"]),
        (_text().replace("\n", "\r\n"), "d.csv", ["x", "w"]),
        (_text().replace("\n", "\r"), "d.csv", ["x", "w"]),
        (_text().replace("\n", "\n\n"), "d.csv", ["x", "w"]),
        (_text(header=" x , w , y "), "d.csv", ["x", "w"]),
        ("sep=;\n" + _text(";"), "d.csv", ["x", "w"]),
        ('"sep=\t"\r\n' + _text("\t"), "d.csv", ["x", "w"]),
        ("\ufeffSEP=|\n" + _text("|"), "d.csv", ["x", "w"]),
        (
            _text(";").replace("x;w;y", '"Weight, kg, net";"Height, cm";y'),
            "d.csv",
            ["Weight, kg, net", "Height, cm"],
        ),
        (_text("\t").replace("x\tw\ty", "Weight, kg\tHeight, cm\ty"), "d.csv", ["Weight, kg", "Height, cm"]),
        (
            "Weight, kg;Height, cm;y\n" + "\n".join(map(";".join, COMMAS)),
            "d.csv",
            ["Weight, kg", "Height, cm"],
        ),
        (_text().replace("x,w,y", '"a;b;c;d",w,y'), "d.csv", ["a;b;c;d", "w"]),
        (_text().replace("x,w,y", '"two\nlines",w,y'), "d.csv", ["two\nlines", "w"]),
        (gzip.compress(_text(";").encode()), "d.csv.gz", ["x", "w"]),
        (gzip.compress(_text("\t").encode()), "d.csv", ["x", "w"]),
        (_text(";"), "d.csv.gz", ["x", "w"]),
        (bz2.compress(_text("|").encode()), "d.csv.bz2", ["x", "w"]),
        (lzma.compress(_text(";").encode()), "d.csv.xz", ["x", "w"]),
        (_zip(**{"inner.csv": _text(";"), "__MACOSX/._inner.csv": "x"}), "d.zip", ["x", "w"]),
        (_text(), "d.parquet", ["x", "w"]),
        (_text().replace("\n", ",\n"), "d.csv", ["x", "w"]),
        (_text().replace("x,w,y", "x,,y"), "d.csv", ["x", "Unnamed: 1"]),
    ],
)
def test_files_are_read_as_they_are(content: Any, name: str, names: list[str], tmp_path: Path) -> None:
    assert _names(tmp_path, content, name) == names


def test_a_parquet_file_may_have_any_name(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    frame = pd.read_csv(io.StringIO(_text()))
    frame.to_parquet(tmp_path / "p.csv")
    assert _names(tmp_path, (tmp_path / "p.csv").read_bytes()) == ["x", "w"]


@pytest.mark.parametrize("key", ["target", "drop"])
def test_blanks_around_names_do_not_count(key: str, tmp_path: Path) -> None:
    settings = {"target": " y "} if key == "target" else {"drop": ("w ",)}
    assert _names(tmp_path, _text(header="x, w ,y "), **settings) == (
        ["x", "w"] if key == "target" else ["x"]
    )


PACKED = gzip.compress(_text().encode())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (PACKED[:-30], "is damaged or incomplete (copy or download it again)"),
        (PACKED[:-8] + b"12345678", "is damaged or incomplete"),
        (bz2.compress(_text().encode())[:-30], "is damaged or incomplete"),
        (lzma.compress(_text().encode())[:-30], "is damaged or incomplete"),
        (_zip(a=_text())[:-30], "is damaged or incomplete"),
        (b"PK\x03\x04" + b"junk" * 50, "is damaged or incomplete"),
        (b"PAR1" + b"junk" * 50, "is damaged or incomplete"),
        (_zip(a=_text(), b=_text()), "is an archive of 2 files"),
        (
            _zip(**{"[Content_Types].xml": "<a/>", "xl/a.xml": "<a/>"}),
            "is a spreadsheet (Excel or OpenDocument)",
        ),
        (_zip(**{"mimetype": "x", "content.xml": "<a/>"}), "is a spreadsheet (Excel or OpenDocument)"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1" + bytes(500), "is an Excel workbook"),
        (("\ufeff" + _text()).encode("utf-16-le"), "it is UTF-16: iconv -f UTF-16 -t UTF-8"),
        (_text().encode("utf-16-le"), "it is UTF-16"),
        (_text().encode("utf-16-be"), "it is UTF-16"),
        (_text().encode("utf-32"), "it is UTF-32"),
        (_text().replace("x", "größe").encode("latin-1"), "is not text in UTF-8"),
        (b"%PDF-1.7 ...", "is a PDF document"),
        (b"<!doctype html><html>", "is an HTML page"),
        (b"<?xml version='1.0'?><Workbook>", "is an XML document"),
        (b'[{"x": 1, "y": 2}]', "is JSON, not CSV"),
        (b'{"x": 1, "y": 2}\n{"x": 1, "y": 2}\n', "is JSON, not CSV"),
        (bytes(range(256)) * 20, "holds binary data"),
        (_text(header="x,x ,y").encode(), "has 2 columns named 'x'"),
        (_text().split("\n", 1)[1].encode(), "holds numbers: add a line with names"),
        (_text(" ").encode(), "names one column, 'x w y': separate columns"),
        (_text().replace("\n", ",\n").replace("x,w,y,", "x,w,y").encode(), "a separator at the end of rows"),
        (_text().encode() + b"12.5,1", "1 row has fewer values than the first line has names"),
        (_text().encode() + b"1,2,NA\n" * 2, "2 rows have no value in the target 'y' ('NA' in 2)"),
    ],
)
def test_what_is_no_table_is_told_in_one_sentence(content: bytes, says: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        _names(tmp_path, content)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_rows_that_end_early_are_told(tmp_path: Path) -> None:
    lines = _text(header="y,x,w").splitlines()
    rows = [",".join((row[2], row[0], row[1])) for row in ROWS]
    (tmp_path / "d.csv").write_text("\n".join([lines[0], *rows[:-2], "1,2.5", "0,1"]) + "\n")
    (note,) = load(DataSpec(file="d.csv", target="y"), tmp_path, 0).notes
    assert (note.column, note.what, note.count) == ("", "coerced", 2)
    assert str(note).startswith("2 rows have fewer values than the first line has names")


@pytest.mark.parametrize("form", ["%d.%m.%Y", "%m/%d/%Y", "%Y-%m-%d %H:%M"])
def test_a_time_in_any_order_splits_the_rows(form: str, tmp_path: Path) -> None:
    days = pd.date_range("2023-11-20", periods=len(ROWS), freq="D")
    order = np.random.default_rng(1).permutation(len(ROWS))
    rows = [f"{i},{days[i].strftime(form)},{i}" for i in order]
    (tmp_path / "d.csv").write_text("\n".join(["x,t,y", *rows]))
    splits = load(DataSpec(file="d.csv", target="y", time="t", task="regression"), tmp_path, 0)
    ordered = np.concatenate([splits.train.y, splits.valid.y, splits.test.y])
    assert ordered.tolist() == list(range(len(ROWS)))


def test_a_time_that_is_not_sure_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text(
        "\n".join(["x,t,y", *(f"{i},03/0{1 + i % 9}/2024,{i % 2}" for i in range(60))])
    )
    with pytest.raises(DataError, match="day and month cannot be told apart"):
        load(DataSpec(file="d.csv", target="y", time="t"), tmp_path, 0)


@pytest.mark.parametrize("name", ["titanic", "breast_cancer", "wine", "diabetes"])
def test_clean_tables_give_the_same_features_in_both_readings(name: str, tmp_path: Path) -> None:
    first: Any = load(DataSpec(name=name, reading=1), tmp_path, 0)
    second: Any = load(DataSpec(name=name), tmp_path, 0)
    assert first.preprocessor.feature_names == second.preprocessor.feature_names
    assert first.classes == second.classes
    for one, two in ((first.train, second.train), (first.test, second.test)):
        assert np.array_equal(one.x, two.x)
        assert np.array_equal(one.y, two.y)


def test_a_clean_file_gives_the_same_features_in_both_readings(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    n = 200
    frame = pd.DataFrame(
        {
            "x": rng.normal(size=n),
            "gaps": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),
            "count": rng.integers(0, 50, n),
            "flag": rng.random(n) < 0.5,
            "color": rng.choice(["red", "green", "blue"], n),
            "gappy": rng.choice(np.array(["a", "b", None], dtype=object), n),
            "when": pd.date_range("2024-01-01", periods=n, freq="7h"),
            "id": [f"u{i}" for i in range(n)],
            "y": rng.choice(["yes", "no"], n),
        }
    )
    frame.to_csv(tmp_path / "d.csv", index=False)
    first: Any = load(DataSpec(file="d.csv", target="y", reading=1), tmp_path, 0)
    second: Any = load(DataSpec(file="d.csv", target="y"), tmp_path, 0)
    assert first.preprocessor.feature_names == second.preprocessor.feature_names
    assert first.classes == second.classes
    assert second.train.x == pytest.approx(first.train.x, abs=1e-6)
    assert [note.column for note in second.notes] == ["id"]


def test_typed_columns_are_used_or_named(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    rng = np.random.default_rng(6)
    n = 80
    x = rng.normal(size=n)
    never = ["9999-12-31" if i % 5 == 0 else f"2024-02-{1 + i % 9:02d}" for i in range(n)]
    frame = pd.DataFrame(
        {
            "x": x,
            "endless": np.where(np.arange(n) == 3, np.inf, x),
            "money": [Decimal(f"{v:.2f}") for v in x],
            "day": [dt.date(2024, 1, 1) + dt.timedelta(days=i) for i in range(n)],
            "never": np.array(never, "M8[us]"),
            "zoned": pd.date_range("2024-01-01", periods=n, freq="5h", tz="Europe/Berlin"),
            "span": pd.to_timedelta(np.arange(n), unit="h"),
            "list": [[i, i + 1] for i in range(n)],
            "kind": pd.Categorical(rng.choice(["a", "b"], n)),
            "whole": pd.array([None if i == 5 else i for i in range(n)], dtype="Int64"),
            "maybe": pd.array([None if i == 5 else bool(i % 2) for i in range(n)], dtype="boolean"),
            "comma": [f"{v:.3f}".replace(".", ",") for v in x],
            "many": [f"v{i}" if i % 2 else "usual" for i in range(n)],
            "y": x > 0,
        }
    )
    frame.to_parquet(tmp_path / "d.parquet")
    splits: Any = load(DataSpec(file="d.parquet", target="y"), tmp_path, 0)
    used = {column.name for column in splits.preprocessor.columns}
    notes = {note.column: note for note in splits.notes}
    assert used == set(frame.columns) - {"y", "span", "list"}
    assert {name: notes[name].what for name in notes} == {
        "endless": "coerced",
        "never": "coerced",
        "comma": "read",
        "many": "read",
        "span": "ignored",
        "list": "ignored",
    }
    assert "1 infinite values" in notes["endless"].reason
    assert "16 dates outside the years" in notes["never"].reason
    assert "too rare for features of their own" in notes["many"].reason
    assert np.isfinite(splits.train.x).all()
    assert {type(label) for label in splits.classes} == {bool}


def test_target_and_columns_settle_each_other(tmp_path: Path) -> None:
    prices = [f"{1 + abs(float(row[0])):.3f}".replace(".", ",") for row in ROWS]

    def put(header: str, *columns: list[str]) -> Any:
        lines = [header, *map(";".join, zip(*columns, strict=True))]
        (tmp_path / "d.csv").write_text("\n".join(lines))
        return load(DataSpec(file="d.csv", target="y"), tmp_path, 0)

    counts = [str(i) for i in range(len(ROWS))]
    with pytest.raises(DataError, match="the target 'y' has commas that may mark decimals or thousands"):
        put("x;y", counts, prices)
    points, commas = [row[1] for row in ROWS], [row[1].replace(".", ",") for row in ROWS]
    assert min(put("x;y", points, prices).train.y) >= 1000
    assert max(put("x;y", commas, prices).train.y) < 10
    beside_target = put("y;x", commas, prices)
    assert {note.column: note.what for note in beside_target.notes} == {"y": "read", "x": "read"}
    assert beside_target.preprocessor.feature_names == ["x"]


def test_long_cells_are_shown_short(tmp_path: Path) -> None:
    rows = [f"{v[0]},{'text ' * 500}{i},{v[2]}" for i, v in enumerate(ROWS)]
    (tmp_path / "d.csv").write_text("\n".join(["x,essay,y", *rows]))
    (note,) = load(DataSpec(file="d.csv", target="y", text=()), tmp_path, 0).notes
    assert (note.column, note.what) == ("essay", "ignored")
    assert len(str(note)) < 500
