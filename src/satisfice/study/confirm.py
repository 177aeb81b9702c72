"""The final word: the winner measured again, and the test split scored once."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from typing import Any

from satisfice.choose import best
from satisfice.errors import InputError, NoFeasibleTrial
from satisfice.spec.constraint import violations
from satisfice.spec.metric import updated
from satisfice.spec.study import StudySpec
from satisfice.spec.task import ScoresTest
from satisfice.spec.trial import TrialRecord
from satisfice.store import studies
from satisfice.study.session import Session


def confirm(
    session: Session, records: Sequence[TrialRecord], load_model: Callable[[int], Any]
) -> dict[str, Any]:
    """Choose, measure freshly, score the test split; remembered, so that a second call scores nothing.

    A winner that no longer fits is dropped with a word, and the next takes its place.

    Returns:
        ``number`` (None where no winner fits any more), ``test``, ``measured_again``, ``dropped``; and where
        the model cannot be loaded ``untested``: why the test split was not scored.

    Raises:
        NoFeasibleTrial: No trial fits, as they were judged when they finished.
    """
    spec = session.spec
    dropped: list[dict[str, Any]] = []
    left = list(records)
    stored = session.db.retrying(session.reader.study_row)["chosen"]
    before = json.loads(stored) if stored else None
    again: dict[str, float] = {}
    chosen: TrialRecord | None = best(left, spec.objectives, spec.constraints)
    while chosen is not None:
        if before is not None and before["number"] == chosen.number:
            return dict(before)
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
        result |= {"number": chosen.number, "measured_again": again}
        try:
            result["test"] = _score_test(session, chosen, load_model)
        except InputError as error:  # its task kept none, or the file is damaged
            result["untested"] = str(error)
    session.db.retrying(lambda: studies.set_chosen(session.db, session.ledger.uuid, result))
    return result


def _best_of(spec: StudySpec, records: Sequence[TrialRecord]) -> TrialRecord | None:
    try:
        return best(records, spec.objectives, spec.constraints)
    except NoFeasibleTrial:
        return None


def _measure_again(
    session: Session, record: TrialRecord, load_model: Callable[[int], Any]
) -> dict[str, float]:
    if not session.evaluator.times:
        return {}
    model = None
    if isinstance(session.task, ScoresTest):
        with contextlib.suppress(InputError):  # then an untrained one is measured
            model = load_model(record.number)
    return session.evaluator.again(record.params, model)


def _score_test(session: Session, record: TrialRecord, load_model: Callable[[int], Any]) -> dict[str, float]:
    if not isinstance(session.task, ScoresTest):
        return {}
    return dict(session.task.score_test(record.params, load_model(record.number)))
