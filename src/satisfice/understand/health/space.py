"""Findings about the space: ends that the best trials press against, parameters that decide nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from satisfice.choose.bounds import number_text
from satisfice.spec.distributions import scaled_raw
from satisfice.spec.space import Parameter
from satisfice.understand.health.remedies import parameter, piece
from satisfice.understand.health.state import Floats, HealthFinding, StudyState

_TOP = 10  # best trials that are looked at
_LEAST = 5  # of them, at the end
_NEAR = (0.05, 0.1, 0.2)  # of the range
_CHANCE = 2e-3  # that so many lie there by chance
_STRETCH = 0.4  # of the range, over which trials must get better towards the end
_CERTAIN = 0.01  # probability that ranks do so by chance
_ENOUGH = 30  # trials below which nothing is said of idle parameters
_EXPLAINED = 0.3  # share of the spread that the parameters together must explain
_IDLE = 0.02  # share of the spread that an idle parameter explains at most
_REPEATS = 10


def range_edges(state: StudyState) -> Iterator[HealthFinding]:
    """Ends of ranges that the best trials press against, where a range could go on."""
    top = [state.finished[i] for i in state.order[:_TOP]]
    for p in state.spec.space:
        d = p.distribution
        mine = [r for r in top if p.name in r.params]
        if isinstance(d, CategoricalDistribution) or d.single() or len(mine) < _LEAST:
            continue
        assert isinstance(d, FloatDistribution | IntDistribution)
        places = _places(p, state.column(p.name, mine))
        for side, far in (("lower", places), ("upper", 1 - places)):
            found = _crowd(p, far)
            if found is None or _natural_end(state, p, side) or not _better_there(state, p, side):
                continue
            count, width = found
            yield HealthFinding(
                finding="range_edge",
                subject=p.name,
                evidence=f"{count} of the {len(mine)} best lie within {width:.0%} of the {side} end of its "
                f"range ({number_text(float(d.low))} to {number_text(float(d.high))})",
                remedy=piece(state.spec, space={p.name: _longer_range(state, p, side)}),
            )


def _crowd(p: Parameter, far: Floats) -> tuple[int, float] | None:
    """How many lie near an end, and how near: more than chance would put there; None where it could."""
    for width in _NEAR:
        count, share = int((far <= width + 1e-9).sum()), max(width, 1.0 / p.cardinality)
        if count >= _LEAST and _binomial_tail(count, len(far), share) <= _CHANCE:
            return count, width
    return None


def _places(p: Parameter, values: list[object]) -> Floats:
    """Along the range, from 0 to 1."""
    return np.asarray(scaled_raw(p.numeric, np.array([p.to_raw(v) for v in values], float)))


def _binomial_tail(count: int, n: int, share: float) -> float:
    """The probability of at least so many."""
    return sum(math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(count, n + 1))


def _natural_end(state: StudyState, p: Parameter, side: str) -> bool:
    """Whether the range cannot go on there."""
    d = p.distribution
    assert isinstance(d, FloatDistribution | IntDistribution)
    low, high = state.limits.get(p.name, (-math.inf, math.inf))
    if side == "upper":
        return d.high >= high
    return d.low <= low or (d.low == 0 and not math.isfinite(low))


def _better_there(state: StudyState, p: Parameter, side: str) -> bool:
    """Whether trials get better all the way to the end: ranks over the last two fifths (Spearman 1904)."""
    active = [i for i, r in enumerate(state.finished) if p.name in r.params]
    places = _places(p, [state.finished[i].params[p.name] for i in active])
    far = places if side == "lower" else 1 - places
    stretch, losses = far[far <= _STRETCH], state.losses[active][far <= _STRETCH]
    if len(np.unique(stretch)) < 3:  # few values: the last one against the others
        stretch, losses = far, state.losses[active]
    if len(stretch) < _LEAST or np.ptp(stretch) == 0 or np.ptp(losses) == 0:
        return False
    from scipy.stats import spearmanr  # slow to import

    found = spearmanr(stretch, losses, alternative="greater")
    return bool(found.pvalue < _CERTAIN)


def _longer_range(state: StudyState, p: Parameter, side: str) -> dict[str, object]:
    """The parameter with a range that goes on: ten times as far where it is logarithmic, else by half."""
    d, out = p.distribution, parameter(state.spec, p.name)
    assert isinstance(d, FloatDistribution | IntDistribution)
    low, high = state.limits.get(p.name, (-math.inf, math.inf))
    if d.log:
        ends = (d.low / 10, d.high * 10)
    else:
        more = (d.high - d.low) / 2
        ends = (d.low - more, d.high + more)
        if d.low >= 0 and not math.isfinite(low):
            ends = (max(ends[0], 0.0), ends[1])
    if isinstance(d, IntDistribution):
        least = 1 if d.log else ends[0]
        step = d.step
        down = math.ceil((d.low - max(ends[0], least, low)) / step) if side == "lower" else 0
        upward = max(math.ceil((min(ends[1], high) - d.high) / step), 1)
        return out | ({"low": d.low - down * step} if side == "lower" else {"high": d.high + upward * step})
    if side == "lower":
        return out | {"low": float(f"{max(ends[0], low):.4g}")}
    return out | {"high": float(f"{min(ends[1], high):.4g}")}


def idle_parameters(state: StudyState) -> Iterator[HealthFinding]:
    """Parameters whose values can be shuffled without a loss, where the others explain the objective.

    Permutation importance (Breiman 2001) of a random forest on the ranks of the objective, out of bag.
    """
    names, importance, explained = _importances(state)
    if explained < _EXPLAINED:
        return
    for name, (mean, high) in zip(names, importance, strict=True):
        if mean > _IDLE * explained or high > 2 * _IDLE:
            continue
        best = next((r.params[name] for i in state.order if name in (r := state.finished[i]).params), None)
        if best is None:
            continue
        p = state.spec.space.by_name[name]
        value = [best] if not p.when else {"choices": [best], "when": {k: list(v) for k, v in p.when.items()}}
        share = "less than 1%" if mean < 0.01 else f"{mean:.0%}"
        yield HealthFinding(
            finding="idle_parameter",
            subject=name,
            evidence=f"it explains {share} of the spread of {state.objective.metric}, "
            f"all parameters together {explained:.0%} ({len(state.finished)} trials)",
            remedy=piece(state.spec, space={name: value}),
        )


def nothing_explains(state: StudyState) -> bool:
    """Whether the parameters together explain nothing of the objective, with trials enough to see it."""
    if len(state.finished) < _ENOUGH or not len(state.losses) or np.ptp(state.losses) == 0:
        return False
    return _importances(state)[2] <= 0.0


def _importances(state: StudyState) -> tuple[list[str], list[tuple[float, float]], float]:
    """Of each parameter: the share explained (mean, and 95% of repeats below); and of all, out of bag."""
    known = state.__dict__.get("_importances")
    if known is None:
        known = state.__dict__["_importances"] = _fresh_importances(state)
    found: tuple[list[str], list[tuple[float, float]], float] = known
    return found


def _fresh_importances(state: StudyState) -> tuple[list[str], list[tuple[float, float]], float]:
    names = [p.name for p in state.spec.space if not p.distribution.single()]
    rows = state.finished
    if len(rows) < _ENOUGH or not names or np.ptp(state.losses) == 0:
        return names, [], 0.0
    from scipy.stats import rankdata
    from sklearn.ensemble import ExtraTreesRegressor  # a second to import

    x = np.full((len(rows), len(names)), -0.5)  # where a parameter is not active
    for j, name in enumerate(names):
        p = state.spec.space.by_name[name]
        active = [i for i, r in enumerate(rows) if name in r.params]
        x[active, j] = _places(p, [rows[i].params[name] for i in active])
    y = rankdata(state.losses) / len(rows)
    forest = ExtraTreesRegressor(
        n_estimators=100, min_samples_leaf=2, bootstrap=True, oob_score=True, random_state=0
    ).fit(x, y)
    rng, base = np.random.default_rng(0), float(np.mean((forest.predict(x) - y) ** 2))
    found = []
    for j in range(len(names)):
        drops = []
        for _ in range(_REPEATS):
            shuffled = x.copy()
            shuffled[:, j] = rng.permutation(shuffled[:, j])
            drops.append(
                (float(np.mean((forest.predict(shuffled) - y) ** 2)) - base) / (2 * float(np.var(y)))
            )
        found.append((float(np.mean(drops)), float(np.quantile(drops, 0.95))))
    return names, found, float(forest.oob_score_)
