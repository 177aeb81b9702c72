"""Training aware of weights that ship in four bits. Imports torch.

While a step is computed, every weight has the value that the file will hold; its gradient goes to the float
weight behind it, as if rounding were the identity (the straight-through estimator: Bengio, Léonard and
Courville 2013, arXiv:1308.3432; with quantization: Jacob et al. 2018, doi:10.1109/CVPR.2018.00286).

The file has batch normalisation folded in: each row of a weight times a factor of its own. A block of the
file lies in one row, so its scale has that factor too, and the whole numbers are those of the unfolded weight
(with the other sign where the factor is below zero): rounding commutes with folding, and the unfolded weight
is rounded.

All blocks of a network are rounded together, for each call to torch costs about as much as the arithmetic of
a small layer.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from satisfice.ship.onnx.precision import INT4_BLOCK, INT4_MOST

AWARE_SHARE = 1 / 3  # of the epochs, at their end; at least one epoch


def first_aware_epoch(epochs: int) -> int:
    """Epochs (0 to epochs - 1) that are trained before the part with rounded weights."""
    return epochs - max(round(AWARE_SHARE * epochs), 1)


class Int4Rounding:
    """Weights as an int4 file holds them, and back.

    Args:
        weights: Of shape (o, ...), the ones that a file rounds; all on one device.
    """

    def __init__(self, weights: Sequence[Tensor]) -> None:
        self._weights = list(weights)
        device = self._weights[0].device
        # A tensor: CUDA divides by a plain number by multiplying with its inverse, which rounds otherwise.
        self._steps = torch.tensor(float(INT4_MOST), device=device)
        # Apple's GPUs have no float64: there, what lies on a border may go to the other number.
        self._exact = torch.float32 if device.type == "mps" else torch.float64

    def rounded(self) -> list[Tensor]:
        """The values that the file holds, of the shapes of the weights.

        They are those of `satisfice.ship.onnx.precision.by_block` to the bit: divided in float64, multiplied
        in float32.
        """
        rows = [_in_blocks(weight.detach()) for weight in self._weights]
        blocks = torch.cat([row.reshape(-1, INT4_BLOCK) for row in rows])
        scale = blocks.abs().amax(dim=1, keepdim=True).div_(self._steps)
        scale.masked_fill_(scale == 0, 1.0)
        whole = blocks.to(self._exact).div_(scale).round_().clamp_(-INT4_MOST - 1, INT4_MOST)
        values = torch.split((whole.to(torch.int8) * scale).flatten(), [row.numel() for row in rows])
        return [
            part.view_as(row)[:, : weight[0].numel()].reshape(weight.shape).contiguous()
            for part, row, weight in zip(values, rows, self._weights, strict=True)
        ]

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Inside, the weights have the rounded values; after it, their own again, to the bit."""
        floats = [weight.data for weight in self._weights]
        for weight, values in zip(self._weights, self.rounded(), strict=True):
            weight.data = values
        try:
            yield
        finally:
            for weight, own in zip(self._weights, floats, strict=True):
                weight.data = own


def _in_blocks(weight: Tensor) -> Tensor:
    """Rows (o, n), with zeros behind where n is no multiple of a block."""
    rows = weight.flatten(1)
    lacking = -rows.shape[1] % INT4_BLOCK
    return nn.functional.pad(rows, (0, lacking)) if lacking else rows
