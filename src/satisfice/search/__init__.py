"""Search: what to train next, and what to stop. Imports no torch; methods are loaded on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from satisfice.search.interop.pruner import SatisficePruner
    from satisfice.search.interop.sampler import SatisficeSampler

__all__ = [
    "PRUNERS",
    "SAMPLERS",
    "Decision",
    "History",
    "Proposal",
    "Pruner",
    "Sampler",
    "SatisficePruner",
    "SatisficeSampler",
    "Screen",
    "Screened",
    "SearchProblem",
]


def __getattr__(name: str) -> Any:
    """The parts for other people's Optuna studies, imported on first use: few programs need them."""
    if name == "SatisficeSampler":
        from satisfice.search.interop.sampler import SatisficeSampler

        return SatisficeSampler
    if name == "SatisficePruner":
        from satisfice.search.interop.pruner import SatisficePruner

        return SatisficePruner
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names too, before they are loaded."""
    return sorted({*globals(), *__all__})
