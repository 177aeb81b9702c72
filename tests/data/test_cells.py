"""What one cell means by a rule, and how a rule is learnt from a column."""

from __future__ import annotations

import ast
import datetime as dt
import json
import math
import sys
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.data.reading import cells as cells_module
from satisfice.data.reading import text as parse_module
from satisfice.data.reading.cells import Rule, read, refusal
from satisfice.data.reading.learn import learn, learn_columns
from satisfice.data.reading.learn_target import learn_target
from satisfice.data.reading.text import moment, spelled

N = 120
X = (np.random.default_rng(3).normal(size=N) * 1000).round(2).tolist()
DAYS = [dt.date(2024, 1 + i % 12, 1 + (7 * i) % 28) for i in range(N)]


def _german(v: float) -> str:
    return f"{v:,.2f}".translate(str.maketrans(",.", ".,"))


def _brackets(v: float) -> str:
    return f"({-v:,.2f})" if v < 0 else f"{v:,.2f}"


NUMBERS: dict[str, tuple[Callable[[float], str], dict[str, Any]]] = {
    "plain": (lambda v: f"{v:.2f}", {}),
    "scientific": (lambda v: f"{v:.6e}", {}),
    "blanks": (lambda v: f"  {v:.2f}\t", {}),
    "decimal comma": (lambda v: f"{v:.2f}".replace(".", ","), {"decimal": ","}),
    "german": (_german, {"decimal": ",", "thousands": "."}),
    "english": (lambda v: f"{v:,.2f}", {"thousands": ","}),
    "swiss": (lambda v: f"{v:,.2f}".replace(",", "’"), {"thousands": "'"}),
    "french": (
        lambda v: f"{v:,.2f}".replace(",", "\u202f").replace(".", ","),
        {"decimal": ",", "thousands": " "},
    ),
    "no-break": (lambda v: f"{v:,.2f}".replace(",", "\u00a0"), {"thousands": " "}),
    "euro": (lambda v: f"{_german(v)} €", {"decimal": ",", "thousands": ".", "unit": "€"}),
    "dollar": (
        lambda v: f"-${-v:,.2f}" if v < 0 else f"${v:,.2f}",
        {"thousands": ",", "unit": "$"},
    ),
    "code": (lambda v: f"CHF {v:.2f}", {"unit": "CHF"}),
    "percent": (lambda v: f"{v:.2f} %", {"unit": "%"}),
    "kg": (lambda v: f"{v:.2f}kg", {"unit": "kg"}),
    "brackets": (_brackets, {"thousands": ","}),
    "trailing minus": (lambda v: f"{-v:.2f}-" if v < 0 else f"{v:.2f}", {}),
    "Unicode minus": (lambda v: f"{v:.2f}".replace("-", "−"), {}),
    "plus": (lambda v: f"{v:+.2f}", {}),
}


@pytest.mark.parametrize("form", NUMBERS)
def test_numbers_are_read_as_a_whole_column_is_written(form: str) -> None:
    write, rule = NUMBERS[form]
    cells = [write(v) for v in X]
    learnt = learn("x", cells)
    assert learnt.rule.describe() == rule
    assert read(learnt.rule, cells).values.tolist() == pytest.approx(X)
    assert read(learnt.rule, X).values.tolist() == X  # numbers that are such already
    assert Rule.restore(json.loads(json.dumps(learnt.rule.describe()))) == learnt.rule
    assert bool(learnt.notes) == bool(rule)


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ([f"{1000 + abs(v):,.0f}" for v in X], "commas that may mark decimals or thousands"),
        (
            [f"{v:.2f}".replace(".", ".,"[i % 2]) for i, v in enumerate(X)],
            "decimal commas and decimal points",
        ),
        ([f"{v:.2f}{'%' if i % 2 else ''}" for i, v in enumerate(X)], "texts without '%'"),
        (
            [f"{abs(v):.2f} {'kg' if i % 2 else 'g'}" for i, v in enumerate(X)],
            "in several units ('g' and 'kg')",
        ),
        (["1", "2", "k"] * 40, "numbers and texts ('k')"),
        ([f"{i % 30:05d}" for i in range(N)], "leading zeros"),
        ([f"0{1 + i % 9}/0{1 + i % 9}/2024" for i in range(N)], "day and month cannot be told apart"),
        (
            [d.strftime("%d/%m/%Y" if i % 2 else "%m/%d/%Y") for i, d in enumerate(DAYS)],
            "the day first and with the month first",
        ),
    ],
)
def test_what_is_not_sure_stays_text_and_says_why(cells: list[str], says: str) -> None:
    learnt = learn("x", cells)
    assert learnt.rule.kind == "category"
    assert says in learnt.why


@pytest.mark.parametrize(
    "cells", [["0x1f", "0xa0"] * 60, ["10.0.0.1", "10.0.0.2"] * 60, ["10:30", "11:00"] * 60]
)
def test_what_only_looks_like_a_number_is_a_category(cells: list[str]) -> None:
    assert learn("x", cells).rule == Rule(kind="category")


def test_other_columns_settle_what_one_leaves_open() -> None:
    sure = [f"{v:.2f}".replace(".", ",") for v in X]
    open_ = [f"{1 + abs(v) / 1000:.3f}".replace(".", ",") for v in X]
    dotted = [f"{1000 + abs(v):,.0f}".replace(",", ".") for v in X]
    alone = learn_columns({"open": open_, "dotted": dotted})
    assert alone["open"].rule.kind == "category"
    assert alone["dotted"].rule == Rule()
    beside = learn_columns({"sure": sure, "open": open_, "dotted": dotted})
    assert beside["open"].rule == Rule(decimal=",")
    assert beside["dotted"].rule == Rule(decimal=",", thousands=".")
    assert "'.' between thousands" in beside["dotted"].notes[0].reason
    euros = [f"{text} €" for text in dotted]
    assert learn_columns({"euros": euros})["euros"].rule == Rule(unit="€")
    rule = Rule(decimal=",", thousands=".", unit="€")
    assert learn_columns({"sure": sure, "euros": euros})["euros"].rule == rule
    unsure = ["03/04/2024", "05/06/2024"] * 60
    dates = {"sure": [d.strftime("%m/%d/%Y") for d in DAYS], "unsure": unsure}
    assert learn_columns(dates)["unsure"].rule.order == "mdy"


@pytest.mark.parametrize(
    "word", ["-", "n/a", "N/A", "NA", "?", "null", "NULL", "", "missing", "#DIV/0!", "k.A."]
)
def test_words_for_nothing_among_numbers_are_missing(word: str) -> None:
    cells = [f"{v:.2f}" for v in X]
    cells[7] = word
    learnt = learn("x", cells)
    found = read(learnt.rule, cells)
    assert learnt.rule.kind == "number"
    assert np.flatnonzero(np.isnan(found.values)).tolist() == [7]
    assert not found.unread


def test_single_texts_among_numbers_are_missing_and_told() -> None:
    cells = [f"{v:.2f}" for v in X]
    cells[3], cells[4] = "oops", "1e400"
    learnt = learn("x", cells)
    (note,) = learnt.notes
    assert (note.what, note.count, set(note.examples)) == ("coerced", 2, {"oops", "1e400"})
    assert np.isnan(read(learnt.rule, cells).values[[3, 4]]).all()
    assert not read(learnt.rule, cells).unread  # known from training


@pytest.mark.parametrize(
    ("form", "order"),
    [
        ("%Y-%m-%d", ""),
        ("%Y/%m/%d", ""),
        ("%Y-%m-%dT%H:%M:%S", ""),
        ("%d.%m.%Y", "dmy"),
        ("%d/%m/%Y", "dmy"),
        ("%m/%d/%Y", "mdy"),
        ("%d-%m-%y", "dmy"),
        ("%m/%d/%Y %I:%M %p", "mdy"),
        ("%d %b %Y", ""),
        ("%B %d, %Y", ""),
    ],
)
def test_dates_are_read_in_the_order_that_the_column_shows(form: str, order: str) -> None:
    cells = [day.strftime(form) for day in DAYS]
    learnt = learn("t", cells)
    assert learnt.rule == Rule(kind="moment", order=order)
    seconds = [(day - dt.date(1970, 1, 1)).days * 86400.0 for day in DAYS]
    assert read(learnt.rule, cells).values.tolist() == seconds
    assert read(learnt.rule, DAYS).values.tolist() == seconds
    assert read(learnt.rule, np.array(DAYS, "datetime64[ns]")).values.tolist() == seconds
    assert (
        read(learnt.rule, [str(day) for day in DAYS]).values.tolist() == seconds
    )  # ISO is always understood


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T01:00:00+01:00", 0.0),
        ("1970-01-01 00:00:01.5Z", 1.5),
        ("1970-01-01T00:00:00-0530", 19800.0),
        ("1970-01-01 12:00 AM", 0.0),
        ("1970-01-01 12:00 pm", 43200.0),
        ("1970-02-30", None),
        ("1970-01-01T25:00", None),
        ("19700101", None),
        ("9999-12-31", math.nan),
        ("0001-01-01", math.nan),
    ],
)
def test_moments(text: str, seconds: float | None) -> None:
    assert moment(text, "") == (seconds if seconds is None else pytest.approx(seconds, nan_ok=True))


def test_dates_that_mean_never_are_missing_and_told() -> None:
    cells = ["9999-12-31" if i % 7 == 0 else str(day) for i, day in enumerate(DAYS)]
    learnt = learn("valid_to", cells)
    assert [note.examples for note in learnt.notes] == [("9999-12-31",)]
    assert np.flatnonzero(np.isnan(read(learnt.rule, cells).values)).tolist() == list(range(0, N, 7))
    typed = np.array(cells, "datetime64[us]")
    assert np.isnan(read(learnt.rule, typed).values[0])


def test_another_spelling_of_a_category_is_that_category() -> None:
    rule = Rule(kind="category", values=("1", "02", "k", "Yes", "No"))
    cells = [
        1,
        1.0,
        "1.0",
        np.float64(1),
        Decimal(1),
        "01",
        2.0,
        "K",
        "yes",
        True,
        False,
        None,
        float("nan"),
        "NA",
        " k ",
    ]
    found = read(rule, cells)
    expected = ["1", "1", "1", "1", "1", "1", "02", "k", "Yes", "Yes", "No", None, None, None, "k"]
    assert found.values.tolist() == expected
    assert not found.unseen
    assert read(rule, ["z", "1"]).unseen == {"z": 1}


def test_true_and_false_are_numbers() -> None:
    rule = learn("x", ["True", "False"] * 50).rule
    assert rule == Rule(truth=True)
    assert read(rule, ["true", "FALSE", True, False, 1, "0", np.True_]).values.tolist() == [
        1,
        0,
        1,
        0,
        1,
        0,
        1,
    ]


@pytest.mark.parametrize(
    ("rule", "cells", "says"),
    [
        (Rule(), ["1,5"] + ["3"] * 4, "holds '1,5', which is no number as in training (1 of 5 values)"),
        (Rule(), ["abc", "def", "1"], "holds 'abc', which is no number"),
        (Rule(decimal=","), ["1.5", "2.25"], "holds '1.5', which is no number"),
        (Rule(kind="moment"), ["31.12.2024"] + ["2024-01-01"] * 99, "holds '31.12.2024', which is no date"),
        (Rule(kind="moment", order="dmy"), ["12/31/2024"] + ["01/02/2024"] * 99, "holds '12/31/2024'"),
        (Rule(kind="moment"), [1704067200, 1704067201], "holds '1704067200', which is no date"),
        (Rule(truth=True), ["yes", "no"], "holds 'yes', which is no number"),
        (Rule(), [[1, 2], {"a": 1}], "holds '[1, 2]', which is no number"),
    ],
)
def test_a_column_written_otherwise_is_refused(rule: Rule, cells: Sequence[Any], says: str) -> None:
    refused = refusal(rule, read(rule, cells))
    assert refused is not None
    assert says in refused[0]
    assert refused[1].startswith("write ")


def test_single_unreadable_cells_are_not_refused() -> None:
    found = read(Rule(), ["oops", *map(str, X)])
    assert refusal(Rule(), found) is None
    assert found.unread == {"oops": 1}
    assert found.known == N


@given(
    st.lists(
        st.one_of(st.none(), st.text(max_size=12), st.floats(), st.integers(), st.booleans(), st.dates())
    )
)
def test_any_cells_are_read_by_any_rule(cells: list[Any]) -> None:
    learnt = learn("x", cells)
    for rule in (
        learnt.rule,
        Rule(),
        Rule(kind="moment", order="dmy"),
        Rule(kind="category", values=("a", "1")),
    ):
        found = read(rule, cells)
        assert len(found.values) == len(cells)
        if rule.kind != "category":
            assert not np.isinf(found.values).any()
        refusal(rule, found)


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([",", "."]))
def test_every_number_survives_its_text(value: float, decimal: str) -> None:
    assert Rule(decimal=decimal).number(repr(value).replace(".", decimal)) == value


@pytest.mark.parametrize(
    ("cells", "first", "kind"),
    [
        (["0", "1"], 0, int),
        (["1.0", "0.0"], 1.0, float),
        (["True", "False"], True, bool),
        (["01", "02"], "01", str),
        ([" yes", "no "], "yes", str),
        (["1,5", "2,25"], 1.5, float),
        (["-3", "+4"], -3, int),
        (["None", "some"], "None", str),
        (["NA", "EU"], "NA", str),
    ],
)
def test_a_target_keeps_its_own_type(cells: list[str], first: Any, kind: type) -> None:
    learnt = learn_target("y", cells * 30, None)
    assert learnt.values[0] == first
    assert {type(value) for value in learnt.values} == {kind}
    assert not learnt.missing
    assert not learnt.unread


@pytest.mark.parametrize("word", ["-", "x"])
def test_a_text_among_few_numbers_is_a_class_where_it_has_rows(word: str) -> None:
    cells = ["1", "2"] * 30 + [word] * 5
    assert learn_target("y", cells, None).values == cells
    assert learn_target("y", cells[:61], "classification").values == cells[:61]


def test_texts_among_the_numbers_of_a_regression_are_told() -> None:
    learnt = learn_target("y", [*map(str, X), "-", "oops", "oops"], None)
    assert learnt.unread == {"-": 1, "oops": 2}


def test_a_rare_word_for_nothing_is_no_class() -> None:
    learnt = learn_target("y", ["yes", "no"] * 30 + ["NA", "", "null"], None)
    assert learnt.missing == {"NA": 1, "": 1, "null": 1}
    assert learnt.values[-3:] == [None, None, None]


def test_spelling() -> None:
    cells = [
        " a ",
        "",
        "NA",
        None,
        float("nan"),
        np.datetime64("NaT"),
        1.0,
        1.5,
        True,
        np.int8(3),
        dt.date(2024, 1, 2),
    ]
    assert [spelled(cell) for cell in cells] == [
        *("a", None, None, None, None, None, "1", "1.5", "True", "3", "2024-01-02")
    ]


@pytest.mark.parametrize("module", [cells_module, parse_module])
def test_the_reader_needs_nothing_but_numpy(module: ModuleType) -> None:
    assert module.__file__ is not None
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    imported = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    imported += [name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]
    roots = {name.split(".")[0] for name in imported if name != "satisfice.data.reading.text"}
    assert roots - set(sys.stdlib_module_names) <= {"numpy"}
