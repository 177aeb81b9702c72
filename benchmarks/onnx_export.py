"""What a model costs as an ONNX file: milliseconds to write it, bytes, and the time of one row.

    python benchmarks/onnx_export.py

For each family on a table and on images: processor time of a conversion and of a length known before
training; bytes of the safetensors file; one row through the bare trained model (prepared row; of networks in
eager torch) and through `predict` (raw row). For each precision of the family: the file's bytes, one row
through it (raw row to label) and test accuracy. One thread computes.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("SATISFICE_DEVICE", "cpu")

import pandas as pd

import satisfice
from satisfice.data import DATASETS, Splits
from satisfice.ship import onnx_file, runtime, safetensors_file
from satisfice.ship.model import ShippedModel, predict
from satisfice.ship.onnx_file import Options
from satisfice.spec.study import DataSpec
from satisfice.train.conversion import core_writer, write_onnx
from satisfice.train.preparing.study_data import load_cached

CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("mlp", "titanic", {}),
    ("mlp", "digits", {"width": 256}),
    ("cnn", "digits", {}),
    ("linear", "titanic", {}),
    ("linear", "digits", {}),
    ("forest", "titanic", {}),
    ("forest", "digits", {}),
    ("boosting", "titanic", {}),
    ("boosting", "digits", {}),
]
SPACE: dict[str, Any] = {
    "mlp": {"learning_rate": {"low": 1e-3, "high": 1e-2}},
    "cnn": {"learning_rate": {"low": 1e-3, "high": 1e-2}},
    "linear": {"alpha": {"low": 1e-4, "high": 1e-2}},
    "forest": {"max_features": {"low": 0.2, "high": 0.4}},
    "boosting": {"l2": {"low": 0.0, "high": 1.0}},
}


def median_us(call: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Microseconds of one call, by this clock."""
    times: list[float] = []
    end = time.perf_counter() + 0.3
    while time.perf_counter() < end or len(times) < 5:
        began = clock()
        call()
        times.append((clock() - began) * 1e6)
    return statistics.median(times)


def processor_ms(call: Callable[[], object]) -> float:
    """Milliseconds of processor time of one call, which other programs do not lengthen."""
    return median_us(call, time.process_time) / 1e3


def kept_model(family: str, data: str, fixed: dict[str, Any], folder: Path) -> Path:
    """The safetensors file of the family's default on a data set."""
    study = satisfice.create_study(
        {
            "name": f"{family}-{data}",
            "data": {"name": data},
            "model": {"family": family, **fixed},
            "objectives": {"accuracy": "maximize"},
            "space": SPACE[family],
            "budget": {"trials": 1, "epochs": 15},
        }
    )
    study.optimize()
    return study.save_model(0, folder / f"{family}-{data}.safetensors")


def accuracy(model: ShippedModel, path: Path, splits: Splits) -> float:
    """Of an ONNX file, on the test rows."""
    found = runtime.outputs(runtime.session(path), onnx_file.feeds(model.header, splits.raw_test.items))
    return float((found["label"] == splits.raw_test.target.to_numpy()).mean())


def measure(family: str, data: str, fixed: dict[str, Any], folder: Path) -> dict[str, Any]:
    """One line: a family's default on a data set."""
    from satisfice.train import load_model

    kept = kept_model(family, data, fixed, folder)
    path, writer = folder / "model.onnx", core_writer(family)
    assert writer is not None
    header, arrays = safetensors_file.read(kept)
    model = load_model(kept)
    items: Any = DATASETS.get(data).read().items
    one: Any = items.iloc[:1] if isinstance(items, pd.DataFrame) else items[:1]
    splits = load_cached(DataSpec(name=data), Path(), 0)
    x = header.preprocessor.transform(one)
    known = onnx_file.length(header, writer) is not None
    found: dict[str, Any] = {
        "family": family,
        "data": data,
        "write_ms": processor_ms(lambda: onnx_file.content(header, arrays, writer)),
        "length_ms": processor_ms(lambda: onnx_file.length(header, writer)) if known else None,
        "safetensors_bytes": kept.stat().st_size,
        "bare_model_us": median_us(lambda: predict(model.core, x, classify=True)),
        "predict_us": median_us(lambda: model.predict(one)),
        "precisions": {},
    }
    feeds = onnx_file.feeds(header, one)
    for precision in writer.precisions:
        size = write_onnx(kept, path, Options(precision=precision), splits.train.x)
        opened = runtime.session(path)
        found["precisions"][precision] = {
            "bytes": size,
            "row_us": median_us(runtime.call(opened, feeds)),
            "accuracy": accuracy(model, path, splits),
        }
    return found


def main() -> int:
    """Print one line of JSON for each case."""
    with TemporaryDirectory(prefix="satisfice-") as folder:
        for family, data, fixed in CASES:
            print(json.dumps(measure(family, data, fixed, Path(folder))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
