"""What share of the space fits, by sampling, without training."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satisfice.choose import asked
from satisfice.choose.questions.unseen import as_tight
from satisfice.results.check import CheckResult, ConstraintShare, ProfileShare
from satisfice.results.profiles import ProfileQuestion
from satisfice.spec.constraint import Constraint, none_violated, violations
from satisfice.spec.metric import METRICS, Known
from satisfice.spec.profile import Profile
from satisfice.spec.space import SearchSpace
from satisfice.spec.study import StudySpec
from satisfice.study.lifecycle.screening import is_of_configuration
from satisfice.study.measuring.evaluator import Evaluator

_ARCHITECTURES = 12  # that are worth measuring for a first answer
_BINS = 8
_Z = 1.959963984540054  # of the normal distribution's 97.5%
_BROKEN = ""  # the key, which no constraint has, of a configuration that cannot be built


def check_space(
    evaluator: Evaluator,
    *,
    n: int = 1000,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> CheckResult:
    """Draw configurations and ask what is known of them before training.

    Exact metrics are asked for every draw; what must be measured, for a few of those that fit the exact ones.

    Raises:
        Exception: What the task's own code raised, where it raised for every configuration.
    """
    spec = evaluator.spec
    rng = np.random.default_rng(seed)
    drawn = [spec.space.sample(rng) for _ in range(n)]
    raised: list[Exception] = []

    def ask(
        known: Callable[[Mapping[str, Any]], dict[str, float]], params: Mapping[str, Any]
    ) -> dict[str, float]:
        try:
            return violations(spec.bounds, known(params))
        except Exception as error:
            if not is_of_configuration(error):
                raise
            raised.append(error)
            return {_BROKEN: math.inf}

    def cheap(params: Mapping[str, Any]) -> dict[str, float]:
        return evaluator.exact(params) | evaluator.decided_by_bounds(params, spec.bounds)

    exact = []
    for i, params in enumerate(drawn):
        exact.append(ask(cheap, params))
        if progress is not None:
            progress(i + 1)
    if len(raised) == n:
        raise raised[0]
    own = [_of(spec.constraints, found) for found in exact]
    fits = [i for i, found in enumerate(own) if none_violated(found)]
    timed = {i: ask(evaluator.before, drawn[i]) for i in _to_time(evaluator, drawn, fits)}
    shares = [_share(spec.space, drawn, c.key, exact, timed) for c in spec.constraints]
    shares = [
        s if s.share is not None else replace(s, unknown=_unknown(evaluator, c, bool(fits)))
        for s, c in zip(shares, spec.constraints, strict=True)
    ]
    together, low, high = _together(spec.constraints, exact, timed)
    at_most = any(s.share is None or s.at_most for s in shares)
    return CheckResult(
        samples=n,
        together=together,
        low=low,
        high=high,
        at_most=at_most,
        constraints=shares,
        broken=len(raised),
        broken_by=f"{type(raised[0]).__name__}: {raised[0]}" if raised else None,
        profiles=[_profile(spec, p, exact, timed) for p in spec.profiles],
    )


def _of(constraints: Sequence[Constraint], found: Mapping[str, float]) -> dict[str, float]:
    """Violations of these constraints among others, and whether the configuration can be built."""
    keys = {_BROKEN, *(c.key for c in constraints)}
    return {key: violation for key, violation in found.items() if key in keys}


def _together(
    constraints: Sequence[Constraint],
    exact: Sequence[Mapping[str, float]],
    timed: Mapping[int, Mapping[str, float]],
) -> tuple[float, float, float]:
    """Share of the space that meets all constraints, as far as is known, and the ends of its interval."""
    fits = [i for i, found in enumerate(exact) if none_violated(_of(constraints, found))]
    share, (low, high) = len(fits) / len(exact), wilson(len(fits), len(exact))
    measured = [none_violated(_of(constraints, timed[i])) for i in fits if i in timed]
    if not measured or all(
        c.key in exact[i] for i in fits for c in constraints
    ):  # nothing is left to measure
        return share, low, high
    # Of those that fit what is exact; the product of two intervals' ends holds both.
    some = wilson(sum(measured), len(measured))
    return share * float(np.mean(measured)), low * some[0], high * some[1]


def _profile(
    spec: StudySpec,
    profile: Profile,
    exact: Sequence[Mapping[str, float]],
    timed: Mapping[int, Mapping[str, float]],
) -> ProfileShare:
    question = asked(spec, profile.name)
    share, low, high = _together(question.constraints, exact, timed)
    fitting = [i for i, found in enumerate(exact) if none_violated(_of(question.constraints, found))]
    known = [found for found in exact if _BROKEN not in found]
    known += [timed[i] for i in fitting if i in timed]  # what must be measured is known of these alone
    sure = all(any(c.key in found for found in known) for c in question.constraints)
    partly = any(0 < sum(c.key in found for found in exact) < len(exact) for c in question.constraints)
    return ProfileShare(
        profile=profile.name,
        constraints=[c.key for c in profile.constraints],
        chosen_by=ProfileQuestion.of(question).preference,
        share=share,
        low=low,
        high=high,
        at_most=not sure or partly,
        idle=[c.key for c in profile.constraints if any(as_tight(o, c) for o in spec.constraints)],
    )


def wilson(successes: int, n: int) -> tuple[float, float]:
    """The 95% interval of a share (Wilson 1927): it holds near 0 and 1 too, and for few draws.

    >>> wilson(0, 12)
    (0.0, 0.24249400665524085)
    """
    z2 = _Z**2
    centre = (successes + z2 / 2) / (n + z2)
    half = _Z / (n + z2) * math.sqrt(successes * (n - successes) / n + z2 / 4)
    return (
        0.0 if successes == 0 else max(0.0, centre - half),
        1.0 if successes == n else min(1.0, centre + half),
    )


def _to_time(evaluator: Evaluator, drawn: Sequence[dict[str, Any]], fits: Sequence[int]) -> list[int]:
    """Draws that are timed: the first ones, as long as they are of few architectures, each measured once.

    Later draws of the same architectures are left out: without those of others the share would be biased.
    """
    if not evaluator.times:
        return []
    chosen: list[int] = []
    architectures: set[str] = set()
    for i in fits:
        architectures.add(evaluator.architecture(drawn[i]))
        if len(architectures) > _ARCHITECTURES:
            break
        chosen.append(i)
    return chosen


def _share(
    space: SearchSpace,
    drawn: Sequence[dict[str, Any]],
    key: str,
    exact: Sequence[dict[str, float]],
    timed: dict[int, dict[str, float]],
) -> ConstraintShare:
    known = sum(key in e for e in exact)
    # Of trees and forests only the configurations that surely miss are known: the others may fit.
    # What could not be built is neither.
    found = {i: e.get(key, 0.0) for i, e in enumerate(exact) if _BROKEN not in e} if known else {}
    measured = not found
    if measured:
        found = {i: t[key] for i, t in timed.items() if key in t}
    if not found:
        return ConstraintShare(constraint=key, share=None, driver=None, samples=0)
    values = np.array(list(found.values()))
    share = float((values <= 0).mean())
    driver = _driver(space, [drawn[i] for i in found], values) if len(values) > 3 * _BINS else None
    at_most = 0 < known < len(exact)
    low, high = wilson(int((values <= 0).sum()), len(values))
    return ConstraintShare(
        constraint=key,
        share=share,
        driver=driver,
        samples=len(values),
        low=low,
        high=high,
        measured=measured,
        at_most=at_most,
    )


def _unknown(evaluator: Evaluator, constraint: Constraint, some_fit: bool) -> str:
    """Why nothing is known of a constraint before training."""
    metric = METRICS.get(constraint.metric)
    if metric is not None and metric.known is Known.UNTRAINED:
        if not evaluator.measures:
            return f"measured by workers of the label {evaluator.spec.measure.on!r} only"
        if not some_fit:
            return "not measured, since no configuration drawn fits the bounds that cost nothing to check"
    return "known only after training"


def _driver(space: SearchSpace, drawn: Sequence[dict[str, Any]], values: NDArray[np.float64]) -> str | None:
    """The parameter whose bins explain most of the violation's variance (correlation ratio, on ranks)."""
    ranks = np.argsort(np.argsort(values)).astype(float)
    if np.ptp(values) == 0:
        return None
    best: tuple[float, str | None] = (0.0, None)
    for p in space:
        active = [i for i, params in enumerate(drawn) if p.name in params]
        if len(active) < 2 * _BINS:
            continue
        y = ranks[active]
        bins = _bins([drawn[i][p.name] for i in active])
        between = sum((bins == b).sum() * (y[bins == b].mean() - y.mean()) ** 2 for b in np.unique(bins))
        explained = float(between / max(((y - y.mean()) ** 2).sum(), 1e-12)) * len(active) / len(drawn)
        best = max(best, (explained, p.name), key=lambda e: e[0])
    return best[1]


def _bins(values: Sequence[Any]) -> NDArray[np.int_]:
    if all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        order = np.argsort(np.argsort(np.array(values, float), kind="stable"), kind="stable")
        distinct = np.unique(values)
        if len(distinct) > _BINS:
            return np.asarray(order * _BINS // len(values))
        return np.asarray(np.searchsorted(distinct, values))
    codes = {v: i for i, v in enumerate(dict.fromkeys(values))}
    return np.array([codes[v] for v in values])
