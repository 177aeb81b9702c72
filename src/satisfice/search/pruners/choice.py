"""The pruner `auto`: selects the rule for a study."""

from __future__ import annotations

from satisfice.search.protocol import Pruner, SearchProblem
from satisfice.search.pruners.auto import AutoPruner
from satisfice.search.pruners.folds import FoldPruner


def auto(problem: SearchProblem) -> Pruner:
    """Return `FoldPruner` for cross-validated studies, otherwise `AutoPruner`."""
    return AutoPruner(problem) if problem.folds is None else FoldPruner(problem)
