"""L-BFGS on the whole training fold (Liu and Nocedal 1989). Imports torch.

Its line search meets the strong Wolfe conditions (Nocedal and Wright 2006, section 3.1). What a
line search minimises must be one function: penalties are part of the loss here, and all evaluations of an
epoch leave out the same units where there is dropout. The next epoch then minimises another function, so the
curvature seen before is forgotten.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

ITERATIONS = 4  # of L-BFGS in one epoch
_HISTORY = 10  # pairs of steps and differences of gradients that stand for the curvature


def make_lbfgs(module: nn.Module) -> torch.optim.LBFGS:
    """The optimizer; the line search finds the length of each step."""
    return torch.optim.LBFGS(
        module.parameters(),
        lr=1.0,
        max_iter=ITERATIONS,
        history_size=_HISTORY,
        line_search_fn="strong_wolfe",
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class FullBatch:
    """What one epoch minimises."""

    module: nn.Module
    loss: Callable[[], Tensor]  # of the whole training fold, without penalties
    weights: Sequence[Tensor]  # that penalties act on
    l1: float
    l2: float
    evaluated: Callable[[], None]  # called after each evaluation

    def epoch(self, optimizer: torch.optim.Optimizer) -> float:
        """Up to `ITERATIONS` iterations; returns the loss that they end at, without penalties."""
        random = _Random(next(self.module.parameters()).device)

        def closure() -> Tensor:
            random.rewind()
            optimizer.zero_grad(set_to_none=True)
            total = self.loss() + self._penalty()
            total.backward()  # type: ignore[no-untyped-call]  # torch's
            self.evaluated()
            return total

        optimizer.step(closure)  # type: ignore[arg-type]  # a tensor serves as the number it asks for
        random.rewind()
        with torch.no_grad(), _exact_statistics(self.module):
            return self.loss().item()

    def _penalty(self) -> Tensor | float:
        total: Tensor | float = 0.0
        for weight in self.weights:
            if self.l1 > 0:
                total = total + self.l1 * weight.abs().sum()
            if self.l2 > 0:
                total = total + 0.5 * self.l2 * weight.square().sum()
        return total


class _Random:
    """The random state, to draw the same numbers again."""

    def __init__(self, device: torch.device) -> None:
        self._device = device if device.type == "cuda" else None
        self._cpu = torch.get_rng_state()
        self._gpu = None if self._device is None else torch.cuda.get_rng_state(self._device)

    def rewind(self) -> None:
        torch.set_rng_state(self._cpu)
        if self._gpu is not None:
            torch.cuda.set_rng_state(self._gpu, self._device)  # type: ignore[arg-type]  # given with it


@contextlib.contextmanager
def _exact_statistics(module: nn.Module) -> Iterator[None]:
    """Inside, a pass gives batch norm the statistics of all that is passed, not a moving average."""
    norms = [part for part in module.modules() if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d)]
    momenta = [part.momentum for part in norms]
    for part in norms:
        part.momentum = 1.0
    try:
        yield
    finally:
        for part, momentum in zip(norms, momenta, strict=True):
            part.momentum = momentum
