"""The preprocessing of images as part of an ONNX graph: the same numbers as `satisfice.data.image` makes."""

from __future__ import annotations

import numpy as np

from satisfice.data.image import ImageScaler
from satisfice.ship.onnx.graph import Graph

IMAGES = "images"  # name of the input

_FARTHEST = 1e15  # spreads from the centre, as in `satisfice.data.scale`


def add_images(graph: Graph, scaler: ImageScaler, *, bytes_in: bool) -> str:
    """Declare the input, (n, channels, height, width), and scale it; returns float32 of the same shape.

    Args:
        graph: Where it is added.
        scaler: What was learnt from the training images.
        bytes_in: Whether pixels come as uint8; else as float64.
    """
    from onnx import TensorProto

    dtype = TensorProto.UINT8 if bytes_in else TensorProto.DOUBLE
    x = graph.input(IMAGES, dtype, ["n", *scaler.shape])
    by_channel = (1, -1, 1, 1)
    spread = scaler.scale.astype(np.float64)
    factor = np.where(spread == 0, 0.0, 1.0 / np.where(spread == 0, 1.0, spread))
    if bytes_in:  # whole numbers up to 255 lose nothing in float32
        x = graph.op("Cast", x, to=TensorProto.FLOAT)
        centred = graph.op("Sub", x, graph.constant(scaler.mean.astype(np.float32).reshape(by_channel)))
        return graph.op("Mul", centred, graph.constant(factor.astype(np.float32).reshape(by_channel)))
    centred = graph.op("Sub", x, graph.constant(scaler.mean.astype(np.float64).reshape(by_channel)))
    scaled = graph.op("Mul", centred, graph.constant(factor.reshape(by_channel)))
    far = graph.constant(np.float64(_FARTHEST))
    near = graph.op("Max", graph.op("Min", scaled, far), graph.constant(np.float64(-_FARTHEST)))
    return graph.op("Cast", near, to=TensorProto.FLOAT)
