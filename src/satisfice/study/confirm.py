"""The final word: the winner measured again, and the test split scored once."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from satisfice.choose import best
from satisfice.errors import NoFeasibleTrial
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
        ``number`` (None where no winner fits any more), ``test``, ``measured_again``, ``dropped``.

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
        left = [r for r in left if r.number != dropped[-1]["number"]]
        chosen = _best_of(spec, left)
    result = {
        "number": chosen.number if chosen is not None else None,
        "test": _score_test(session, chosen, load_model) if chosen is not None else {},
        "measured_again": again if chosen is not None else {},
        "dropped": dropped,
    }
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
    model = load_model(record.number) if isinstance(session.task, ScoresTest) else None
    return session.evaluator.again(record.params, model)


def _score_test(session: Session, record: TrialRecord, load_model: Callable[[int], Any]) -> dict[str, float]:
    if not isinstance(session.task, ScoresTest):
        return {}
    return dict(session.task.score_test(record.params, load_model(record.number)))
