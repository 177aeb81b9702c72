"""From what training gave to the stored outcome of a trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from optuna.trial import TrialState

from satisfice.errors import TrialFinished
from satisfice.spec.metric import updated
from satisfice.spec.standard_error import check_errors, joined
from satisfice.spec.trial import TrialRecord
from satisfice.store.ledger.types import Outcome, SpecMoved
from satisfice.study.lifecycle.judge import judge
from satisfice.study.lifecycle.reported import as_floats
from satisfice.study.lifecycle.running_trial import RunningTrial
from satisfice.study.lifecycle.search_state import as_read

if TYPE_CHECKING:
    from satisfice.study.lifecycle.session import Session


def tell(
    session: Session,
    trial: RunningTrial,
    metrics: Mapping[str, float] | None,
    state: TrialState,
    reason: str | None,
    traceback: str | None,
) -> TrialState:
    """End a trial; see `Session.tell`."""
    if trial.lease.finished:
        raise TrialFinished(f"trial {trial.number} was told already")
    while True:
        outcome = _judged(session, trial, metrics, state, reason, traceback)
        try:
            with trial.sending:
                body = trial.unsent
                revision = session.ledger.results.tell(trial.claim, body, outcome)
                trial.unsent = []
                trial.lease.finished = True
            break
        except SpecMoved:
            session.reload()
    names = session.spec.metric_names
    record = TrialRecord(
        number=trial.number,
        state=outcome.state,
        params=trial.params,
        metrics=as_read(outcome.metrics, names),
        feasible=outcome.feasible,
    )
    session.wrote(revision, record, body, of=trial.number)
    trial.metrics = dict(outcome.metrics)
    trial.reason = outcome.reason
    trial.discard_checkpoints()
    return outcome.state


def _judged(
    session: Session,
    trial: RunningTrial,
    metrics: Mapping[str, float] | None,
    state: TrialState,
    reason: str | None,
    traceback: str | None,
) -> Outcome:
    evaluator, names = session.evaluator, session.spec.metric_names
    shipped = evaluator.shipped(trial.params, trial.model_path)
    found = updated(trial.metrics, shipped)
    told = as_floats(metrics or {})
    check_errors(told, known=found, named=names)
    found = updated(found, told, names)
    where = trial.measured_on
    if state is not TrialState.FAIL and evaluator.lacks_timing(found) and not evaluator.measures:
        timed, where = evaluator.measured_elsewhere(trial.params)  # meanwhile, perhaps
        found = updated(found, timed, names)
    outcome = judge(
        session.spec,
        evaluator,
        found,
        state,
        reason=reason or trial.stop_reason,
        traceback=traceback,
        measured_on=where,
        order=session.objective_order,
    )
    if outcome.state is not TrialState.COMPLETE:
        return outcome
    return replace(outcome, influences=trial.influences)


def verdict(session: Session, record: TrialRecord, timings: Mapping[str, float]) -> Outcome:
    """The outcome of a trial that awaited its timing, now that this worker has timed it."""
    return judge(
        session.spec,
        session.evaluator,
        updated(joined(record.metrics, record.standard_errors), timings, session.spec.metric_names),
        TrialState.COMPLETE,
        measured_on=session.host if timings else record.measured_on,
        order=session.objective_order,
    )
