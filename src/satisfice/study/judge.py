"""What a told trial is: its state, whether it is feasible, and what is written of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from optuna.trial import TrialState

from satisfice.choose.bounds import BEYOND
from satisfice.spec.constraint import violations
from satisfice.spec.study import StudySpec
from satisfice.store.claim import Outcome
from satisfice.study.known import Evaluator
from satisfice.study.trial import diverged


def judge(
    spec: StudySpec,
    evaluator: Evaluator,
    found: Mapping[str, float],
    state: TrialState,
    *,
    reason: str | None = None,
    traceback: str | None = None,
    measured_on: str | None = None,
) -> Outcome:
    """The outcome of a trial that was told as ``state``.

    A complete trial that lacks an objective failed, one whose objective is NaN or infinite diverged, and one
    that lacks only what another host class has yet to time waits for its verdict.

    Args:
        spec: The study.
        evaluator: What this worker can measure.
        found: Metrics in the study's units.
        state: As told.
        reason: Why it ended early, or failed.
        traceback: Of what was raised.
        measured_on: Fingerprint of the host that timed the model.
    """
    names = tuple(o.metric for o in spec.objectives)
    values: list[float] | None = None
    pending = False
    if state is TrialState.COMPLETE:
        missing = [name for name in names if name not in found]
        lost = diverged(found, names)
        pending = lost is None and _waits(evaluator, found, missing)
        if pending:
            pass
        elif missing:
            state, reason = TrialState.FAIL, f"the task gave no {missing[0]!r}"
        elif lost is not None:
            state, reason = TrialState.PRUNED, f"diverged: {lost} is {_shown(found[lost])}"
        else:
            values = [found[name] for name in names]
    judged = violations(spec.constraints, found)
    complete = len(judged) == len(spec.constraints)
    infeasible = any(v > 0 for v in judged.values())
    # Optuna's GP reads constraints by position: all keys in one order, or none.
    written = {k: max(min(v, BEYOND), -BEYOND) for k, v in judged.items()} if complete else {}
    return Outcome(
        state=state,
        values=values,
        metrics=dict(found),  # NaN too: whoever asks why nothing fits is told
        constraints=written,
        feasible=False if infeasible else (True if complete else None),
        reason=reason,
        traceback=traceback,
        measured_on=measured_on,
        pending=pending,
    )


def _shown(value: float) -> str:
    return "NaN" if math.isnan(value) else "infinite"


def _waits(evaluator: Evaluator, found: Mapping[str, float], missing: Sequence[str]) -> bool:
    """Whether all that is missing is what the measuring host class has yet to time."""
    return not evaluator.measures and evaluator.lacks_timing(found) and not evaluator.lacks_others(missing)
