"""DeferredTimer: what an interval says about a bound."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.errors import InputError
from satisfice.measure import Measurement, Verdict, meets_bound
from satisfice.spec.constraint import Constraint, parse_clause


def measured(low: float, value: float, high: float, metric: str = "latency_ms") -> Measurement:
    return Measurement(
        metric=metric,
        value=value,
        low=low,
        high=high,
        samples=10,
        seconds=0.1,
        p95=high,
        host="abc",
        threads=1,
        batch=1,
        quality="quick",
        measured_at=datetime(2026, 1, 2, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("clause", "interval", "verdict"),
    [
        ("latency_ms <= 2", (1.0, 1.5, 1.9), Verdict.FITS),
        ("latency_ms <= 2", (1.0, 1.5, 2.0), Verdict.FITS),
        ("latency_ms < 2", (1.0, 1.5, 2.0), Verdict.TOO_CLOSE),
        ("latency_ms <= 2", (2.0, 2.1, 2.2), Verdict.TOO_CLOSE),
        ("latency_ms < 2", (2.0, 2.1, 2.2), Verdict.DOES_NOT_FIT),
        ("latency_ms <= 2", (2.1, 2.2, 2.3), Verdict.DOES_NOT_FIT),
        ("latency_ms >= 2", (2.1, 2.2, 2.3), Verdict.FITS),
        ("latency_ms >= 2", (1.0, 1.5, 1.9), Verdict.DOES_NOT_FIT),
        ("latency_ms > 2", (2.0, 2.0, 2.5), Verdict.TOO_CLOSE),
        ("latency_ms <= 0", (0.0, 0.1, 0.2), Verdict.TOO_CLOSE),
        ("latency_ms < 0", (0.0, 0.1, 0.2), Verdict.DOES_NOT_FIT),
        ("latency_ms >= 0", (0.0, 0.1, 0.2), Verdict.FITS),
        ("latency_ms <= -1", (0.0, 0.1, 0.2), Verdict.DOES_NOT_FIT),
        ("latency_ms > -1", (0.0, 0.1, 0.2), Verdict.FITS),
        ("latency_us <= 2000", (1.0, 1.5, 1.9), Verdict.FITS),
        ("latency_us <= 1600", (1.0, 1.5, 1.9), Verdict.TOO_CLOSE),
        ("latency_s <= 0.0005", (1.0, 1.5, 1.9), Verdict.DOES_NOT_FIT),
    ],
)
def test_verdict(clause: str, interval: tuple[float, float, float], verdict: Verdict) -> None:
    assert measured(*interval).verdict(parse_clause(clause)) is verdict


def test_a_bound_on_another_quantity_is_refused() -> None:
    with pytest.raises(InputError, match="says nothing about size_mb"):
        measured(1, 2, 3).verdict(parse_clause("size_mb <= 1"))


def test_too_close_is_judged_by_the_value() -> None:
    assert meets_bound(measured(1.8, 1.9, 2.2), parse_clause("latency_ms <= 2"))
    assert not meets_bound(measured(1.8, 2.1, 2.2), parse_clause("latency_ms <= 2"))
    assert meets_bound(measured(1.8, 1.9, 2.2), parse_clause("latency_us <= 2000"))
    assert not meets_bound(measured(1.8, 2.0, 2.2), parse_clause("latency_ms < 2"))


numbers = st.floats(-100, 100)


@given(
    st.lists(numbers, min_size=3, max_size=3).map(sorted),
    numbers,
    st.sampled_from(["<=", "<", ">=", ">"]),
)
def test_a_clear_verdict_holds_for_every_value_of_the_interval(ends, bound, operator) -> None:
    low, value, high = ends
    constraint = Constraint(metric="latency_ms", operator=operator, bound=bound)
    one = measured(low, value, high)
    met = {constraint.satisfied(v) for v in (low, value, high, (low + value) / 2, (value + high) / 2)}
    if one.verdict(constraint) is not Verdict.TOO_CLOSE:
        assert met == {one.verdict(constraint) is Verdict.FITS}
        assert meets_bound(one, constraint) is (one.verdict(constraint) is Verdict.FITS)
    else:
        assert meets_bound(one, constraint) is constraint.satisfied(value)


@given(st.lists(st.floats(0, 1e6), min_size=3, max_size=3).map(sorted))
def test_json_and_back(ends) -> None:
    one = measured(*ends)
    assert Measurement.from_dict(json.loads(json.dumps(one.to_dict()))) == one


def test_an_interval_without_its_value_is_refused() -> None:
    with pytest.raises(ValueError, match="outside its interval"):
        measured(2, 1, 3)


def test_units() -> None:
    one = measured(1, 2, 3).to_unit("latency_us")
    assert (one.metric, one.low, one.value, one.high, one.p95) == ("latency_us", 1000, 2000, 3000, 3000)
    assert measured(1, 2, 3).relative_error == 0.5
