"""Weights averaged while a network trains, which lie in flatter minima. Imports torch.

``ema`` averages over steps, the last ones most (Polyak and Juditsky 1992; as an exponential mean): its memory
is one epoch, and shorter during the first steps. It ships from the first epoch on. ``swa`` averages the
weights after each of the last quarter of the epochs, all alike (Izmailov et al. 2018, arXiv:1803.05407);
statistics of batch normalisation are then those of the averaged network on the training fold. Until that
quarter the plain weights count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, update_bn

_LAST = 0.25  # share of the epochs that `swa` averages; at least one epoch
_LEAST_MEMORY = 10  # steps, of `ema`
_CHUNK = 1024  # items at a time


def first_averaged_epoch(epochs: int) -> int:
    """Epochs (0 to epochs - 1) that are trained before those that ``swa`` averages."""
    return epochs - max(round(_LAST * epochs), 1)


class Averaging:
    """The average of the weights of one network.

    Args:
        how: "ema" or "swa".
        module: The network that is trained.
        epochs: Of the whole training.
        steps: In one epoch.
    """

    def __init__(self, how: str, module: nn.Module, epochs: int, steps: int) -> None:
        self._module = module
        self._by_step = how == "ema"
        self._first = 0 if self._by_step else first_averaged_epoch(epochs)
        self._slowness = 1 - 1 / max(steps, _LEAST_MEMORY)
        self._model = (
            AveragedModel(module, multi_avg_fn=self._mix, use_buffers=True)
            if self._by_step
            else AveragedModel(module)
        )
        self._norms = any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in module.modules())  # noqa: SLF001  # as update_bn looks for it

    @property
    def module(self) -> nn.Module:
        """The network with the averaged weights."""
        found: nn.Module = self._model.module
        return found

    def counts(self, epoch: int) -> bool:
        """Whether the averaged weights are those that ship, after that many epochs and this one."""
        return epoch >= self._first

    def after_step(self) -> None:
        """Take the weights in, where they are averaged over steps."""
        if self._by_step:
            self._model.update_parameters(self._module)

    def after_epoch(self, epoch: int) -> None:
        """Take the weights in, where they are averaged over epochs, ``epoch`` being the one that ends."""
        if not self._by_step and self.counts(epoch):
            self._model.update_parameters(self._module)

    def renew_statistics(self, x: Tensor) -> None:
        """Statistics of batch normalisation from the training items; those of ``ema`` are averaged too."""
        if self._norms and not self._by_step:
            chunks = [x[at : at + _CHUNK] for at in range(0, len(x), _CHUNK)]
            if len(chunks) > 1 and len(chunks[-1]) == 1:  # one item has no variance
                chunks[-2:] = [torch.cat(chunks[-2:])]
            update_bn(chunks, self.module)

    def state(self) -> dict[str, Any]:
        """All that it depends on."""
        found: dict[str, Any] = self._model.state_dict()
        return found

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._model.load_state_dict(state)

    def _mix(self, averaged: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int) -> None:
        """Part of the way to the current weights; counts of batches are taken as they are."""
        done = float(count)
        share = 1 - min(self._slowness, (1 + done) / (10 + done))
        if not torch.is_floating_point(averaged[0]):
            for kept, new in zip(averaged, current, strict=True):
                kept.copy_(new)
            return
        torch._foreach_lerp_(list(averaged), list(current), share)  # as torch.optim does
