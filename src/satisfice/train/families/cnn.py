"""The family ``cnn``: convolutional networks. Imported without torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from satisfice.spec.study import StudySpec
from satisfice.train.hyperparameter import Hyperparameter, Hyperparameters
from satisfice.train.networks.hyperparameters import IMAGES, TRAINING
from satisfice.train.networks.plan import Plan, Shape, block_channels, cnn_plan, pooled
from satisfice.train.networks.task import TorchTask, TorchTrainer

HYPERPARAMETERS: Hyperparameters = {
    "blocks": Hyperparameter(
        kind="int",
        default=2,
        low=1,
        high=8,
        doc="Number of blocks; each halves the image until it is one pixel.",
        architecture=True,
    ),
    "channels": Hyperparameter(
        kind="int", default=16, low=1, high=2048, doc="Channels of the first block.", architecture=True
    ),
    "growth": Hyperparameter(
        kind="float",
        default=2.0,
        low=0.5,
        high=4.0,
        doc="Each block has so many times the channels of the one before.",
        architecture=True,
    ),
    "convolutions": Hyperparameter(
        kind="int", default=1, low=1, high=4, doc="Convolutions in each block.", architecture=True
    ),
    "kernel_size": Hyperparameter(
        kind="categorical",
        default=3,
        choices=(1, 3, 5, 7),
        doc="Height and width of the filters.",
        architecture=True,
    ),
    "convolution": Hyperparameter(
        kind="categorical",
        default="standard",
        choices=("standard", "separable"),
        doc="`separable`: filters of one channel each, then of one pixel over all channels; not the first.",
        architecture=True,
        optional=True,
    ),
    "residual": Hyperparameter(
        kind="categorical",
        default=False,
        choices=(True, False),
        doc="Whether each block adds to what it takes in.",
        architecture=True,
        optional=True,
    ),
    "head": Hyperparameter(
        kind="categorical",
        default="flatten",
        choices=("flatten", "average"),
        doc="What the dense part sees: every position, or each channel's mean.",
        architecture=True,
    ),
    "width": Hyperparameter(
        kind="int",
        default=64,
        low=0,
        high=65_536,
        doc="Units of the hidden dense layer; 0 for none.",
        architecture=True,
    ),
    **IMAGES,
    **TRAINING,
}


class CNNTrainer(TorchTrainer):
    """The family ``cnn``."""

    family = "cnn"
    doc = "Convolutional network on images: blocks that each end in a pooling, then a dense head (torch)."
    kinds = frozenset({"image"})
    hyperparameters = HYPERPARAMETERS

    def plan(self, values: Mapping[str, Any], shape: Shape, outputs: int) -> Plan:
        """The network."""
        return cnn_plan(
            shape=shape,
            outputs=outputs,
            blocks=int(values["blocks"]),
            channels=int(values["channels"]),
            growth=float(values["growth"]),
            convolutions=int(values["convolutions"]),
            kernel_size=int(values["kernel_size"]),
            head=values["head"],
            width=int(values["width"]),
            activation=values["activation"],
            batch_norm=values["batch_norm"],
            dropout=values.get("dropout", 0.0),
            separable=values.get("convolution") == "separable",
            residual=values.get("residual", False),
        )

    def canonical(self, architecture: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
        """Growth is the shortest number that gives every block its channels; the mean of one pixel is it.

        A network of one convolution has no separable one.
        """
        channels, blocks = architecture["channels"], architecture["blocks"]
        alike = partial(block_channels, channels, blocks)
        found = {**architecture, "growth": _shortest(architecture["growth"], alike)}
        if pooled(shape, blocks) == (1, 1):
            found["head"] = "flatten"
        if blocks == architecture["convolutions"] == 1:  # the first convolution is never separable
            found["convolution"] = "standard"
        return found

    def make_task(self, spec: StudySpec) -> TorchTask:
        """Bind to the study's data."""
        return TorchTask(self, spec)


CNN = CNNTrainer()


def _shortest(number: float, image: Callable[[float], object]) -> float:
    """The least of the numbers with fewest decimals that have the same image under a monotone function."""
    wanted = image(number)
    for decimals in range(17):
        unit = 10**decimals
        below = math.floor(number * unit)
        near = next((n for n in (below, below + 1) if n > 0 and image(n / unit) == wanted), None)
        if near is None:
            continue
        while near > 1 and image((near - 1) / unit) == wanted:
            near -= 1
        return float(near / unit)
    return number
