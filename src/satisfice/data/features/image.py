"""Images to numbers: one mean and one scale per channel, learnt on the training fold only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satisfice.data.features.scale import centre_and_spread_of, standardise
from satisfice.data.pictures.resize import resized
from satisfice.errors import DataError

Floats = NDArray[np.float32]

_CHUNK = 1024  # images at a time, to bound memory


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageScaler:
    """A fitted scaler of images (n, channels, height, width).

    It computes in float64, or where its numbers come from a file of format 1 in float32. What comes out is
    float32.
    """

    shape: tuple[int, ...]  # of one item: (channels, height, width)
    mean: NDArray[np.floating]  # by channel
    scale: NDArray[np.floating]  # by channel; 0 of one that is constant
    # Height and width to which images of any other size are brought before they are brought to `shape`: those
    # as which the training images were kept. None: no other size is taken.
    kept: tuple[int, ...] | None = None

    kind = "image"

    @property
    def n_features(self) -> int:
        """Number of pixels over all channels."""
        return int(np.prod(self.shape))

    def of_size(self, size: int) -> ImageScaler:
        """The same for models that take squares of another size; 0: of the size that the data have."""
        kept = self.kept or self.shape[1:]
        if size == 0 or (size, size) == self.shape[1:]:
            return self
        return replace(self, shape=(self.shape[0], size, size), kept=kept)

    def sized(self, images: NDArray[Any]) -> NDArray[Any]:
        """Images (n, channels, any height, any width) in the size of `shape`, of the same type."""
        return images if self.kept is None else resized(images, self.shape[1:], self.kept)

    def transform(self, images: NDArray[Any]) -> Floats:
        """Images to zero mean and unit variance by channel; float32, of the size of `shape`.

        Raises:
            DataError: A pixel is NaN or infinite.
        """
        images = self.sized(images)
        out = np.empty(images.shape, np.float32)
        for at in range(0, len(images), _CHUNK):
            chunk = images[at : at + _CHUNK]
            for channel, (mean, scale) in enumerate(zip(self.mean, self.scale, strict=True)):
                pixels = chunk[:, channel].astype(self.mean.dtype)
                _refuse_no_numbers(pixels)
                out[at : at + _CHUNK, channel] = (
                    standardise(pixels, float(mean), float(scale))
                    if self.mean.dtype == np.float64
                    else (pixels - mean) / scale
                )
        return out

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The numbers it has learnt, for the file that ships."""
        return {"mean": self.mean, "scale": self.scale}

    def describe(self) -> dict[str, Any]:
        """All else it has learnt, JSON-able."""
        kept = {} if self.kept is None else {"kept": list(self.kept)}
        return {"kind": self.kind, "shape": list(self.shape), **kept}

    @classmethod
    def restore(cls, description: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> ImageScaler:
        """The scaler that `describe` and `arrays` told of."""
        kept = tuple(description["kept"]) if "kept" in description else None
        return cls(shape=tuple(description["shape"]), mean=arrays["mean"], scale=arrays["scale"], kept=kept)


def fit_images(images: NDArray[Any]) -> ImageScaler:
    """Learn the scaler from the training fold.

    Raises:
        DataError: A pixel is NaN or infinite.
    """

    def parts(channel: int) -> Iterator[NDArray[np.float64]]:
        for at in range(0, len(images), _CHUNK):
            pixels = images[at : at + _CHUNK, channel].astype(np.float64)
            _refuse_no_numbers(pixels)
            yield pixels

    learnt = [centre_and_spread_of(partial(parts, channel)) for channel in range(images.shape[1])]
    mean, scale = (np.array(numbers) for numbers in zip(*learnt, strict=True))
    return ImageScaler(shape=tuple(images.shape[1:]), mean=mean, scale=scale)


def _refuse_no_numbers(pixels: NDArray[Any]) -> None:
    if not np.isfinite(pixels).all():
        raise DataError("the images hold pixels that are NaN or infinite", hint="leave out those images")
