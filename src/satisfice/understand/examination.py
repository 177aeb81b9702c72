"""`examine`: all findings about a study, the gravest kinds first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from satisfice.understand.health import bounds, budget, data, space
from satisfice.understand.health.state import HealthFinding, StudyState

_RULES: Sequence[Callable[[StudyState], Iterator[HealthFinding]]] = (
    data.leaks,
    data.missing_classes,
    data.noise_limited,
    data.small_validation,
    bounds.too_tight,
    space.range_edges,
    budget.few_epochs,
    budget.budget_short,
    space.idle_parameters,
    bounds.never_binding,
    data.duplicate_columns,
    budget.budget_long,
    bounds.unbounded_production,
)


def examine(state: StudyState) -> list[HealthFinding]:
    """Every finding, in the order of the rules."""
    return [finding for rule in _RULES for finding in rule(state)]
