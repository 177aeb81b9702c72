"""The one judge of feasibility."""

from __future__ import annotations

import pytest

from satisfice.spec.constraint import feasibility, none_violated, violated


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
