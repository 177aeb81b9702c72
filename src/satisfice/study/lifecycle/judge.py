"""What a told trial is: its state, whether it is feasible, and what is written of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from optuna.trial import TrialState

from satisfice.registry import did_you_mean
from satisfice.spec.constraint import stored_violations, verdict
from satisfice.spec.standard_error import split
from satisfice.spec.study import StudySpec
from satisfice.store.ledger.types import Outcome
from satisfice.study.lifecycle.reported import diverged
from satisfice.study.measuring.evaluator import Evaluator

GAVE_NO = "the task gave no "  # how the reason of such a failure begins


def judge(
    spec: StudySpec,
    evaluator: Evaluator,
    found: Mapping[str, float],
    state: TrialState,
    *,
    reason: str | None = None,
    traceback: str | None = None,
    measured_on: str | None = None,
    order: Sequence[str] | None = None,
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
        order: Names of the objectives in Optuna's order, where that is not the spec's.
    """
    names = tuple(order or (o.metric for o in spec.objectives))
    values: list[float] | None = None
    awaiting_timing = False
    if state is TrialState.COMPLETE:
        missing = [name for name in names if name not in found]
        lost = diverged(found, names)
        awaiting_timing = lost is None and _waits(evaluator, found, missing)
        if awaiting_timing:
            pass
        elif missing:
            state, reason = TrialState.FAIL, lacks(missing[0], found)
        elif lost is not None:
            state, reason = TrialState.PRUNED, f"diverged: {lost} is {_shown(found[lost])}"
        else:
            values = [found[name] for name in names]
    judged, feasible = verdict(spec.constraints, found)
    return Outcome(
        state=state,
        values=values,
        metrics=dict(found),  # NaN too: whoever asks why nothing fits is told
        constraints=stored_violations(spec.constraints, judged),
        feasible=feasible,
        reason=reason,
        traceback=traceback,
        measured_on=measured_on,
        awaiting_timing=awaiting_timing,
    )


def lacks(name: str, found: Mapping[str, float]) -> str:
    """That a task gave other metrics, in words."""
    if not found:
        return f"{GAVE_NO}{name!r}, nor any other metric"
    given = sorted(split(found)[0])
    hint = did_you_mean(name, given)
    gave = hint if hint.startswith("did you mean") else f"it gave {', '.join(given)}"
    return f"{GAVE_NO}{name!r} ({gave})"


def _shown(value: float) -> str:
    return "NaN" if math.isnan(value) else "infinite"


def _waits(evaluator: Evaluator, found: Mapping[str, float], missing: Sequence[str]) -> bool:
    """Whether all that is missing is what the measuring host class has yet to time."""
    return not evaluator.measures and evaluator.lacks_timing(found) and not evaluator.lacks_others(missing)
