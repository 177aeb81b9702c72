"""What `status` tells of a study: counts for whoever watches it run, and the whole for whoever asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from satisfice.choose import Asked, answer_words, asked_by_each, endings
from satisfice.choose.endings import joined
from satisfice.errors import NoFeasibleTrial
from satisfice.results.profiles import ProfileAnswer
from satisfice.results.status import BudgetStatus, Counts, EndingGroup, Status, TrialInTraining, WorkerStatus
from satisfice.results.trial import TrialSummary
from satisfice.spec.study import StudySpec
from satisfice.spec.trial import TrialRecord
from satisfice.store.reader import Reader
from satisfice.store.spec_versions import history
from satisfice.store.worker_trials import crew
from satisfice.study.choice import number_to_ship
from satisfice.study.lifecycle.session import lease_seconds
from satisfice.study.running.deferred_timing import waiting_sentence
from satisfice.study.running.same_failure import stopped
from satisfice.study.understanding import diagnoses
from satisfice.train.answer_rule import EVEN
from satisfice.train.hyperparameter import THRESHOLD
from satisfice.train.threshold import LABEL_METRICS
from satisfice.understand.diagnosis import counts as label_counts


def counts(reader: Reader) -> Counts:
    """Counts by state, budget, workers, proposals turned away; the cost does not grow with the trials."""
    return Counts(**_counted(reader))


def whole(reader: Reader, records: Sequence[TrialRecord]) -> Status:
    """The counts, the best trial so far, and how trials ended early.

    Args:
        reader: Of the study.
        records: All its trials, with their reports.
    """
    return Status(
        **_counted(reader),
        best=_best(reader, records),
        endings=[
            EndingGroup(kind=e.kind, trials=list(e.numbers), sentence=e.sentence) for e in endings(records)
        ],
        profiles=profile_answers(reader, records),
        diagnosis=label_counts(diagnoses(reader.spec, records)),
    )


def profile_answers(reader: Reader, records: Sequence[TrialRecord]) -> list[ProfileAnswer]:
    """Which trial answers each profile, or why none does.

    Args:
        reader: Of the study.
        records: All its trials.
    """
    return [_profile_answer(reader, question, records) for question in asked_by_each(reader.spec)]


def _profile_answer(reader: Reader, question: Asked, records: Sequence[TrialRecord]) -> ProfileAnswer:
    name = question.profile or ""
    try:
        found = number_to_ship(reader, records, question.profile)
    except NoFeasibleTrial as error:
        return ProfileAnswer(profile=name, best=None, sentence=str(error))
    return ProfileAnswer(profile=name, best=TrialSummary.of(found), sentence=answer_words(question, found))


def _counted(reader: Reader) -> dict[str, Any]:
    """The fields of `Counts`."""
    row = reader.study_row()
    states, pending = reader.states()
    alive_s = max(60.0, 2 * min(lease_seconds(reader.db), 600.0))
    workers, others = crew(reader.db, reader.uuid, alive_s)
    return {
        "name": reader.spec.name,
        "states": states,
        "budget": BudgetStatus(
            trials=row["trials_budget"],
            used=sum(states.values()),
            total_epochs=row["total_epochs_budget"],
            epochs_used=row["epochs_reserved"] if row["total_epochs_budget"] is not None else None,
            timeout_s=row["timeout_s"],
        ),
        "pending": pending,
        "stopped": stopped(row, states),
        "waiting": waiting_sentence(reader.spec, pending),
        "workers": sum(w["alive"] for w in workers),
        "turned_away": row["turned_away"],
        "turned_away_by_constraint": reader.turned_away(),
        "elapsed_s": row["elapsed_s"],
        "workers_detail": [WorkerStatus(**{**w, "trial": _running(w["trial"])}) for w in workers],
        "running_elsewhere": [TrialInTraining(**trial) for trial in others],
        "spec_version": row["spec_version"],
        "changes": _changes(reader, row["spec_version"]),
    }


def _running(trial: Mapping[str, Any] | None) -> TrialInTraining | None:
    return None if trial is None else TrialInTraining(**trial)


def _changes(reader: Reader, version: int) -> list[str]:
    """What the latest change of the study changed."""
    return [] if version == 1 else list(history(reader.db, reader.uuid)[-1]["changes"])


def turned_away_sentence(count: int) -> str:
    """How many proposals did not fit before training; empty where all did."""
    if not count:
        return ""
    return f"{'1 proposal was' if count == 1 else f'{count:,} proposals were'} turned away before training"


def _best(reader: Reader, records: Sequence[TrialRecord]) -> TrialSummary | None:
    try:
        return TrialSummary.of(number_to_ship(reader, records))
    except NoFeasibleTrial:
        return None


def threshold_sentence(spec: StudySpec) -> str:
    """That a bound on answers may need another decision threshold; empty where that is not one half."""
    bounded = dict.fromkeys(c.metric for c in spec.constraints if c.metric in LABEL_METRICS)
    if not bounded or spec.model is None or THRESHOLD in spec.space.by_name:
        return ""
    if spec.model.fixed.get(THRESHOLD, EVEN) != EVEN:
        return ""
    depend = "depends" if len(bounded) == 1 else "depend"
    return (
        f"{joined(list(bounded))} {depend} on the decision threshold, which is 0.5 here: with two classes, a "
        'new study with threshold = "auto" under [model] fits it to the bounds'
    )
