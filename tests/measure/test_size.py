"""Sizes, parameters and operations without weights equal those of the file and of the real module."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save as save_arrays

from satisfice.errors import InputError
from satisfice.measure import flops_of, n_parameters, size_of_state

torch = pytest.importorskip("torch")
from safetensors.torch import save as save_tensors  # noqa: E402  # torch may be missing
from safetensors.torch import save_model  # noqa: E402  # torch may be missing
from torch import nn  # noqa: E402  # torch may be missing

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda name: name != "__metadata__"
)
SHAPES = st.lists(st.integers(0, 12), max_size=4).map(tuple)
TORCH_TYPES = st.sampled_from(
    [
        getattr(torch, name)
        for name in [
            "float64",
            "float32",
            "float16",
            "bfloat16",
            "float8_e4m3fn",
            "float8_e5m2",
            "complex64",
            "int64",
            "int32",
            "int16",
            "int8",
            "uint64",
            "uint32",
            "uint16",
            "uint8",
            "bool",
        ]
    ]
)
NUMPY_TYPES = st.sampled_from(["float32", "float64", "float16", "int64", "int32", "int16", "uint8", "bool"])
METADATA = st.none() | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.text('aé"\n'))


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(NAMES, st.tuples(SHAPES, TORCH_TYPES), max_size=8), METADATA)
def test_size_of_tensors_is_that_of_the_file(described, metadata) -> None:
    tensors = {name: torch.zeros(shape, dtype=kind) for name, (shape, kind) in described.items()}
    written = len(save_tensors(tensors, metadata))
    assert size_of_state(described, metadata) == written
    assert size_of_state({name: t.to("meta") for name, t in tensors.items()}, metadata) == written


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(NAMES, st.tuples(SHAPES, NUMPY_TYPES), max_size=8), METADATA)
def test_size_of_arrays_is_that_of_the_file(described, metadata) -> None:
    arrays = {name: np.zeros(shape, dtype=kind) for name, (shape, kind) in described.items()}
    assert size_of_state(described, metadata) == len(save_arrays(arrays, metadata))
    assert size_of_state(arrays, metadata) == len(save_arrays(arrays, metadata))


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(5, 7)
        self.embedding = nn.Embedding(7, 5)
        self.out.weight = self.embedding.weight
        self.norm = nn.BatchNorm1d(5)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=2, max_size=5), st.booleans(), METADATA)
def test_size_of_a_module_on_meta_is_that_of_the_saved_one(tmp_path_factory, widths, norm, metadata):
    def build() -> nn.Module:
        layers: list[nn.Module] = []
        for a, b in pairwise(widths):
            layers += [nn.Linear(a, b), *([nn.BatchNorm1d(b)] if norm else []), nn.ReLU()]
        return nn.Sequential(*layers)

    path = tmp_path_factory.mktemp("size") / "model.safetensors"
    save_model(build(), str(path), metadata=metadata)
    with torch.device("meta"):
        shadow = build()
    assert size_of_state(shadow, metadata) == path.stat().st_size


def test_shared_tensors_count_once(tmp_path) -> None:
    path = tmp_path / "model.safetensors"
    save_model(Tied(), str(path))
    with torch.device("meta"):
        assert size_of_state(Tied()) == path.stat().st_size
        assert n_parameters(Tied()) == 7 * 5 + 7 + 2 * 5


def test_a_type_that_the_file_cannot_hold_is_refused() -> None:
    with pytest.raises(InputError, match="'x' has type complex128"):
        size_of_state({"x": ((1,), "complex128")})


def test_operations_of_a_linear_layer() -> None:
    layer = nn.Linear(30, 20)
    assert flops_of(layer, torch.zeros(1, 30)) == 2 * 30 * 20
    assert flops_of(layer, (torch.zeros(4, 30),)) == 4 * 2 * 30 * 20
    assert not layer.weight.is_meta


def test_operations_on_the_meta_device_and_state_of_the_module() -> None:
    with torch.device("meta"):
        net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5))
    assert flops_of(net, torch.zeros(1, 1, 8, 8)) == 2 * 9 * 4 * 36
    assert net.training
    assert net[1].training


def test_operations_without_a_meta_kernel_are_counted_on_the_device() -> None:
    class Looks(nn.Linear):
        def forward(self, x):
            return super().forward(x) if x.sum().item() == 0 else x

    assert flops_of(Looks(3, 2), torch.zeros(1, 3)) == 12


def test_an_example_that_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="does not take its example input"):
        flops_of(nn.Linear(3, 2), torch.zeros(1, 4))
    with torch.device("meta"), pytest.raises(InputError, match="cannot be counted"):
        flops_of(nn.Linear(3, 2), torch.zeros(1, 4))
