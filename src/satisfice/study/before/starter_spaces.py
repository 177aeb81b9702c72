"""Families and search spaces that a study file starts from."""

from __future__ import annotations

FEW_ROWS = 300  # below it a linear model is proposed: trees on so few rows mostly learn noise

_LINEAR = (
    'penalty = ["l2", "l1", "elastic_net"]                     # l1 leaves columns out',
    "alpha = { low = 1e-4, high = 10.0, log = true }           # strength of the penalty",
    'l1_ratio = { low = 0.05, high = 0.95, when = { penalty = ["elastic_net"] } }',
)
_BOOSTING = (
    "rounds = { low = 10, high = 300, log = true }             # trees; they decide size and latency",
    "learning_rate = { low = 0.01, high = 0.5, log = true }",
    "max_depth = { low = 1, high = 8 }",
    "min_samples_leaf = { low = 1, high = %d, log = true }",
    "max_features = { low = 0.2, high = 1.0, step = 0.1 }      # share of the columns for each split",
    "l2 = { low = 1e-3, high = 100.0, log = true }             # penalty on the values of leaves",
)
_MOST_LEAF_ROWS = 50
_LEAVES = 20  # that the training rows fill at least

_OTHERS = {
    "linear": "boosting, forest (trees), mlp (a network)",
    "boosting": "linear (the smallest), forest (trees), mlp (a network)",
}


def family_lines(family: str, *, positive_class: bool) -> tuple[str, ...]:
    """The table ``[model]``.

    Args:
        family: Its name.
        positive_class: Whether the rarer of two classes is looked for: then the threshold is fitted.
    """
    lines = [
        "[model]",
        f'family = "{family}"            # others: {_OTHERS[family]}',
    ]
    if positive_class:
        lines.append(
            'threshold = "auto"             # fitted to the validation rows, for the first objective'
        )
    return tuple(lines)


def space_lines(family: str, *, rows: int) -> tuple[str, ...]:
    """The table ``[space]``.

    Args:
        family: Its name.
        rows: Of the table.
    """
    if family == "linear":
        return ("[space]", *_LINEAR)
    leaf = max(2, min(_MOST_LEAF_ROWS, rows // _LEAVES))
    return ("[space]", *(line % leaf if "%d" in line else line for line in _BOOSTING))
