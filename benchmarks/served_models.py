"""Trained models as shipped folders, for `serving.py` and `serving_load.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import satisfice
from satisfice.data import DATASETS, ImageScaler
from satisfice.ship import onnx_file, runtime, safetensors_file
from satisfice.ship.folder.card import model_card
from satisfice.ship.folder.description import Description, ImageInput, InputColumn
from satisfice.ship.folder.pipeline import Pipeline
from satisfice.ship.folder.write import write_folder
from satisfice.ship.onnx.tables import input_names
from satisfice.train.conversion import core_writer

SPACES: dict[str, dict[str, Any]] = {
    "mlp": {"learning_rate": {"low": 1e-3, "high": 1e-2}},
    "boosting": {"l2": {"low": 0.0, "high": 1.0}},
}


def trained(family: str, data: str, folder: Path, seed: int = 0, **fixed: Any) -> Path:
    """The safetensors file of one trained model.

    Args:
        family: Of `SPACES`.
        data: A registered data set.
        folder: Where it is written.
        seed: Other seeds give other models.
        fixed: Parameters of the family that differ from its defaults.
    """
    study = satisfice.create_study(
        {
            "name": f"{family}-{data}",
            "seed": seed,
            "data": {"name": data},
            "model": {"family": family, **fixed},
            "objectives": {"accuracy": "maximize"},
            "space": SPACES[family],
            "budget": {"trials": 1, "epochs": 15},
        }
    )
    study.optimize()
    return study.save_model(0, folder / f"{family}-{data}-{seed}.safetensors")


def rows_of(data: str) -> list[dict[str, Any]]:
    """The raw rows of a data set as JSON can hold them: one object each, null where a cell is empty."""
    items: Any = DATASETS.get(data).read().items
    if isinstance(items, pd.DataFrame):
        frame = items.astype(object)
        rows: Any = frame.where(frame.notna(), None).to_dict("records")
        return list(rows)
    return [{"image": image.astype(int).tolist()} for image in np.asarray(items)]


def ship(kept: Path, folder: Path, name: str, trial: int, rows: list[dict[str, Any]]) -> Pipeline:
    """Write the folder of a trained model, its first rows as golden ones.

    Args:
        kept: What `trained` returned.
        folder: Where it is written; another version there is replaced.
        name: Under which it is served.
        trial: The version.
        rows: Raw rows.

    Returns:
        What answers rows as the folder must.
    """
    header, arrays = safetensors_file.read(kept)
    writer = core_writer(header.family)
    assert writer is not None
    model = onnx_file.content(header, arrays, writer, onnx_file.Options(byte_images=True))
    opened, preprocessor = runtime.session(model), header.preprocessor
    told = Description(
        name=name,
        study=name,
        trial=trial,
        task=header.task,
        target="target",
        classes=tuple(header.classes),
        input=_images(preprocessor) if isinstance(preprocessor, ImageScaler) else _columns(preprocessor),
        outputs={each.name: each.type[7:-1] for each in opened.get_outputs()},  # "tensor(float)"
    )
    pipeline = Pipeline(told, opened)
    golden = rows[:8]
    write_folder(folder, model, told, (golden, pipeline.answer(golden)[0]), model_card(told))
    return pipeline


def _images(scaler: ImageScaler) -> ImageInput:
    channels, height, width = scaler.shape
    return ImageInput(shape=(channels, height, width), dtype="uint8")


def _columns(encoder: Any) -> tuple[InputColumn, ...]:
    kinds = {column.name: column for column in encoder.columns}
    return tuple(
        InputColumn(name=name, rule=encoder.rule_of(name), rare=kinds[name].rare, tensor=tensor)
        for name, tensor in input_names(kinds).items()
    )


def infer_body(pipeline: Pipeline, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The Open Inference Protocol's request for these rows."""
    feeds = pipeline.taken(pipeline.feeds(rows)[0])
    datatypes = {"O": "BYTES", "f": "FP64", "u": "UINT8"}
    inputs = [
        {
            "name": name,
            "shape": list(tensor.shape),
            "datatype": datatypes[tensor.dtype.kind],
            "data": [None if value != value else value for value in tensor.ravel().tolist()],
        }
        for name, tensor in feeds.items()
    ]
    return {"inputs": inputs}
