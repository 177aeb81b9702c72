"""ONNX files: length before training, equal bytes, moments, names of inputs, what is refused."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from satisfice.data.features.image import ImageScaler
from satisfice.data.features.table import fit_table
from satisfice.errors import InputError
from satisfice.ship import onnx_file, runtime, safetensors_file
from satisfice.ship.model import ShippedModel
from satisfice.ship.onnx.precision import PRECISIONS
from satisfice.ship.onnx.tables import input_names
from satisfice.ship.onnx_file import Options
from satisfice.train.catalog import TRAINERS
from satisfice.train.conversion import write_onnx
from satisfice.train.networks.plan import shipped_tensors

ACTIVATIONS = ["relu", "gelu", "silu", "tanh", "leaky_relu"]
FIVE = "abcde"


def pick(rng: np.random.Generator, choices: Any) -> Any:
    """One of them, of Python's own type."""
    return choices[int(rng.integers(len(choices)))]


def random_model(rng: np.random.Generator, table: Any, make_header: Any) -> tuple[str, Any, Any]:
    """Family, header and arrays of a model that could have been trained."""
    family = pick(rng, ["mlp", "cnn", "linear"])
    shape = (int(rng.integers(1, 4)), int(rng.integers(3, 11)), int(rng.integers(3, 11)))
    channels = shape[0]
    images = ImageScaler(shape=shape, mean=rng.normal(size=channels), scale=rng.random(channels) + 0.1)
    preprocessor = images if family == "cnn" or rng.random() < 0.3 else table
    classes = pick(rng, [(), ("no", "yes"), (0, 1, 2), (False, True), tuple(FIVE), (0.5, 1.5, 2.5)])
    common = {"activation": pick(rng, ACTIVATIONS), "batch_norm": pick(rng, [True, False])}
    if family == "mlp":
        architecture = {
            "hidden_layers": int(rng.integers(0, 4)),
            "width": int(rng.integers(1, 90)),
            **common,
        }
    else:
        architecture = {
            "blocks": int(rng.integers(1, 4)),
            "channels": int(rng.integers(1, 9)),
            "growth": float(rng.uniform(0.5, 2)),
            "convolutions": int(rng.integers(1, 3)),
            "kernel_size": pick(rng, [1, 3, 5]),
            "head": pick(rng, ["flatten", "average"]),
            "width": int(rng.integers(0, 40)),
            **common,
        }
    header = make_header(family, preprocessor, classes, {} if family == "linear" else architecture)
    return family, header, random_arrays(rng, family, header)


def random_arrays(rng: np.random.Generator, family: str, header: Any) -> dict[str, NDArray[Any]]:
    """Tensors of the right shapes; some of them all zeros."""
    trainer: Any = TRAINERS.get(family)
    if family == "linear":
        blank = trainer.blank_arrays(header)
        shapes = {name: array.shape for name, array in blank.items()}
    else:
        outputs = max(len(header.classes), 1)
        shapes = shipped_tensors(trainer.plan(header.architecture, header.preprocessor.shape, outputs))
    zero = rng.random() < 0.1
    return {name: np.zeros(s, np.float32) if zero else _tensor(rng, name, s) for name, s in shapes.items()}


def _tensor(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Such that values neither grow nor vanish from layer to layer; variances are positive."""
    drawn = rng.normal(size=shape) / np.sqrt(math.prod(shape[1:]))
    return np.asarray(np.abs(drawn) + 0.1 if "var" in name else drawn, np.float32)


def check_lengths(count: int, seed: int, table: Any, make_header: Any) -> None:
    rng = np.random.default_rng(seed)
    met = set()
    for _ in range(count):
        family, header, arrays = random_model(rng, table, make_header)
        trainer: Any = TRAINERS.get(family)
        options = Options(
            precision=pick(rng, trainer.precisions),
            threshold=float(rng.random()) if len(header.classes) == 2 and rng.random() < 0.5 else None,
            byte_images=bool(rng.random() < 0.5),
        )
        items = rng.normal(size=(5, *header.preprocessor.shape)).astype(np.float32)
        written = onnx_file.content(header, arrays, trainer, options, items)
        assert onnx_file.length(header, trainer, options) == len(written), (family, header, options)
        runtime.session(written)
        met.add((family, options.precision))
    assert len(met) == 2 * len(PRECISIONS) + 3  # of linear: none, fp16 and int8


def test_the_length_is_known_before_training(mixed: Any, make_header: Any) -> None:
    check_lengths(90, 1, mixed, make_header)


@pytest.mark.slow
def test_the_length_of_a_thousand_files_is_known(mixed: Any, make_header: Any) -> None:
    check_lengths(1000, 2, mixed, make_header)


def test_networks_and_linear_models_compute_what_they_did(
    mixed: Any, mixed_rows: Any, make_header: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SATISFICE_DEVICE", "cpu")
    rng = np.random.default_rng(5)
    met = set()
    for _ in range(60):
        family, header, arrays = random_model(rng, mixed, make_header)
        table = len(header.preprocessor.shape) == 1
        items = mixed_rows if table else rng.normal(size=(20, *header.preprocessor.shape))
        trainer: Any = TRAINERS.get(family)
        model = ShippedModel(header=header, core=trainer.restore(header, arrays))
        found = _run(header, arrays, items)
        wanted = model.outputs(header.preprocessor.transform(items))
        key = "probabilities" if header.classes else "value"
        np.testing.assert_allclose(found[key], wanted, rtol=1e-5, atol=2e-6)
        met |= {(family, header.task), (header.architecture.get("activation"), header.task)}
    assert len(met) == 2 * (3 + len(ACTIVATIONS) + 1)


def test_trees_know_their_length_once_they_have_grown(mixed: Any, make_header: Any) -> None:
    for family in ("forest", "boosting"):
        header = make_header(family, mixed, ("a", "b"))
        trainer: Any = TRAINERS.get(family)
        assert onnx_file.length(header, trainer) is None


@pytest.mark.parametrize("family", ["mlp", "linear", "forest", "boosting"])
def test_equal_models_give_equal_bytes_in_any_process_and_without_torch(
    family: str, train: Any, tmp_path: Path
) -> None:
    fixed = {"forest": {"trees": 3}, "boosting": {"rounds": 3, "patience": 0}}.get(family, {})
    kept, _ = train(family, "titanic", **fixed)
    here, there = tmp_path / "here.onnx", tmp_path / "there.onnx"
    assert write_onnx(kept, here) == here.stat().st_size
    code = (
        "import sys\nfrom pathlib import Path\nfrom satisfice.train.conversion import write_onnx\n"
        f"write_onnx(Path({str(kept)!r}), Path({str(there)!r}))\n"
        "assert not {'torch', 'sklearn'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert there.read_bytes() == here.read_bytes()


def test_importing_satisfice_loads_neither_onnx_nor_its_runtime() -> None:
    code = (
        "import sys, satisfice, satisfice.cli.main, satisfice.study, satisfice.train.conversion\n"
        "from satisfice.train import TRAINERS\n"
        "[TRAINERS.get(name) for name in ('mlp', 'cnn', 'linear', 'forest', 'boosting')]\n"
        "assert not {'onnx', 'onnxruntime'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_moments_over_all_years_that_are_read(make_header: Any) -> None:
    rng = np.random.default_rng(3)
    first, last = np.datetime64("1678-01-01T00:00:00"), np.datetime64("2261-12-31T23:59:59")
    span = int((last - first).astype(int))
    moments = first + rng.integers(0, span, 20_000).astype("timedelta64[s]")
    leap = [f"{year}-02-{day}T23:59:59" for year in (1700, 1896, 1900, 2000, 2100) for day in (27, 28)]
    edges = np.array([first, last, *leap, "1969-12-31T23:59:59", "1970-01-01", "2000-02-29", "1904-02-29"])
    at = pd.Series([*moments, *edges.astype("datetime64[s]"), np.datetime64("NaT")]).astype("datetime64[us]")
    frame = pd.DataFrame({"at": at})
    encoder = fit_table(frame)
    assert [column.part for column in encoder.columns] == ["days", "month", "day_of_week", "hour"]
    d = encoder.n_features
    header = make_header("linear", encoder, tuple(range(d)))  # every output is one feature
    arrays = {"weight": np.eye(d, dtype=np.float32), "bias": np.zeros(d, np.float32)}
    found = _run(header, arrays, frame)["probabilities"]
    wanted = np.exp(encoder.transform(frame).astype(np.float64))
    wanted /= wanted.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def _run(header: Any, arrays: Any, items: Any) -> dict[str, NDArray[Any]]:
    trainer: Any = TRAINERS.get(header.family)
    content = onnx_file.content(header, arrays, trainer)
    return runtime.outputs(runtime.session(content), onnx_file.feeds(header, items))


def test_inputs_bear_the_names_of_columns(mixed: Any, mixed_rows: Any, make_header: Any) -> None:
    header = make_header("linear", mixed, ("no", "yes"))
    arrays = random_arrays(np.random.default_rng(0), "linear", header)
    content = onnx_file.content(header, arrays, TRAINERS.get("linear"))  # type: ignore[arg-type]  # a trainer is one
    opened = runtime.session(content)
    inputs = {entry.name: (entry.type, entry.shape) for entry in opened.get_inputs()}
    assert inputs == {
        "width": ("tensor(double)", ["n", 1]),
        "label_": ("tensor(string)", ["n", 1]),  # `label` is an output
        "v1": ("tensor(double)", ["n", 1]),
        "day": ("tensor(double)", ["n", 1]),
    }
    assert [entry.name for entry in opened.get_outputs()] == ["label", "probabilities"]
    assert opened.get_modelmeta().custom_metadata_map == {"satisfice": "1"}
    found = runtime.outputs(opened, onnx_file.feeds(header, mixed_rows))
    assert found["probabilities"].shape == (len(mixed_rows), 2)


def test_names_that_a_file_cannot_have() -> None:
    assert input_names(["value", "value_", "", "_", "x"]) == {
        "value": "value__",
        "value_": "value_",
        "": "__",
        "_": "_",
        "x": "x",
    }


@pytest.mark.parametrize(
    "classes", [("a", "b"), (1, 2), (0.5, 2.0), (False, True), (1, "b"), (2**63, 1), ("ü", "")]
)
def test_labels_keep_their_type(classes: Any, mixed: Any, mixed_rows: Any, make_header: Any) -> None:
    header = make_header("linear", mixed, classes)
    arrays = {"weight": np.zeros((1, mixed.n_features), np.float32), "bias": np.ones(1, np.float32)}
    (label,) = set(_run(header, arrays, mixed_rows)["label"].tolist())
    plain = len({type(value) for value in classes}) == 1 and classes[0] != 2**63
    assert label == (classes[1] if plain else float(classes[1]) if classes[0] == 2**63 else str(classes[1]))


@pytest.mark.parametrize(
    ("family", "classes", "options", "said"),
    [
        ("linear", ("a", "b"), Options(precision="int5"), "cannot be stored as 'int5'"),
        ("boosting", ("a", "b"), Options(precision="int8"), "cannot be stored as 'int8'"),
        ("linear", ("a", "b", "c"), Options(threshold=0.3), "this model predicts one of 3 classes"),
        ("linear", (), Options(threshold=0.3), "this model predicts a number"),
        ("linear", ("a", "b"), Options(threshold=1.5), "1.5 is no probability"),
    ],
)
def test_options_that_do_not_go_with_the_model(
    family: str, classes: Any, options: Options, said: str, mixed: Any, make_header: Any
) -> None:
    header = make_header(family, mixed, classes)
    with pytest.raises(InputError, match=said):
        onnx_file.content(header, {}, TRAINERS.get(family), options)  # type: ignore[arg-type]  # a trainer is one


def test_a_weight_too_large_for_half_precision_is_said(mixed: Any, make_header: Any) -> None:
    header = make_header("linear", mixed, ("a", "b"))
    arrays = random_arrays(np.random.default_rng(0), "linear", header)
    arrays["weight"][0, 0] = 1e6
    trainer: Any = TRAINERS.get("linear")
    with pytest.raises(InputError, match="fp16 cannot hold the weight 1e"):
        onnx_file.content(header, arrays, trainer, Options(precision="fp16"))


def test_static_quantization_asks_for_items(mixed: Any, make_header: Any) -> None:
    architecture = {"hidden_layers": 1, "width": 3, "activation": "relu", "batch_norm": False}
    header = make_header("mlp", mixed, ("a", "b"), architecture)
    trainer: Any = TRAINERS.get("mlp")
    arrays = random_arrays(np.random.default_rng(0), "mlp", header)
    with pytest.raises(InputError, match="calibrates on prepared training items"):
        onnx_file.content(header, arrays, trainer, Options(precision="int8_static"))


def test_a_forest_of_numbers_keeps_its_leaves(train: Any, tmp_path: Path) -> None:
    kept, _ = train("forest", "diabetes", "regression", trees=3)
    with pytest.raises(InputError, match="this forest predicts numbers"):
        write_onnx(kept, tmp_path / "model.onnx", Options(precision="uint8"))
    assert not (tmp_path / "model.onnx").exists()


LEARNS: dict[str, dict[str, Any]] = {
    "mlp": {"width": 48, "learning_rate": 0.01},
    "linear": {},
    "forest": {"trees": 20},
}


@pytest.mark.parametrize("name", LEARNS)
def test_fewer_bits_lose_little_on_digits(name: str, train: Any, tmp_path: Path) -> None:
    kept, task = train(name, "digits", **LEARNS[name])
    test, trainer = task.splits.raw_test, TRAINERS.get(name)
    header, _ = safetensors_file.read(kept)
    accuracy, size = {}, {}
    for precision in trainer.precisions:  # type: ignore[attr-defined]  # a trainer has them
        path = tmp_path / f"{precision}.onnx"
        size[precision] = write_onnx(kept, path, Options(precision=precision), task.splits.train.x)
        found = runtime.outputs(runtime.session(path), onnx_file.feeds(header, test.items))
        accuracy[precision] = float((found["label"] == test.target.to_numpy()).mean())
    assert accuracy["none"] > 0.8
    for precision, allowed in {
        "fp16": 0.0028,
        "int8": 0.0056,
        "int8_static": 0.02,
        "int4": 0.03,
        "uint8": 0.0028,
    }.items():
        if precision in accuracy:
            assert accuracy[precision] >= accuracy["none"] - allowed - 1e-9, precision
            assert size[precision] < size["none"]
