"""Search: what to train next, and what to stop. Imports no torch; methods are loaded on first use."""

from __future__ import annotations

from satisfice.search.history import History
from satisfice.search.protocol import (
    PRUNERS,
    SAMPLERS,
    Decision,
    Proposal,
    Pruner,
    Sampler,
    Screen,
    Screened,
    SearchProblem,
)

__all__ = [
    "PRUNERS",
    "SAMPLERS",
    "Decision",
    "History",
    "Proposal",
    "Pruner",
    "Sampler",
    "Screen",
    "Screened",
    "SearchProblem",
]
