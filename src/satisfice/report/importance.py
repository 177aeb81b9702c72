"""Which parameters matter: to each metric, and to whether a trial fits.

Importance is the permutation importance (Breiman 2001) of a random forest fitted to the trials. A metric that
can be computed is computed for configurations drawn from the whole space instead: trials are what the search
liked, and what was turned away is not among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satisfice.report.computed import Computed
from satisfice.report.context import Absent, StudyView, drawn, finite
from satisfice.report.plot_data import wants_log
from satisfice.spec.distributions import scaled_raw
from satisfice.spec.trial import TrialState
from satisfice.surrogate.encoding import INACTIVE, Encoder
from satisfice.surrogate.metric_model import spread_out

Floats = NDArray[np.float64]

FEWEST = 8  # trials below which nothing is said
_MOST = 1000  # trials that a forest is fitted to, spread over the study
_DRAWN = 400  # configurations for which a metric is computed
_FEWEST_OF_EACH = 3  # trials that fit, and that do not


@dataclass(frozen=True, kw_only=True)
class Importances:
    """How much of a metric's spread each parameter explains."""

    metric: str
    shares: tuple[tuple[str, float], ...]  # largest first, summing to 1
    explained: float  # out-of-bag R2 of the forest: below about 0.3 the order is a guess
    n_trials: int
    computed: bool = False  # from configurations drawn for this, not from trials


def importances(view: StudyView, metric: str, computed: Computed | None = None) -> Importances | Absent:
    """Permutation importances of the parameters for one metric.

    Args:
        view: The study.
        metric: One of its metrics.
        computed: What can be computed.
    """
    title = f"What drives {metric}"
    if computed is not None and metric in computed.names:
        params = computed.drawn(_DRAWN)
        values = [computed.at(each).get(metric) for each in params]
        pairs = [
            (p, drawn(v)) for p, v in zip(params, values, strict=True) if v is not None and np.isfinite(v)
        ]
        rows: list[Any] = [p for p, _ in pairs]
        y = [v for _, v in pairs]
    else:
        measured = view.measured(metric)
        rows = [r.params for r in measured]
        y = [v for r in measured if (v := finite(r, metric)) is not None]
    if len(rows) < FEWEST:
        return Absent(title=title, sentence=too_few(metric, len(rows)))
    target = np.log10(y) if wants_log(metric, y) else np.array(y)
    if np.ptp(target) == 0:
        return Absent(title=title, sentence=f"{metric} is the same in every trial.")
    found = _ranked(view, rows, target / scale_of(target))
    if found is None:
        return Absent(title=title, sentence=f"No parameter explains the spread of {metric}.")
    is_computed = computed is not None and metric in computed.names
    return Importances(
        metric=metric, shares=found[0], explained=found[1], n_trials=len(rows), computed=is_computed
    )


def feasibility_importances(view: StudyView) -> Importances | Absent:
    """What decides whether a trial fits: of trials that have a verdict, those stopped at a bound too."""
    title = "What decides whether a trial fits"
    judged = [
        (r, fits) for r in view.records if r.state != TrialState.FAIL and (fits := view.fits(r)) is not None
    ]
    fitting = sum(fits for _, fits in judged)
    if min(fitting, len(judged) - fitting) < _FEWEST_OF_EACH:
        have = f"{fitting} fit and {len(judged) - fitting} do not"
        return Absent(title=title, sentence=f"Of the trials with a verdict {have}: too few to tell.")
    verdicts = np.array([float(fits) for _, fits in judged])
    found = _ranked(view, [r.params for r, _ in judged], verdicts)
    if found is None:
        return Absent(title=title, sentence="No parameter tells what fits from what does not.")
    return Importances(metric="fits", shares=found[0], explained=found[1], n_trials=len(judged))


def too_few(metric: str, n: int) -> str:
    """The sentence in place of a picture."""
    have = {0: "No trial has", 1: "Only one trial has"}.get(n, f"Only {n} trials have")
    return f"{have} a value of {metric}; at least {FEWEST} are needed."


def trust(found: Importances) -> str:
    """How far an order can be believed, in a sentence or two."""
    if found.computed:
        return f"Computed for {found.n_trials} configurations drawn from the space."
    share = f"{found.explained:.0%}"
    head = f"From {found.n_trials:,} trials. "
    if found.explained <= 0:
        return (
            head + "The parameters predict trials held out no better than the mean does: read this as noise."
        )
    if found.explained < 0.3:
        return (
            head
            + f"The parameters explain only {share} of the spread on trials held out: the order is a guess."
        )
    return head + f"The parameters explain {share} of the spread on trials held out."


def scale_of(values: Floats) -> float:
    """What to divide values by, so that they can be squared; 1 where they can as they are."""
    most = float(np.abs(values).max(initial=0.0))
    return most if most > 1e150 else 1.0


def design(view: StudyView, rows: Sequence[Any]) -> Floats:
    """Places of parameters in their ranges, 0 to 1, shape (rows, parameters); 0.5 where one is not active.

    The middle tells nothing: a split on another value would take its parent's credit.

    Args:
        view: The study.
        rows: Parameters of configurations.
    """
    encoder = Encoder(view.space)
    raw = np.array([encoder.raw(params) for params in rows]).reshape(len(rows), len(encoder.parameters))
    columns = [scaled_raw(p.numeric, raw[:, j]) for j, p in enumerate(encoder.parameters)]
    return np.nan_to_num(np.column_stack(columns), nan=INACTIVE) if columns else np.zeros((len(rows), 0))


def _ranked(
    view: StudyView, rows: Sequence[Any], y: Floats
) -> tuple[tuple[tuple[str, float], ...], float] | None:
    """Shares by parameter and what the forest explains; None where no parameter explains anything."""
    from sklearn.ensemble import RandomForestRegressor  # a second to import
    from sklearn.inspection import permutation_importance

    keep = spread_out(len(rows), _MOST)
    x, y = design(view, [rows[i] for i in keep]), y[keep]
    forest = RandomForestRegressor(n_estimators=100, min_samples_leaf=2, oob_score=True, random_state=0)
    forest.fit(x, y)  # with 100 trees every trial is out of some bag
    raw = permutation_importance(forest, x, y, n_repeats=5, random_state=0).importances_mean
    positive = np.maximum(raw, 0.0)
    total = positive.sum()
    if total == 0:
        return None
    order = np.argsort(-positive, kind="stable")
    names = view.space.names
    return tuple((names[i], float(positive[i] / total)) for i in order), float(forest.oob_score_)
