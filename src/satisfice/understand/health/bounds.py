"""Findings about bounds: those that never bind, those that nearly nothing meets, those that are missing."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from satisfice.choose.bounds import metric_value, number_text
from satisfice.choose.endings import joined
from satisfice.spec.constraint import Constraint
from satisfice.spec.metric import METRICS, one_unit
from satisfice.understand.health.remedies import bound, bounds_with, piece, rounded
from satisfice.understand.health.state import Floats, HealthFinding, StudyState

_ENOUGH = 10  # trials below which nothing is said
_FAR = 0.5  # of the way to a bound, that the worst trial does not come near
_TIGHT = 0.9  # share of proposals or trials that a bound turns away
_LOOSER = 0.25  # share of the trials that a looser bound admits
_HEADROOM = 1.2  # times the best trial's own value, that is proposed as a bound
# Quantities that decide whether a model can run where it is needed, in the order in which one is proposed.
_PRODUCTION = (
    "latency",
    "size",
    "memory",
    "pipeline_latency",
    "latency_p95",
    "throughput",
    "n_parameters",
    "flops",
)


def never_binding(state: StudyState) -> Iterator[HealthFinding]:
    """Bounds that no proposal and no trial came near."""
    for c in state.spec.constraints:
        values = _values(state, c)
        if len(values) < _ENOUGH or state.turned_away.get(c.key) or not _far(c, values):
            continue
        worst = float(values.max() if c.is_upper else values.min())
        new = rounded(worst, up=c.is_upper)
        yield HealthFinding(
            finding="never_binding",
            subject=c.key,
            evidence=f"it turned nothing away, and of {len(values)} trials the "
            f"{'largest' if c.is_upper else 'smallest'} {c.metric} is {number_text(worst)}",
            remedy=piece(state.spec, constraints=bounds_with(state.spec, c.key, new)),
        )


def _far(c: Constraint, values: Floats) -> bool:
    if c.is_upper:
        return c.bound > 0 and bool(values.max() <= _FAR * c.bound)
    known = METRICS.get(c.metric)
    if known is not None and math.isfinite(known.upper):
        return bool(values.min() >= c.bound + _FAR * (known.upper - c.bound))
    return c.bound > 0 and bool(values.min() >= c.bound / _FAR)


def too_tight(state: StudyState) -> Iterator[HealthFinding]:
    """Bounds that turn nearly everything away."""
    seen = state.turned_away_in_all + len(state.ended)
    for c in state.spec.constraints:
        away, values = state.turned_away.get(c.key, 0), _values(state, c)
        missed = int(sum(not c.satisfied(float(v)) for v in values))
        if seen >= _ENOUGH and away + missed >= _TIGHT * seen:
            said = f"{away} of {seen} proposals were turned away by it"
            said += f", and {missed} of {len(values)} trials miss it" if missed else ""
        elif len(values) >= _ENOUGH and missed >= _TIGHT * len(values):
            said = f"{missed} of {len(values)} trials miss it"
        else:
            continue
        yield HealthFinding(
            finding="too_tight",
            subject=c.key,
            evidence=said,
            remedy=piece(state.spec, constraints=bounds_with(state.spec, c.key, _looser(c, values))),
        )


def _looser(c: Constraint, values: Floats) -> float:
    """A bound that a quarter of the trials meet; twice as much where all that were trained meet it."""
    if len(values):
        share = float(np.quantile(values, _LOOSER if c.is_upper else 1 - _LOOSER))
        if not c.satisfied(share):
            return rounded(share, up=c.is_upper)
    if c.bound == 0:
        return 1.0 if c.is_upper else -1.0
    doubled = (c.bound > 0) == c.is_upper
    return rounded(c.bound * 2 if doubled else c.bound / 2, up=c.is_upper)


def unbounded_production(state: StudyState) -> Iterator[HealthFinding]:
    """No objective and no bound speaks of what running the model costs, although that is recorded."""
    named = {*state.spec.metric_names}
    if any(name not in METRICS or METRICS[name].quantity in _PRODUCTION for name in named):
        return
    if not state.finished:
        return
    best = state.finished[state.order[0]]
    recorded = {METRICS[n].quantity for n in best.metrics if n in METRICS} & {*_PRODUCTION}
    for quantity in _PRODUCTION:
        found = one_unit([], [n for n in best.metrics if n in METRICS and METRICS[n].quantity == quantity])
        value = None if not found else metric_value(best, found[0])
        if value is None or not math.isfinite(value) or value <= 0:
            continue
        upper = METRICS[found[0]].direction == "minimize"
        limit = rounded(value * _HEADROOM if upper else value / _HEADROOM, up=upper)
        others = [q for q in _PRODUCTION if q in recorded]
        yield HealthFinding(
            finding="unbounded_production",
            subject=", ".join(sorted(named)),
            evidence=f"{joined(sorted(named))} only: no latency, size or memory is asked of this study, "
            f"though {joined(others)} {'is' if len(others) == 1 else 'are'} recorded "
            f"({found[0]} of the best trial is {number_text(value)})",
            remedy=piece(state.spec, constraints={found[0]: bound("<=" if upper else ">=", limit)}),
        )
        return


def _values(state: StudyState, c: Constraint) -> Floats:
    found = (metric_value(r, c.metric) for r in state.ended)
    return np.array([v for v in found if v is not None and math.isfinite(v)], float)
