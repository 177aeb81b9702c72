"""The final word: the winner measured again, and the test split scored once."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from satisfice.choose import best
from satisfice.errors import InputError, NoFeasibleTrial, SatisficeError
from satisfice.spec.constraint import violations
from satisfice.spec.metric import updated
from satisfice.spec.study import StudySpec
from satisfice.spec.task import ScoresTest
from satisfice.spec.trial import TrialRecord, TrialState
from satisfice.store import studies
from satisfice.study.lifecycle.reported import as_floats
from satisfice.study.lifecycle.session import Session

LoadModel = Callable[[int], Any]


def confirm(session: Session, records: Sequence[TrialRecord], load_model: LoadModel) -> dict[str, Any]:
    """Choose, measure freshly, score the test split; remembered, so that a second call scores nothing.

    A winner that no longer fits is dropped with a word, and the next takes its place. The default
    configuration is scored on the test split beside the winner: it is compared with, never chosen by that.

    Returns:
        ``number`` (None where no winner fits any more), ``test``, ``measured_again``, ``dropped``, and where
        there is no test score although the task has a test split ``untested``: why. ``default`` is None where
        no default configuration was trained, else its ``number``, ``test`` and perhaps ``untested``.

    Raises:
        NoFeasibleTrial: No trial fits, as they were judged when they finished.
    """
    stored = session.db.retrying(session.reader.study_row)["chosen"]
    before: dict[str, Any] = json.loads(stored) if stored else {}
    result = _choose(session, records, before, load_model)
    result["default"] = _default(session, records, before, result, load_model)
    if result != before:
        session.db.retrying(lambda: studies.set_chosen(session.db, session.ledger.uuid, result))
    return result


def _choose(
    session: Session, records: Sequence[TrialRecord], before: Mapping[str, Any], load_model: LoadModel
) -> dict[str, Any]:
    spec = session.spec
    dropped: list[dict[str, Any]] = []
    left = list(records)
    again: dict[str, float] = {}
    chosen: TrialRecord | None = best(left, spec.objectives, spec.constraints)
    while chosen is not None:
        if before and before["number"] == chosen.number:
            if "untested" not in before:
                return dict(before)
            # Nothing was scored then: its model was out of reach, perhaps of another machine.
            kept = {key: value for key, value in before.items() if key != "untested"}
            return kept | _scored(session, chosen, load_model)
        again = _measure_again(session, chosen, load_model)
        found = violations(spec.constraints, updated(chosen.metrics, again, spec.metric_names))
        violated = [key for key, value in found.items() if value > 0]
        if not violated:
            break
        dropped.append({"number": chosen.number, "violates": violated, "metrics": again})
        left.remove(chosen)
        chosen = _best_of(spec, left)
    result: dict[str, Any] = {"number": None, "test": {}, "measured_again": {}, "dropped": dropped}
    if chosen is not None:
        known = _known(before.get("default"), chosen) or _scored(session, chosen, load_model)
        result |= {"number": chosen.number, "measured_again": again, **known}
    return result


def _default(
    session: Session,
    records: Sequence[TrialRecord],
    before: Mapping[str, Any],
    result: Mapping[str, Any],
    load_model: LoadModel,
) -> dict[str, Any] | None:
    """The default configuration's test score, scored once too; None where it was not trained."""
    default = next((r for r in records if r.proposal.get("origin") == "default"), None)
    if default is None:
        return None
    if default.number == result["number"]:
        scores = {key: result[key] for key in ("test", "untested") if key in result}
    elif default.state is not TrialState.COMPLETE:
        scores = {"test": {}, "untested": f"trial {default.number} is not complete"}
    else:
        scores = _known(before.get("default"), default) or _scored(session, default, load_model)
    return {"number": default.number, **scores}


def _known(scored: Mapping[str, Any] | None, record: TrialRecord) -> dict[str, Any] | None:
    """The test score of a trial that was scored before."""
    if scored and scored["number"] == record.number and scored["test"]:
        return {"test": scored["test"]}
    return None


def _best_of(spec: StudySpec, records: Sequence[TrialRecord]) -> TrialRecord | None:
    try:
        return best(records, spec.objectives, spec.constraints)
    except NoFeasibleTrial:
        return None


def _measure_again(session: Session, record: TrialRecord, load_model: LoadModel) -> dict[str, float]:
    if not session.evaluator.times:
        return {}
    model = None
    if isinstance(session.task, ScoresTest):
        with contextlib.suppress(InputError):  # then an untrained one is measured
            model = load_model(record.number)
    return session.evaluator.again(record.params, model)


def _scored(session: Session, record: TrialRecord, load_model: LoadModel) -> dict[str, Any]:
    """``test``, and ``untested`` where the model cannot be loaded or a person's own code cannot score it."""
    if not isinstance(session.task, ScoresTest):
        return {"test": {}}
    try:
        model = load_model(record.number)
        return {"test": as_floats(session.task.score_test(record.params, model))}
    except InputError as error:  # its task kept none, or the file is damaged
        return {"test": {}, "untested": str(error)}
    except Exception as error:
        if isinstance(error, SatisficeError) or session.spec.model is not None:
            raise
        return {
            "test": {},
            "untested": f"{type(error).__name__}: {error}",
        }  # a person's own code may raise anything
