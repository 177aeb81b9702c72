"""Findings about noise and data: what the objective cannot tell, and columns that say too much or twice."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from satisfice.choose.bounds import number_text
from satisfice.understand.health.remedies import piece
from satisfice.understand.health.space import nothing_explains
from satisfice.understand.health.state import HealthFinding, StudyState

_ENOUGH = 8  # trials below which nothing is said
_FEW_ROWS = {"classification": 60, "regression": 40}  # to validate on
_WISHED_ROWS = 400
_MOST = 0.4  # share of the rows that is proposed for validation


def noise_limited(state: StudyState) -> Iterator[HealthFinding]:
    """Differences between trials are smaller than those between seeds, or nothing explains them."""
    if len(state.finished) < _ENOUGH:
        return
    metric, noise = state.objective.metric, state.seed_error
    deviation = float(np.std(state.losses, ddof=1))
    if noise is not None and 0 < deviation <= noise * _luck(len(state.finished)):
        said = (
            f"{metric} differs between trials by {number_text(deviation)} (a standard deviation), "
            f"and seeds alone make it differ by {number_text(noise)}"
        )
    elif noise is None and nothing_explains(state):
        said = (
            f"no parameter explains any of the spread of {metric} over {len(state.finished)} trials: "
            f"what differs looks like chance"
        )
    else:
        return
    yield HealthFinding(
        finding="noise_limited",
        subject=metric,
        evidence=said,
        remedy=piece(state.spec, search={"replicate": max(5, 2 * state.spec.search.replicate)}),
    )


def _luck(n: int) -> float:
    """The ratio to which chance lifts the deviation of n equal trials, once in twenty times (Fisher's F)."""
    from scipy.stats import chi2  # slow to import

    return math.sqrt(float(chi2.ppf(0.95, n - 1)) / (n - 1))


def small_validation(state: StudyState) -> Iterator[HealthFinding]:
    """Too few validation rows to tell the trials apart."""
    facts, data = state.facts, state.spec.data
    if facts is None or data is None or data.folds is not None or len(state.finished) < 2:
        return
    n, error = facts.rows["valid"], state.row_error
    task = "classification" if error is not None else "regression"
    blind = error is not None and len(state.finished) >= _ENOUGH and error > 1.5 * state.spread
    if n >= _FEW_ROWS[task] and not (blind and n < _WISHED_ROWS):
        return
    said = f"{n} rows validate"
    if error is not None:
        said += (
            f": chance alone moves {state.objective.metric} by {number_text(error)}, "
            f"and the best trial is {number_text(state.spread)} ahead of the median one"
        )
    total = sum(facts.rows.values())
    share = max(min(_WISHED_ROWS / total, _MOST), min(data.valid * 1.5, _MOST))
    share = float(f"{max(share, data.valid + 0.01):.2g}")
    if share + data.test >= 0.95:
        return
    yield HealthFinding(
        finding="small_validation",
        subject="data.valid",
        evidence=said,
        remedy=piece(state.spec, data={"valid": share}),
    )


def leaks(state: StudyState) -> Iterator[HealthFinding]:
    """Columns that predict the target almost alone."""
    data = state.spec.data
    if state.facts is None or data is None:
        return
    for leak in state.facts.leaks:
        yield HealthFinding(
            finding="leak",
            subject=leak.column,
            evidence=f"alone it goes {leak.alone:.0%} of the way from a guess to perfect {leak.metric}, "
            f"all other columns together {max(leak.rest, 0):.0%}: it may say what is only known afterwards",
            remedy=piece(state.spec, data={"drop": [*data.drop, leak.column]}),
        )


def duplicate_columns(state: StudyState) -> Iterator[HealthFinding]:
    """Columns that tell what another one tells."""
    data = state.spec.data
    if state.facts is None or data is None:
        return
    for copy in state.facts.copies:
        yield HealthFinding(
            finding="duplicate_column",
            subject=copy.column,
            evidence=f"it tells the same as {copy.of} in every training row",
            remedy=piece(state.spec, data={"drop": [*data.drop, copy.column]}),
        )


def missing_classes(state: StudyState) -> Iterator[HealthFinding]:
    """Folds without a row of some class."""
    facts, data = state.facts, state.spec.data
    if facts is None or data is None:
        return
    for fold, classes in facts.missing.items():
        shown = ", ".join(classes[:3]) + (f" and {len(classes) - 3} more" if len(classes) > 3 else "")
        shares = facts.shares or {"valid": min(data.valid * 2, _MOST), "test": min(data.test * 2, _MOST)}
        if data.folds is not None:
            shares = {"test": shares["test"]}
        yield HealthFinding(
            finding="missing_class",
            subject=fold,
            evidence=f"no row of class {shown} is in the {fold} fold"
            + (", since the split goes by time" if facts.by_time else ""),
            remedy=piece(state.spec, data=shares),
        )
