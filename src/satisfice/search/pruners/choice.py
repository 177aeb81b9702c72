"""Which rule the pruner `auto` goes by."""

from __future__ import annotations

from satisfice.search.protocol import Pruner, SearchProblem
from satisfice.search.pruners.auto import AutoPruner
from satisfice.search.pruners.folds import FoldPruner


def auto(problem: SearchProblem) -> Pruner:
    """By the folds where trials are cross-validated, else by the curves of their training."""
    return AutoPruner(problem) if problem.folds is None else FoldPruner(problem)
