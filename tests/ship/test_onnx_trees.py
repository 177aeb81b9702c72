"""Ensembles of every shape give in ONNX Runtime what they give here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from satisfice.ship import onnx_file, runtime
from satisfice.ship.onnx_file import Options
from satisfice.train.catalog import TRAINERS
from satisfice.train.trees.ensemble import TreeEnsemble


def grown(
    rng: np.random.Generator, *, trees: int, d: int, numbers: int, base: int, boosted: bool, classify: bool
) -> TreeEnsemble:
    """Random trees; some of them are single leaves, and some leaves are equal."""
    feature: list[int] = []
    threshold: list[float] = []
    jump: list[int] = []
    value: list[list[float]] = []
    roots: list[int] = []

    def grow(depth: int) -> None:
        at = len(feature)
        split = depth > 0 and rng.random() < 0.75
        feature.append(int(rng.integers(d)) if split else -1)
        threshold.append(float(rng.normal()) if split else 0.0)
        jump.append(len(value))
        if not split:
            drawn = rng.integers(0, 8, numbers) + 1e-3
            value.append((drawn / drawn.sum() if numbers > 1 else drawn / 8).tolist())
            return
        grow(depth - 1)
        jump[at] = len(feature)
        grow(depth - 1)

    for _ in range(trees):
        roots.append(len(feature))
        grow(5)
    return TreeEnsemble(
        feature=np.array(feature, np.int16),
        threshold=np.array(threshold, np.float32),
        jump=np.array(jump, np.int32),
        value=np.array(value, np.float32),
        roots=np.array(roots, np.int32),
        base=np.linspace(-0.5, 0.5, base).astype(np.float32),
        boosted=boosted,
        classify=classify,
    )


TWO, FOUR = ("a", "b"), ("a", "b", "c", "d")


@pytest.mark.parametrize(
    ("family", "precision", "classes"),
    [
        *((family, "none", classes) for family in ("forest", "boosting") for classes in ((), TWO, FOUR)),
        ("forest", "uint8", TWO),
        ("forest", "uint8", FOUR),
    ],
)
def test_an_ensemble_computes_what_it_did(
    family: str, classes: Any, precision: str, mixed: Any, mixed_rows: Any, make_header: Any
) -> None:
    trainer: Any = TRAINERS.get(family)
    rng = np.random.default_rng(len(classes))
    k = len(classes) if len(classes) > 2 else 1
    for rounds in (1, 2, 9):
        boosted = family == "boosting"
        trees = grown(
            rng,
            trees=rounds * (k if boosted else 1),
            d=mixed.n_features,
            numbers=1 if boosted else k,
            base=k if boosted else 1,
            boosted=boosted,
            classify=bool(classes),
        )
        header = make_header(family, mixed, classes)
        content = onnx_file.content(header, trees.arrays(), trainer, Options(precision=precision))
        found = runtime.outputs(runtime.session(content), onnx_file.feeds(header, mixed_rows))
        wanted = trees(mixed.transform(mixed_rows))
        if not classes:
            wanted = header.target.restore(wanted)
        lost = 0.5 / 255 if precision == "uint8" else 0.0
        key = "probabilities" if classes else "value"
        np.testing.assert_allclose(found[key], wanted, rtol=1e-5, atol=1e-6 + lost)
