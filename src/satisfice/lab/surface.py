"""A slice through the loss around a trained network, along two filter-normalised directions. Imports torch.

Li, Xu, Taylor, Studer and Goldstein 2018, "Visualizing the loss landscape of neural nets": a random direction
is scaled filter by filter (in a linear layer row by row) to the norm of the trained weights, so that slices
of different networks can be compared; biases and batch normalisation stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from satisfice.train.networks.network import from_arrays

if TYPE_CHECKING:
    from satisfice.train.family_task import FamilyTask

POINTS = 17  # along each direction; odd, so that the solution itself is in the middle
REACH = 1.0  # the ends of both directions, in norms of the weights
_MOST_ROWS = 1024  # of the training fold


def surface_of(
    task: FamilyTask,
    params: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    seed: int,
    between: Callable[[], None],
) -> dict[str, Any]:
    """The mean loss of training rows, in evaluation mode, at ``POINTS`` x ``POINTS`` points.

    Args:
        task: A torch family bound to its data.
        params: The configuration.
        arrays: The trained tensors.
        seed: Of the directions.
        between: Called between points; may raise to stop.

    Returns:
        ``at`` (the points of a direction), ``loss`` (rows along the second direction), and ``sharpness``:
        the mean rise of the loss at a quarter of the reach.
    """
    module = from_arrays(task.shipped_plan(params), arrays)  # type: ignore[attr-defined]  # a torch family's
    splits = task.splits_of(params)
    x = torch.from_numpy(splits.train.x[:_MOST_ROWS])
    y = torch.from_numpy(splits.train.z[:_MOST_ROWS])
    criterion: nn.Module = nn.CrossEntropyLoss() if splits.n_classes else nn.MSELoss()
    y = y if splits.n_classes else y.float().unsqueeze(1)
    solution = {name: p.detach().clone() for name, p in module.named_parameters()}
    draw = torch.Generator().manual_seed(seed)
    first, second = _direction(solution, draw), _direction(solution, draw)
    at = np.linspace(-REACH, REACH, POINTS)
    loss = np.empty((POINTS, POINTS))
    with torch.inference_mode():
        for i, b in enumerate(at):
            between()
            for j, a in enumerate(at):
                for name, p in module.named_parameters():
                    p.data = solution[name] + float(a) * first[name] + float(b) * second[name]
                loss[i, j] = float(criterion(module(x), y))
    middle, step = POINTS // 2, POINTS // 8
    ring = [loss[middle + i, middle + j] for i, j in ((0, step), (0, -step), (step, 0), (-step, 0))]
    return {
        "at": at.tolist(),
        "loss": loss.tolist(),
        "sharpness": float(np.mean(ring) - loss[middle, middle]),
    }


def _direction(solution: Mapping[str, Tensor], draw: torch.Generator) -> dict[str, Tensor]:
    """A random direction, each filter as long as the one of the solution; zero for vectors."""
    found = {}
    for name, weight in solution.items():
        step = torch.randn(weight.shape, generator=draw)
        if weight.ndim < 2:
            found[name] = torch.zeros_like(weight)
            continue
        axes = tuple(range(1, weight.ndim))
        norms = step.norm(dim=axes, keepdim=True).clamp_min(1e-12)
        found[name] = step / norms * weight.norm(dim=axes, keepdim=True)
    return found
