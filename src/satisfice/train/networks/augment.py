"""Images altered at random while a network trains, so that it learns what stays. Imports torch.

One strength a from 0 to 1 says how much, drawn anew for each image and step:

- flips: mirrored with probability min(a, 1/2)
- crops: a part whose side is at least 1 - a/2 of the image's, brought to the image's size
- shifts: moved by at most a/4 of the side, either way; the border is repeated
- colour: contrast times 1 ± a/2, brightness ± a/2, each channel ± a/5, in spreads of the channel
- mixup: two images blended, the share drawn from Beta(0.4 a, 0.4 a), and their losses in the same shares
  (Zhang et al. 2018, arXiv:1710.09412)

Everything is drawn on the CPU from a generator of its own, so that a training without it draws what it always
drew, and one that is taken up again goes on to the bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

_STREAM = 0xA06  # that tells its generator from the others of a seed
_MOST_SHIFT, _MOST_CROP, _MOST_COLOUR, _MOST_TINT = 0.25, 0.5, 0.5, 0.2
_MIXUP = 0.4  # alpha of the paper, at full strength


class Augmentation:
    """What is done to the batches of one training.

    Args:
        values: Of every hyperparameter.
        seed: Of the trial.
    """

    def __init__(self, values: Mapping[str, Any], seed: int) -> None:
        self._strength = float(values["augment"])
        self._flips: str = values["augment_flips"]
        self._shifts = bool(values["augment_shifts"])
        self._crops = bool(values["augment_crops"])
        self._colour = bool(values["augment_colour"])
        self._mixes = bool(values["augment_mixup"])
        self._random = torch.Generator().manual_seed((seed ^ _STREAM << 40) % 2**63)

    def images(self, x: Tensor) -> Tensor:
        """Prepared images (n, channels, height, width), altered."""
        where = self._where(len(x))
        if where is not None:
            grid = functional.affine_grid(where.to(x.device), list(x.shape), align_corners=False)
            x = functional.grid_sample(x, grid, padding_mode="border", align_corners=False)
        if self._colour:
            n, channels = x.shape[:2]
            a = self._strength
            gain = 1 + _MOST_COLOUR * a * self._even(n, 1)
            offset = _MOST_COLOUR * a * self._even(n, 1)
            if channels > 1:
                offset = offset + _MOST_TINT * a * self._even(n, channels)
            x = x * _spread(gain, x) + _spread(offset, x)
        return x

    def pairs(self, n: int) -> tuple[Tensor, float] | None:
        """Which other image of a batch each one is blended with, and its own share; None without mixup."""
        if not self._mixes:
            return None
        alpha = torch.full((2,), _MIXUP * self._strength, dtype=torch.float64)
        # Of two draws of a gamma distribution; at a small strength both may be 0.
        one, other = torch._standard_gamma(alpha, generator=self._random).tolist()  # noqa: SLF001  # takes a generator
        order = torch.randperm(n, generator=self._random)
        return order, one / (one + other) if one + other > 0 else 1.0

    def state(self) -> Tensor:
        """Where its random numbers are."""
        return self._random.get_state()

    def restore(self, state: Tensor) -> None:
        """Go on from there."""
        self._random.set_state(state.cpu())

    def _where(self, n: int) -> Tensor | None:
        """By image the map from places in the altered image to places in the original, (n, 2, 3)."""
        if self._flips == "none" and not self._crops and not self._shifts:
            return None
        a = self._strength
        size, move = torch.ones(n, 1), torch.zeros(n, 2)
        if self._crops:
            size = 1 - _MOST_CROP * a * torch.rand(n, 1, generator=self._random)
            move = (1 - size) * self._even(n, 2)
        if self._shifts:
            move = move + 2 * _MOST_SHIFT * a * self._even(n, 2)  # the image goes from -1 to 1
        across, down = size.clone(), size.clone()
        if self._flips != "none":
            across = across * self._sign(n)
        if self._flips == "both":
            down = down * self._sign(n)
        zero = torch.zeros(n, 1)
        rows = [torch.cat([across, zero, move[:, :1]], dim=1), torch.cat([zero, down, move[:, 1:]], dim=1)]
        return torch.stack(rows, dim=1)

    def _even(self, *shape: int) -> Tensor:
        """Evenly from -1 to 1."""
        return 2 * torch.rand(*shape, generator=self._random) - 1

    def _sign(self, n: int) -> Tensor:
        """-1 where an image is mirrored, else 1; shape (n, 1)."""
        mirrored = torch.rand(n, 1, generator=self._random) < min(self._strength, 0.5)
        return 1 - 2 * mirrored.float()


def _spread(values: Tensor, x: Tensor) -> Tensor:
    """Of shape (n, channels or 1), for the pixels of images."""
    return values[:, :, None, None].to(x.device)
