"""JSON that is valid whatever the metrics are, and passwords that are never shown."""

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState

from satisfice.cli.errors import explain, keep_secret, without_secrets
from satisfice.cli.main import main
from satisfice.cli.output import number, print_json, seconds
from satisfice.errors import NoFeasibleTrial, SpecError
from satisfice.results.as_json import plain
from satisfice.results.trial import TrialSummary
from satisfice.spec.trial import TrialRecord


def test_numbers_that_json_lacks_become_null_and_strings() -> None:
    assert plain({"a": math.nan, "b": [math.inf, -math.inf]}) == {"a": None, "b": ["inf", "-inf"]}


def test_values_of_other_libraries_become_plain() -> None:
    value = {
        "a": np.float32(0.5),
        "b": np.int64(3),
        "c": TrialState.PRUNED,
        "d": datetime(2026, 1, 2, tzinfo=UTC),
    }
    assert plain(value) == {"a": 0.5, "b": 3, "c": "PRUNED", "d": "2026-01-02T00:00:00+00:00"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_whatever_is_printed_is_valid_json(value: Any) -> None:
    text = json.dumps(plain(value), allow_nan=False)
    assert json.loads(text) == plain(value)


def test_print_json_writes_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": "x", "loss": math.nan})
    assert json.loads(capsys.readouterr().out) == {"name": "x", "loss": None}


def test_a_trial_has_what_the_contract_promises() -> None:
    trial = TrialRecord(
        number=3, params={"x": 1}, metrics={"f1": math.nan}, feasible=True, state=TrialState.COMPLETE
    )
    assert plain(TrialSummary.of(trial)) == {
        "number": 3,
        "params": {"x": 1},
        "metrics": {"f1": None},
        "feasible": True,
        "state": "COMPLETE",
        "standard_errors": {},
    }


@pytest.mark.parametrize(
    ("span", "words"),
    [(0.4, "0 s"), (61, "1 min 1 s"), (7800, "2 h 10 min"), (math.inf, "unknown"), (None, "unknown")],
)
def test_time_spans(span: Any, words: str) -> None:
    assert seconds(span) == words


@pytest.mark.parametrize("written", ["pa$$w%40rd-1", "pa$$w@rd-1"])
def test_a_password_is_masked_however_it_is_written(written: str) -> None:
    keep_secret("postgresql://me:pa$$w%40rd-1@host/db")
    assert without_secrets(f"cannot reach me:{written}@host") == "cannot reach me:***@host"


def test_counts_are_shown_whole() -> None:
    assert [number(value) for value in (123456.0, 0.123456, 1.0, 1e300, math.nan, math.inf, 7, None)] == [
        *("123456", "0.1235", "1", "1e+300", "nan", "inf", "7", "–")
    ]


@pytest.mark.parametrize("arguments", [[], ["db"]])
def test_a_group_alone_shows_its_help(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    out, err = capsys.readouterr()
    assert ended.value.code == 2
    assert out == ""
    assert err.startswith("Usage: satisfice")
    assert "\nCommands:\n" in err


@pytest.mark.parametrize("password", ["a", "best", "postgres"])
def test_a_password_that_is_a_word_is_masked_in_urls_only(password: str) -> None:
    url = f"postgresql://me:{password}@host/db"
    keep_secret(url)
    text = f'{{"best": "pip install satisfice[postgres]"}} {url}'
    assert without_secrets(text) == text.replace(url, "postgresql://me:***@host/db")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SpecError("is wrong", key="a.b", file="s.toml", hint="mend it"), 2),
        (NoFeasibleTrial("nothing fits"), 1),
    ],
)
def test_errors_raised_on_purpose_are_their_own_sentence(
    capsys: pytest.CaptureFixture[str], error: Exception, code: int
) -> None:
    assert explain(error) == code
    assert capsys.readouterr().err == f"satisfice: {error}\n"


def test_an_unexpected_error_keeps_its_traceback_in_a_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("SATISFICE_DEBUG", raising=False)
    keep_secret("postgresql://me:hidden-word@host/db")
    with pytest.raises(ZeroDivisionError) as raised:
        raise ZeroDivisionError("about hidden-word")
    assert explain(raised.value) == 1
    sentence = capsys.readouterr().err
    (log,) = tmp_path.iterdir()
    assert str(log) in sentence
    assert "Traceback" not in sentence
    assert "hidden-word" not in sentence + log.read_text()
    assert "ZeroDivisionError" in log.read_text()


def test_an_unexpected_error_shows_its_traceback_when_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SATISFICE_DEBUG", "1")
    with pytest.raises(ZeroDivisionError) as raised:
        raise ZeroDivisionError("x")
    explain(raised.value)
    assert "Traceback (most recent call last)" in capsys.readouterr().err
