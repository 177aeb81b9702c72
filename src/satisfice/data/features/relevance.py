"""Which source columns say most about the target: greedy choice by conditional mutual information.

The first column is the one with the greatest mutual information with the target. Each further one is the
column c that maximises the least of I(c; y | s) over the columns s chosen before (CMIM: Fleuret 2004, JMLR 5;
Brown et al. 2012, JMLR 13, compare it with others). A copy of a chosen column says nothing beside it, and
comes late.

Numbers are counted in 3 to 8 equal parts of their distribution, so units and monotone transforms change
nothing; the more rows, the more parts. From each mutual information its bias is subtracted (Miller 1955):
columns of many rare values gain nothing by chance.

Notation: n rows, ``codes`` (n,) of a column from 0 on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from satisfice.data.features.table import TableEncoder

Codes = NDArray[np.int64]

_FEWEST, _MOST = 3, 8  # parts of a distribution
_IN_A_CELL = 5  # rows at least, on average, for each combination of three numbers
_MOST_ROWS = 10_000  # that are looked at


class ColumnOrder:
    """The source columns of a table, the most useful first; found as far as it is asked for.

    Args:
        encoder: Of the table.
        x: Its features of the training fold, (n, d).
        target: Codes of classes, or numbers, (n,).
        seed: Of the rows that are looked at where there are very many.
    """

    def __init__(
        self, encoder: TableEncoder, x: NDArray[np.float32], target: NDArray[np.generic], seed: int
    ) -> None:
        if len(x) > _MOST_ROWS:
            rows = np.sort(np.random.default_rng(seed).choice(len(x), _MOST_ROWS, replace=False))
            x, target = x[rows], target[rows]
        parts = int(np.clip((len(x) / _IN_A_CELL) ** (1 / 3), _FEWEST, _MOST))
        self._y = _packed(target.astype(np.int64) if target.dtype.kind in "iu" else _binned(target, parts))
        found: dict[str, tuple[float, Codes]] = {}
        for name, codes in _columns(encoder, x, parts):
            told = mutual_information(codes, self._y)
            if name not in found or told > found[name][0]:  # of a moment the part that tells most
                found[name] = told, codes
        self._codes = {name: codes for name, (_, codes) in found.items()}
        self._alone = {name: told for name, (told, _) in found.items()}
        self._beside = dict(self._alone)  # the least that each says beside one of the chosen
        self._chosen: list[str] = []

    def __len__(self) -> int:
        return len(self._codes)

    def first(self, k: int) -> list[str]:
        """The k most useful columns, or all where there are fewer; the first k - 1 are among them."""
        while len(self._chosen) < min(k, len(self)):
            rest = [name for name in self._codes if name not in self._chosen]
            best = max(rest, key=lambda name: self._beside[name])
            self._chosen.append(best)
            for name in rest:
                pair = _packed(self._codes[name] * (int(self._codes[best].max()) + 1) + self._codes[best])
                told = mutual_information(pair, self._y) - self._alone[best]
                self._beside[name] = min(self._beside[name], told)
        return self._chosen[:k]


def mutual_information(a: Codes, b: Codes) -> float:
    """I(a; b) in nats, its first-order bias subtracted."""
    n, width = len(a), int(b.max()) + 1
    joint = np.bincount(a * width + b, minlength=(int(a.max()) + 1) * width).reshape(-1, width)
    rows, columns = joint.sum(axis=1), joint.sum(axis=0)
    seen = joint > 0
    expected = np.outer(rows, columns)[seen] / n
    told = float((joint[seen] * np.log(joint[seen] / expected)).sum() / n)
    cells = int(seen.sum()) - int((rows > 0).sum()) - int((columns > 0).sum()) + 1
    return told - cells / (2 * n)


def _columns(encoder: TableEncoder, x: NDArray[np.float32], parts: int) -> list[tuple[str, Codes]]:
    """Source columns and parts of moments, as codes."""
    found, at = [], 0
    for column in encoder.columns:
        block = x[:, at : at + column.width]
        if column.categories is None:
            codes = _binned(block[:, 0], parts)
            if column.missing:
                codes = np.where(block[:, 1] > 0, parts, codes)
        else:
            codes = np.where(block.any(axis=1), block.argmax(axis=1) + 1, 0)
        found.append((column.name, _packed(codes)))
        at += column.width
    return found


def _binned(values: NDArray[np.generic], parts: int) -> Codes:
    """Numbers as equal parts of their distribution; equal numbers stay together."""
    edges = np.unique(np.quantile(values.astype(np.float64), np.arange(1, parts) / parts))
    return np.searchsorted(edges, values.astype(np.float64), side="right").astype(np.int64)


def _packed(codes: Codes) -> Codes:
    """The same codes without gaps."""
    return np.unique(codes, return_inverse=True)[1].reshape(-1).astype(np.int64)
