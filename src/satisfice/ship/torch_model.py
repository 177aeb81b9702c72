"""Predictions of a torch module. Imports torch."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn


def predict(
    module: nn.Module, x: NDArray[np.float32], *, classify: bool, chunk: int = 1024
) -> NDArray[np.float64]:
    """Probabilities (n, k), or values (n,) for regression, on the device where the module lies.

    Args:
        module: In evaluation mode.
        x: Prepared items.
        classify: Whether the outputs are logits of classes.
        chunk: Items at a time, to bound memory.
    """
    device = next(module.parameters()).device
    parts = []
    with torch.inference_mode():
        for rows in torch.split(torch.from_numpy(x), chunk):
            out = module(rows.to(device)).double()
            parts.append((out.softmax(dim=1) if classify else out[:, 0]).cpu())
    joined: NDArray[np.float64] = torch.cat(parts).numpy()
    return joined
