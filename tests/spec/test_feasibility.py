"""The one judge of feasibility."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.spec.constraint import Constraint, Operator, feasibility, none_violated, violated


@pytest.mark.parametrize(
    ("found", "constraints", "feasible"),
    [
        ({}, 0, True),
        ({}, 1, None),
        ({"a": 0.0}, 1, True),  # met exactly
        ({"a": -1.0}, 2, None),  # the other one is not known
        ({"a": -1.0, "b": 1e-12}, 2, False),
        ({"b": 0.5}, 2, False),  # a violation is final
    ],
)
def test_feasibility(found: dict[str, float], constraints: int, feasible: bool | None) -> None:
    assert feasibility(found, constraints) is feasible


def test_what_is_violated_keeps_its_order() -> None:
    assert violated({"c": 1.0, "a": 0.0, "b": 2.0}) == ["c", "b"]
    assert none_violated({"a": 0.0, "b": -1.0})
    assert not none_violated({"a": 0.0, "b": 1e-12})


@given(
    operator=st.sampled_from(["<=", "<", ">=", ">"]),
    bound=st.floats(allow_nan=False, allow_infinity=False),
    values=st.lists(st.floats(), max_size=8),
)
def test_many_values_violate_as_each_does(operator: Operator, bound: float, values: list[float]) -> None:
    c = Constraint(metric="x", operator=operator, bound=bound)
    values.append(bound)
    assert c.violation_each(np.array(values)).tolist() == [c.violation(v) for v in values]
