"""Commands that ask finished trials: they print what Python answers, and say what is unknown."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import pytest

import satisfice
from satisfice.cli.main import main
from satisfice.errors import InputError, NoFeasibleTrial
from satisfice.results.as_json import plain

SPEC: dict[str, Any] = {
    "name": "asked",
    "seed": 5,
    "objectives": {"f1": "maximize", "size_mb": "minimize"},
    "constraints": {"size_mb": "<= 0.5"},
    "space": {"rate": {"low": 0.0, "high": 1.0}, "width": {"low": 1, "high": 20}},
    "budget": {"trials": 12},
    "search": {"sampler": "random", "pruner": "none"},
}


class Profiled:
    """Size known before training; wider is better."""

    def profile(self, params: dict[str, Any]) -> dict[str, float]:
        return {"size_mb": params["width"] / 10}

    def train(self, params: dict[str, Any], _trial: Any) -> dict[str, float]:
        return {"f1": 0.9 - (params["rate"] - 0.3) ** 2 - 0.5 / (params["width"] + 3)}


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, satisfice.Study]:
    url = f"sqlite:///{tmp_path_factory.mktemp('asked')}/study.db"
    study = satisfice.create_study(SPEC, storage=url, task=Profiled())
    study.optimize()
    return url, study


def call(url: str, *arguments: str, code: int = 0) -> tuple[str, str]:
    """Standard output and standard error of a command."""
    out, err = io.StringIO(), io.StringIO()
    printed = (contextlib.redirect_stdout(out), contextlib.redirect_stderr(err))
    with printed[0], printed[1], pytest.raises(SystemExit) as ended:
        main([*arguments, "--storage", url])
    assert ended.value.code == code, err.getvalue()
    return out.getvalue(), err.getvalue()


COMMANDS = {
    ("compare", "asked", "0", "3"): lambda s: s.compare(0, 3),
    ("price", "asked", "size_mb"): lambda s: s.price_of("size_mb"),
    ("price", "asked", "f1", "--minimize", "size_mb"): lambda s: s.price_of("f1", minimize="size_mb"),
    ("knee", "asked"): lambda s: s.knee(),
    ("knee", "asked", "--objective", "f1"): lambda s: s.knee(["f1"]),
    ("binding", "asked"): lambda s: s.binding(),
    ("binding", "asked", "--where", "size_mb <= 0.2"): lambda s: s.binding(where="size_mb <= 0.2"),
    ("infeasible", "asked", "--where", "f1 >= 2"): lambda s: s.explain_infeasible(where="f1 >= 2"),
}


@pytest.mark.parametrize("words", list(COMMANDS), ids=" ".join)
def test_the_documents_are_what_python_answers(
    asked: tuple[str, satisfice.Study], words: tuple[str, ...]
) -> None:
    url, study = asked
    found = COMMANDS[words](study)
    assert json.loads(call(url, *words, "--json")[0]) == json.loads(json.dumps(plain(found)))
    rows = list(csv.DictReader(io.StringIO(call(url, *words, "--csv")[0])))
    assert rows
    assert [list(row) for row in rows] == [list(row) for row in found.rows()]
    for printed, row in zip(rows, found.rows(), strict=True):
        for column, value in row.items():
            assert printed[column] == ("" if value is None else str(value))
    assert list(found.frame().columns) == list(rows[0])
    assert len(found.frame()) == len(rows)
    text, _ = call(url, *words)
    assert getattr(found, "sentence", "size_mb") in text


def test_beyond_an_enforced_bound_the_answer_is_unknown(asked: tuple[str, satisfice.Study]) -> None:
    url, study = asked
    away = study.status().turned_away
    assert away > 0
    sentence = f"unknown: {away} proposals were turned away at size_mb <= 0.5"
    (price,) = study.price_of("size_mb").unknown
    (bound,) = study.binding().bounds
    assert price.sentence == sentence
    assert (bound.binding, bound.gain, [u.sentence for u in bound.unknown]) == (None, 0.0, [sentence])
    assert study.binding().unknown == study.knee().unknown == study.unknown_beyond() == []
    assert study.unknown_beyond("size_mb <= 0.4") == []
    assert [u.sentence for u in study.unknown_beyond("size_kb <= 800")] == [sentence]
    assert [u.sentence for u in study.knee(where="size_mb <= 0.8").unknown] == [sentence]
    for command in ("best", "pareto"):
        assert sentence in call(url, command, "asked", "--where", "size_mb <= 0.8")[1]
        assert "unknown" not in call(url, command, "asked")[1]
    for words in (("price", "asked", "size_mb"), ("binding", "asked")):
        assert sentence in call(url, *words)[0]


def test_a_bound_that_was_changed_is_still_unknown_beyond(tmp_path: Path) -> None:
    study = satisfice.create_study(SPEC, storage=f"sqlite:///{tmp_path}/s.db", task=Profiled())
    study.optimize()
    away = study.status().turned_away
    study.change(constraints={"size_mb": "<= 1.5"})
    (unknown,) = study.unknown_beyond()
    assert (unknown.constraint, unknown.turned_away, unknown.stopped) == ("size_mb <= 0.5", away, 0)
    assert unknown.sentence in call(f"sqlite:///{tmp_path}/s.db", "best", "asked")[1]


def test_the_smallest_within_a_tolerance_of_the_best(asked: tuple[str, satisfice.Study]) -> None:
    url, study = asked
    top = study.best().metrics["f1"]
    near = [r for r in study.records() if r.feasible and r.metrics["f1"] >= top - 0.05]
    smallest = min(near, key=lambda r: (r.metrics["size_mb"], -r.metrics["f1"], r.number))
    assert smallest.number != study.best().number
    assert study.best(order=["f1 within 0.05", "size_mb"]).number == smallest.number
    printed, _ = call(url, "best", "asked", "--order", "f1 within 0.05", "--order", "size_mb", "--json")
    assert json.loads(printed)["number"] == smallest.number
    text, _ = call(url, "best", "asked", "--order", "f1 within 0.05", "--order", "size_mb")
    assert text.startswith(f"Chosen: trial {smallest.number}")
    assert study.best(order="size_mb").number == study.best(minimize="size_mb").number


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ([""], "is no criterion"),
        (["f1 within"], "is better is not known|is no criterion"),
        (["f1 within 1e999"], "more than a number"),
        (["f1", "f1 within 1"], "twice"),
        (["profit"], "whether more or less 'profit' is better"),
        (["maximize profit"], "no trial has a metric 'profit'"),
        (["f1 <= 3"], "is no criterion"),
    ],
)
def test_what_is_no_order_is_refused(asked: tuple[str, satisfice.Study], order: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        asked[1].best(order=order)


def test_an_order_beside_one_metric_is_refused(asked: tuple[str, satisfice.Study]) -> None:
    with pytest.raises(InputError, match="an order is given beside maximize"):
        asked[1].best(maximize="f1", order=["f1"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("compare", "asked", "0", "99"), "there is no trial 99 (trials are numbered 0 to 11)"),
        (("compare", "asked", "3", "3"), "trial 3 is named twice"),
        (("price", "asked", "f1"), "'f1' is what is bought"),
        (("price", "asked", "sise_mb"), "no trial has a metric 'sise_mb' (did you mean 'size_mb'?)"),
        (("knee", "asked", "--objective", "profit"), "neither an objective of the study"),
        (("binding", "asked", "--where", "size"), "is not a condition"),
        (("knee", "asked", "--json", "--csv"), "both --json and --csv"),
    ],
)
def test_wrong_questions_are_one_sentence(
    asked: tuple[str, satisfice.Study], words: tuple[str, ...], said: str
) -> None:
    out, err = call(asked[0], *words, code=2)
    assert out == ""
    assert said in err
    assert "Traceback" not in err


def test_where_nothing_fits_the_nearest_is_named(asked: tuple[str, satisfice.Study]) -> None:
    url, study = asked
    for words in (("price", "asked", "size_mb"), ("knee", "asked")):
        out, err = call(url, *words, "--where", "f1 >= 2", "--json", code=1)
        assert json.loads(out) is None
        assert "the nearest is trial" in err
    with pytest.raises(NoFeasibleTrial):
        study.knee(where="f1 >= 2")
    nearest = study.nearest_feasible(where="f1 >= 2")
    assert nearest is not None
    assert not nearest.feasible
    assert study.best(where=list(nearest.where)).number == nearest.trial.number
    assert study.binding(where="f1 >= 2").best is None
    assert call(url, "binding", "asked", "--where", "f1 >= 2")[0].startswith("no finished trial satisfies")


def test_the_tightest_bound_has_a_solution(asked: tuple[str, satisfice.Study]) -> None:
    found = asked[1].explain_infeasible(where="f1 >= 2")
    size, f1 = found.bounds
    assert (size.fit_without, f1.fit_without) == (0, 12)
    assert size.turned_away_alone == (asked[1].status().turned_away,) * 2
    assert f1.tightest is not None
    assert asked[1].best(where=f"f1 >= {f1.tightest!r}").number == f1.solution
    with pytest.raises(NoFeasibleTrial):
        asked[1].best(where=f"f1 >= {math.nextafter(f1.tightest, 1)!r}")
    assert found.share_at_most == pytest.approx(1 - 0.05 ** (1 / 12))
