"""The final word: the winner measured again, and the test split scored once."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from satisfice.choose import Asked
from satisfice.errors import InputError, NoFeasibleTrial, SatisficeError
from satisfice.results.confirmation import Confirmation, Dropped, Scored
from satisfice.spec.constraint import none_violated, violated, violations
from satisfice.spec.metric import updated
from satisfice.spec.standard_error import check_errors, split
from satisfice.spec.task import ScoresTest
from satisfice.spec.trial import TrialRecord, TrialState
from satisfice.store import studies
from satisfice.store.reader import Reader
from satisfice.study.choice import number_to_ship
from satisfice.study.lifecycle.reported import as_floats
from satisfice.study.lifecycle.session import Session

LoadModel = Callable[[int], Any]


@dataclass(frozen=True, kw_only=True)
class _Test:
    """Scores on the test split."""

    test: Mapping[str, float] = field(default_factory=dict)
    standard_errors: Mapping[str, float] | None = None
    untested: str | None = None  # why there are none

    @property
    def told(self) -> dict[str, Any]:
        """By the names of a result."""
        return {"test": self.test, "standard_errors": self.standard_errors or None, "untested": self.untested}


def confirm(session: Session, records: Sequence[TrialRecord], load_model: LoadModel) -> Confirmation:
    """Choose, measure freshly, score the test split; remembered, so that a second call scores nothing.

    A winner that no longer fits is dropped with a word, and the next takes its place. The default
    configuration is scored on the test split beside the winner: it is compared with, never chosen by that.

    Raises:
        NoFeasibleTrial: No trial fits, as they were judged when they finished.
    """
    before = stored_confirmation(session)
    result = _choose(session, records, before, load_model)
    result = replace(result, default=_default(session, records, before, result, load_model))
    if result != before:
        studies.set_chosen(session.db, session.ledger.uuid, result)
    return result


def stored_confirmation(session: Session) -> Confirmation | None:
    """What an earlier call found; None where there was none."""
    stored = session.reader.study_row()["chosen"]
    return Confirmation.from_json(json.loads(stored)) if stored else None


def _choose(
    session: Session, records: Sequence[TrialRecord], before: Confirmation | None, load_model: LoadModel
) -> Confirmation:
    spec = session.spec
    dropped: list[Dropped] = []
    left = list(records)
    again: dict[str, float] = {}
    chosen: TrialRecord | None = number_to_ship(session.reader, left)
    while chosen is not None:
        if before is not None and before.number == chosen.number:
            if before.untested is None:
                return before
            # Nothing was scored then: its model was out of reach, perhaps of another machine.
            return replace(before, **_scored(session, chosen, load_model).told)
        again = _measure_again(session, chosen, load_model)
        found = violations(spec.constraints, updated(chosen.metrics, again, spec.metric_names))
        if none_violated(found):
            break
        dropped.append(Dropped(number=chosen.number, violates=violated(found), metrics=again))
        left.remove(chosen)
        chosen = _best_of(session.reader, left)
    if chosen is None:
        return Confirmation(number=None, test={}, measured_again={}, dropped=dropped)
    scored = _known(before, chosen) or _scored(session, chosen, load_model)
    return Confirmation(number=chosen.number, measured_again=again, dropped=dropped, **scored.told)


def confirmed_for(
    session: Session, question: Asked, records: Sequence[TrialRecord], load_model: LoadModel
) -> Confirmation:
    """What a profile chooses, measured freshly; nothing is scored on the test split, and nothing is stored.

    Args:
        session: Of whoever asks.
        question: The profile's.
        records: All trials.
        load_model: Gives a trial's model.

    Raises:
        NoFeasibleTrial: No trial fits the profile, as they were judged when they finished.
    """
    left, dropped = list(records), list[Dropped]()
    chosen = number_to_ship(session.reader, left, question.profile)
    while True:
        again = _measure_again(session, chosen, load_model)
        measured = updated(chosen.metrics, again, session.spec.metric_names)
        missed = violated(violations(question.constraints, measured))
        if not missed:
            return Confirmation(number=chosen.number, test={}, measured_again=again, dropped=dropped)
        dropped.append(Dropped(number=chosen.number, violates=missed, metrics=again))
        left.remove(chosen)
        try:
            chosen = number_to_ship(session.reader, left, question.profile)
        except NoFeasibleTrial:
            return Confirmation(number=None, test={}, measured_again={}, dropped=dropped)


def _default(
    session: Session,
    records: Sequence[TrialRecord],
    before: Confirmation | None,
    result: Confirmation,
    load_model: LoadModel,
) -> Scored | None:
    """The default configuration's test score, scored once too; None where it was not trained."""
    default = next((r for r in records if r.proposal.get("origin") == "default"), None)
    if default is None:
        return None
    if default.number == result.number:
        found = _Test(test=result.test, standard_errors=result.standard_errors, untested=result.untested)
    elif default.state is not TrialState.COMPLETE:
        found = _Test(untested=f"trial {default.number} is not complete")
    else:
        found = _known(before, default) or _scored(session, default, load_model)
    return Scored(number=default.number, **found.told)


def _known(before: Confirmation | None, record: TrialRecord) -> _Test | None:
    """The test score of a trial that was scored before as the default configuration."""
    scored = before.default if before is not None else None
    if scored is not None and scored.number == record.number and scored.test:
        return _Test(test=scored.test, standard_errors=scored.standard_errors)
    return None


def _best_of(reader: Reader, records: Sequence[TrialRecord]) -> TrialRecord | None:
    try:
        return number_to_ship(reader, records)
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


def _scored(session: Session, record: TrialRecord, load_model: LoadModel) -> _Test:
    """The test score; or why there is none: its model cannot be loaded, or own code cannot score it."""
    if not isinstance(session.task, ScoresTest):
        return _Test()
    try:
        model = load_model(record.number)
        told = as_floats(session.task.score_test(record.params, model))
        check_errors(told)
        test, errors = split(told)
        return _Test(test=test, standard_errors=errors)
    except InputError as error:  # its task kept none, the file is damaged, or its scores are none
        return _Test(untested=str(error))
    except Exception as error:
        if isinstance(error, SatisficeError) or session.spec.model is not None:
            raise
        return _Test(untested=f"{type(error).__name__}: {error}")  # a person's own code may raise anything
