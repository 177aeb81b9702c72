"""Which constraints hold for a question, and which trials meet them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from satisfice.errors import InputError
from satisfice.registry import did_you_mean
from satisfice.spec.constraint import Constraint, none_violated, parse_clause
from satisfice.spec.metric import METRICS, convert
from satisfice.spec.trial import TrialRecord, TrialState

Clause = str | Constraint

# Optuna's tables hold this for a violation that is infinite, also that of NaN: no value is behind it.
BEYOND = 1e300


def _quantity(metric: str) -> str:
    known = METRICS.get(metric)
    return known.quantity if known is not None else metric


def merge_constraints(
    study_constraints: Iterable[Constraint], where: Clause | Sequence[Clause] = ()
) -> tuple[Constraint, ...]:
    """The study's constraints with those of a question.

    A clause replaces the study's bounds on the same quantity (``size_kb`` replaces ``size_mb``) and the same
    side, and is added otherwise. Several clauses on one side all hold; a single one needs no list.

    Raises:
        InputError: A clause is not written as ``"size_mb <= 8"``.
    """
    asked = [where] if isinstance(where, str | Constraint) else where
    clauses = [parse_clause(c) if isinstance(c, str) else c for c in asked]
    replaced = {(_quantity(c.metric), c.is_upper) for c in clauses}
    kept = [c for c in study_constraints if (_quantity(c.metric), c.is_upper) not in replaced]
    return tuple(dict.fromkeys([*kept, *clauses]))


def metric_value(record: TrialRecord, name: str) -> float | None:
    """A metric of the trial, converted from another unit of its quantity where needed; None if unknown."""
    value = record.metrics.get(name)
    return convert(record.metrics, [name]).get(name) if value is None else value


def number_text(value: float, digits: int = 4) -> str:
    """A number as a reader wants it: so many digits, thousands apart, no exponent where none is needed."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "infinite" if value > 0 else "minus infinite"
    whole = value.is_integer() or abs(value) >= 10**digits
    return f"{value:,.0f}" if whole and abs(value) < 1e12 else f"{value:.{digits}g}"


def share_text(share: float) -> str:
    """A share of a bound, for instance ``4%`` or ``120%``.

    >>> share_text(0.053), share_text(250.0)
    ('5.3%', '250 times the bound')
    """
    if share < 0.995:
        return f"{100 * share:.2g}%"
    return f"{100 * share:,.0f}%" if share < 100 else f"{share:.3g} times the bound"


def beside_bound(value: float, constraint: Constraint, digits: int = 4) -> str:
    """A metric as it is shown beside its bound: with enough digits that rounding does not change the verdict.

    >>> beside_bound(5.00001, Constraint(metric="x", operator="<=", bound=5.0))
    '5.00001'
    """
    for more in range(digits, 18) if math.isfinite(value) else ():
        text = number_text(value, more)
        if constraint.satisfied(float(text.replace(",", ""))) == constraint.satisfied(value):
            return text
    return repr(value) if math.isfinite(value) else number_text(value)


def beside(value: float, constraints: Iterable[Constraint]) -> str:
    """A metric as it is shown beside all the bounds on it, of which there may be none."""
    return max([number_text(value), *(beside_bound(value, c) for c in constraints)], key=len)


def trial_violations(record: TrialRecord, constraints: Iterable[Constraint]) -> dict[str, float]:
    """Violation by constraint key, ``inf`` where nothing is known of it.

    The verdict written with the trial is read where there is one; a bound that a question brings is judged on
    the recorded metric.
    """
    out: dict[str, float] = {}
    for constraint in constraints:
        stored = record.violations.get(constraint.key)
        if stored is None:
            value = metric_value(record, constraint.metric)
            stored = math.inf if value is None else constraint.violation(value)
        out[constraint.key] = stored
    return out


def meets(record: TrialRecord, constraints: Iterable[Constraint]) -> bool:
    """Whether every constraint is known for the trial and met."""
    return none_violated(trial_violations(record, constraints))


def feasible_trials(
    records: Sequence[TrialRecord], constraints: Iterable[Constraint], where: Sequence[Clause] = ()
) -> list[TrialRecord]:
    """COMPLETE trials that meet the study's constraints merged with ``where``, in the order given.

    Raises:
        InputError: A clause is malformed or names a metric that no trial has.
    """
    asked = merge_constraints(constraints, where)
    check_metrics(records, [c.metric for c in asked], known=[c.metric for c in constraints])
    return [r for r in records if r.state == TrialState.COMPLETE and meets(r, asked)]


def check_metrics(records: Sequence[TrialRecord], names: Iterable[str], *, known: Iterable[str] = ()) -> None:
    """Refuse a metric that no trial has and the study does not name.

    Args:
        records: All trials of the study.
        names: Metrics that a question names.
        known: Metrics that the study itself names: right even before any trial has them.

    Raises:
        InputError: Says the nearest name.
    """
    named = set(known)
    recorded = {name for r in records for name in convert(r.metrics)}
    for name in names:
        if name in named or name in recorded or any(metric_value(r, name) is not None for r in records):
            continue
        if not recorded and name in METRICS:
            continue  # nothing has been measured yet; the name as such is right
        hint = did_you_mean(name, sorted(recorded | named)) if recorded | named else "no trial has finished"
        raise InputError(f"no trial has a metric {name!r}", hint=hint)
