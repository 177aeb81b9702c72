"""Images to numbers: one mean and one scale per channel, learnt on the training fold only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageScaler:
    """A fitted scaler of images (n, channels, height, width)."""

    shape: tuple[int, ...]  # of one item: (channels, height, width)
    mean: Floats  # by channel
    scale: Floats  # by channel

    kind = "image"

    @property
    def n_features(self) -> int:
        """Number of pixels over all channels."""
        return int(np.prod(self.shape))

    def transform(self, images: NDArray[Any]) -> Floats:
        """Images to zero mean and unit variance by channel; same shape, float32."""
        by_channel = (1, -1, 1, 1)
        out: Floats = images.astype(np.float32)
        out -= self.mean.reshape(by_channel)
        out /= self.scale.reshape(by_channel)
        return out

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The numbers it has learnt, for the file that ships."""
        return {"mean": self.mean, "scale": self.scale}

    def describe(self) -> dict[str, Any]:
        """All else it has learnt, JSON-able."""
        return {"kind": self.kind, "shape": list(self.shape)}

    @classmethod
    def restore(cls, description: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> ImageScaler:
        """The scaler that `describe` and `arrays` told of."""
        return cls(shape=tuple(description["shape"]), mean=arrays["mean"], scale=arrays["scale"])


def fit_images(images: NDArray[Any]) -> ImageScaler:
    """Learn the scaler from the training fold."""
    pixels = images.astype(np.float32)
    mean = pixels.mean(axis=(0, 2, 3), dtype=np.float64).astype(np.float32)
    scale = pixels.std(axis=(0, 2, 3), dtype=np.float64).astype(np.float32)
    return ImageScaler(
        shape=tuple(images.shape[1:]), mean=mean, scale=np.where(scale > 0, scale, 1.0).astype(np.float32)
    )
