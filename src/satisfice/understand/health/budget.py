"""Findings about the budget: too few trials, more than enough, too few epochs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from satisfice.choose import pareto_front
from satisfice.choose.bounds import number_text
from satisfice.understand.health.remedies import piece
from satisfice.understand.health.state import HealthFinding, StudyState

_PER_PARAMETER = 3  # trials, below which a search has seen next to nothing
_WISHED = 10  # trials for each parameter that are proposed
_LATE = 0.75  # share of the trials, after which improvements say that more would come
_GAIN = 0.2  # of the spread, that comes that late
_LONG = 30  # trials without a better one, at least
_AS_GOOD = 10  # trials that are as good as the best, at least
_TOP = 8  # trials that are looked at for epochs
_UNFINISHED = 0.6  # of them, that still improve at the last epoch


def budget_short(state: StudyState) -> Iterator[HealthFinding]:
    """Too few trials for so many parameters, or the best ones came last."""
    n, d = len(state.ended), sum(not p.distribution.single() for p in state.spec.space)
    if n < state.spec.budget.trials * 0.8 or len(state.finished) < 2:  # not spent yet
        return
    if n < _PER_PARAMETER * d:
        said = f"{n} trials for {d} parameters"
        wished = _WISHED * d
    else:
        late = _late_gains(state)
        if late is None:
            return
        said, wished = late, 2 * state.spec.budget.trials
    yield HealthFinding(
        finding="budget_short",
        subject="budget.trials",
        evidence=said,
        remedy=piece(state.spec, budget={"trials": max(wished, state.spec.budget.trials + 1)}),
    )


def _late_gains(state: StudyState) -> str | None:
    """That the best value improved much and more than once in the last quarter of the trials."""
    running = np.minimum.accumulate(state.losses)
    n = len(running)
    if n < 16 or state.spread <= 0:
        return None
    before = running[int(n * _LATE) - 1]
    late = np.unique(running[int(n * _LATE) :])
    steps = int((late < before).sum())
    noise = max(state.seed_error or 0.0, 0.0)
    if steps < 2 or before - running[-1] < max(_GAIN * state.spread, noise):
        return None
    sign = state.objective.sign
    return (
        f"the best {state.objective.metric} went from {number_text(before * sign)} to "
        f"{number_text(running[-1] * sign)} in {steps} steps within the last quarter of {n} trials"
    )


def budget_long(state: StudyState) -> Iterator[HealthFinding]:
    """No better trial for long, and many that are as good."""
    n = len(state.finished)
    if n < _LONG:
        return
    noise = max(state.seed_error or 0.0, state.row_error or 0.0, 0.01 * state.spread)
    best = float(state.losses.min())
    if len(state.spec.objectives) > 1:
        numbers = [
            r.number for r in pareto_front(state.finished, state.spec.objectives, state.spec.constraints)
        ]
        place = {r.number: i for i, r in enumerate(state.finished)}
        last = max((place[k] for k in numbers if k in place), default=n)
    else:
        last = int(np.flatnonzero(state.losses <= best + 0.01 * state.spread)[0])
    since, alike = n - 1 - last, int((state.losses <= best + noise).sum())
    if since < max(_LONG, n // 2) or alike < max(_AS_GOOD, n // 4):
        return
    yield HealthFinding(
        finding="budget_long",
        subject="budget.trials",
        evidence=f"no trial was better since trial {state.finished[last].number}: {since} trials, of all {n} "
        f"{alike} within {number_text(noise)} of the best {state.objective.metric}",
        remedy=piece(state.spec, budget={"trials": max(last + 1 + _LONG // 2, 1)}),
    )


def few_epochs(state: StudyState) -> Iterator[HealthFinding]:
    """The best trials still improve where their epochs end."""
    epochs = state.spec.budget.epochs
    labels = {d.number: {f.label for f in d.labels} for d in state.diagnoses}
    top = [state.finished[i].number for i in state.order[:_TOP]]
    cut = [number for number in top if "budget_limited" in labels.get(number, set())]
    if epochs is None or len(top) < 3 or len(cut) < _UNFINISHED * len(top):
        return
    yield HealthFinding(
        finding="few_epochs",
        subject="budget.epochs",
        evidence=f"{len(cut)} of the {len(top)} best trials still improve at epoch {epochs}, their last one",
        remedy=piece(state.spec, budget={"trials": state.spec.budget.trials, "epochs": 3 * epochs}),
    )
