"""In which order terms become features: by frequency, by chi-squared, or by the L1 penalty.

Only training rows are looked at. Equal ones go by their spelling, so that every machine has the same order.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

Order = NDArray[np.int64]

_CANDIDATES = 20_000  # terms that the L1 penalty chooses from: the best by chi-squared
_STRENGTHS = 2.0 ** np.arange(-3, 9)  # inverse strengths of the L1 penalty, from few terms to many
_DIGITS = 6  # by which weights count as equal


def ranked(by: str, counts: Any, terms: list[str], target: NDArray[Any], *, classify: bool) -> Order:
    """Places of the terms, the best one first.

    Args:
        by: "frequency", "chi2" or "l1".
        counts: CSR (n, t).
        terms: What decides between equals, (t,).
        target: Codes of classes, or numbers; (n,).
        classify: Whether they are codes.
    """
    spelling = np.argsort(np.argsort(np.array(terms, dtype=object), kind="stable"), kind="stable")
    if by == "frequency":
        merit = np.bincount(counts.indices, minlength=len(terms)).astype(np.float64)
        return np.lexsort((spelling, -merit)).astype(np.int64)
    merit = _dependence(counts, target, classify=classify)
    order = np.lexsort((spelling, -np.round(merit, _DIGITS))).astype(np.int64)
    if by == "chi2":
        return order
    chosen = order[:_CANDIDATES]
    entered, weight = _path(_weighted(counts[:, chosen]), target, classify=classify)
    places = np.arange(len(chosen))  # those that never enter follow by chi-squared
    return np.concatenate([chosen[np.lexsort((places, -weight, entered))], order[_CANDIDATES:]])


def _dependence(counts: Any, target: NDArray[Any], *, classify: bool) -> NDArray[np.float64]:
    """Chi-squared of each term's presence, or the F statistic of a regression on it."""
    from sklearn.feature_selection import chi2, f_regression  # slow to import

    present = counts.copy()
    present.data = np.ones_like(present.data, dtype=np.float64)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        merit = chi2(present, target)[0] if classify else f_regression(present, target)[0]
    return np.nan_to_num(np.asarray(merit, np.float64), nan=0.0, posinf=np.finfo(np.float64).max)


def _weighted(counts: Any) -> Any:
    """Sparse features as models get them: logarithms times inverse document frequencies, of unit length."""
    from sklearn.preprocessing import normalize  # slow to import

    n = counts.shape[0]
    held = np.bincount(counts.indices, minlength=counts.shape[1])
    out = counts.astype(np.float64)
    out.data = np.log1p(out.data) * (np.log((1 + n) / (1 + held)) + 1)[out.indices]
    return normalize(out)


def _path(x: Any, target: NDArray[Any], *, classify: bool) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Of each term: at which strength it first has a weight, and how large that is there."""
    entered = np.full(x.shape[1], len(_STRENGTHS))
    weight = np.zeros(x.shape[1])
    for at, strength in enumerate(_STRENGTHS):
        found = np.round(_l1_weights(x, target, float(strength), classify=classify), _DIGITS)
        new = (found > 0) & (entered == len(_STRENGTHS))
        entered[new], weight[new] = at, found[new]
    return entered, weight


def _l1_penalty() -> dict[str, Any]:
    """As the installed scikit-learn names it: from 1.8 on by `l1_ratio` alone."""
    import sklearn  # slow to import

    version = tuple(int(part) for part in sklearn.__version__.split(".")[:2])
    return {"l1_ratio": 1.0} if version >= (1, 8) else {"penalty": "l1"}


def _l1_weights(x: Any, target: NDArray[Any], strength: float, *, classify: bool) -> NDArray[np.float64]:
    """The largest absolute weight of each term over the classes."""
    from sklearn.linear_model import Lasso, LogisticRegression  # slow to import

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not classify:
            centred = (target - target.mean()) / max(float(target.std()), 1e-300)
            alpha = 1 / (strength * x.shape[0])
            return np.asarray(np.abs(Lasso(alpha=alpha, max_iter=300).fit(x, centred).coef_))
        codes = np.unique(target)
        found = np.zeros(x.shape[1])
        for code in codes[1:] if len(codes) == 2 else codes:  # one class against the others
            estimator = LogisticRegression(
                C=strength, solver="liblinear", max_iter=100, random_state=0, **_l1_penalty()
            )
            found = np.maximum(found, np.abs(estimator.fit(x, target == code).coef_[0]))
    return found
