"""The preprocessing of images as operators: the same numbers as `satisfice.data.features.image` makes."""

from __future__ import annotations

import numpy as np

from satisfice.data.features.image import ImageScaler
from satisfice.ship.onnx.graph import Graph
from satisfice.ship.onnx.scaling import Doubles, add_standardised

IMAGES = "images"  # name of the input


def add_images(graph: Graph, scaler: ImageScaler, *, byte_images: bool) -> str:
    """Declare the input, (n, channels, height, width), and scale it; returns float32 of the same shape.

    Args:
        graph: Where it is added.
        scaler: What was learnt from the training images.
        byte_images: Whether pixels come as uint8; else as float64.
    """
    from onnx import TensorProto

    dtype = TensorProto.UINT8 if byte_images else TensorProto.DOUBLE
    x = graph.input(IMAGES, dtype, ["n", *scaler.shape])
    by_channel = (-1, 1, 1)
    if scaler.mean.dtype == np.float32:  # of a file of format 1
        moved = graph.op(
            "Sub",
            graph.op("Cast", x, to=TensorProto.FLOAT),
            graph.constant(scaler.mean.reshape(by_channel)),
        )
        return graph.op("Div", moved, graph.constant(scaler.scale.reshape(by_channel)))
    mean: Doubles = scaler.mean.astype(np.float64).reshape(by_channel)
    scale: Doubles = scaler.scale.astype(np.float64).reshape(by_channel)
    if byte_images:  # float64 too: a rounding of the last bit can lead a tree to another leaf
        x = graph.op("Cast", x, to=TensorProto.DOUBLE)
    return add_standardised(graph, x, mean, scale)
