"""Results: typed, read as dicts too, never changed."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from typing import Any

import pytest

import satisfice
from satisfice.report import ReportContext
from satisfice.results import report_context
from satisfice.results.confirmation import Confirmation, Dropped, Scored
from satisfice.results.status import BudgetStatus, Counts, Status
from satisfice.results.trial import TrialSummary

BUDGET = BudgetStatus(trials=20, used=3, total_epochs=None, epochs_used=None, timeout_s=None)
SCORED = Scored(number=0, test={"accuracy": 0.9})


def test_fields_and_keys_are_the_same() -> None:
    assert (BUDGET.used, BUDGET["used"]) == (3, 3)
    assert BUDGET == {"trials": 20, "used": 3, "total_epochs": None, "epochs_used": None, "timeout_s": None}
    assert json.loads(json.dumps(BUDGET)) == BUDGET


def test_a_field_that_is_left_out_where_none_is_no_key() -> None:
    assert SCORED == {"number": 0, "test": {"accuracy": 0.9}}
    untested = dataclasses.replace(SCORED, test={}, untested="its file is damaged")
    assert untested == {"number": 0, "test": {}, "untested": "its file is damaged"}


@pytest.mark.parametrize(
    "change",
    [
        lambda result: result.__setitem__("used", 4),
        lambda result: result.__delitem__("used"),
        lambda result: result.update(used=4),
        lambda result: result.setdefault("more", 1),
        lambda result: result.pop("used"),
        lambda result: result.popitem(),
        lambda result: result.clear(),
        lambda result: result.__ior__({"used": 4}),
    ],
)
def test_keys_cannot_be_changed(change: Any) -> None:
    with pytest.raises(TypeError, match="a BudgetStatus cannot be changed"):
        change(BUDGET)
    assert BUDGET["used"] == 3


def test_fields_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        BUDGET.used = 4  # type: ignore[misc]
    assert dataclasses.replace(BUDGET, used=4) == {**BUDGET, "used": 4}


@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda r: pickle.loads(pickle.dumps(r))],
    ids=["copy", "deep", "pickle"],
)
def test_copies_are_results_too(copied: Any) -> None:
    found = copied(Confirmation(number=0, test={}, measured_again={}, dropped=[], default=SCORED))
    assert isinstance(found, Confirmation)
    assert found.default == SCORED
    assert found["default"]["number"] == 0


def test_what_an_older_version_kept_of_a_confirmation_is_read() -> None:
    dropped = Dropped(number=2, violates=["size_mb <= 1"], metrics={"size_mb": 2.0})
    found = Confirmation.from_json({"number": 1, "test": {"f1": 0.5}, "dropped": [dict(dropped)]})
    assert found.dropped == [dropped]
    assert found.measured_again == {}
    assert found.default is None
    assert found.scored(1) is found
    assert found.scored(None) is found.scored(0) is None


def test_a_study_answers_with_results() -> None:
    study = satisfice.create_study(
        {
            "name": "typed",
            "objectives": {"score": "maximize"},
            "space": {"x": {"low": 0.0, "high": 1.0}},
            "budget": {"trials": 2},
        },
        task=lambda trial: trial.params["x"],
    )
    study.optimize()
    status = study.status()
    assert isinstance(status, Status)
    assert status.states == status["states"] == {"COMPLETE": 2}
    assert status.budget.used == status["budget"]["used"] == 2
    assert status.best == TrialSummary.of(study.best())
    seen: list[Counts] = []
    study.change(budget={"trials": 3})
    study.optimize(progress=seen.append)
    assert seen[-1].items() <= study.status().items()
    assert study.report_context().chosen == study.best().number
    assert ReportContext(**study.report_context()) == study.report_context()


def test_the_report_has_its_record_from_below() -> None:
    assert ReportContext is report_context.ReportContext
