"""Images brought to another size: like Pillow's own filter, exact where it must be, the same everywhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from satisfice.data.pictures.resize import resize

SIZES = st.integers(1, 40)


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)


@settings(max_examples=60, deadline=None)
@given(old=st.tuples(SIZES, SIZES), new=st.tuples(SIZES, SIZES))
def test_it_agrees_with_pillow(old: tuple[int, int], new: tuple[int, int]) -> None:
    image = drawn(*old)
    pillow = Image.fromarray(image).resize((new[1], new[0]), Image.Resampling.BILINEAR)
    # Pillow computes in fixed point and rounds between rows and columns.
    assert np.abs(resize(image, *new).astype(int) - np.asarray(pillow).astype(int)).max() <= 1


@settings(max_examples=40, deadline=None)
@given(old=st.tuples(SIZES, SIZES), new=st.tuples(SIZES, SIZES), value=st.integers(0, 255))
def test_an_even_image_stays_even(old: tuple[int, int], new: tuple[int, int], value: int) -> None:
    assert (resize(np.full((2, *old), value, np.uint8), *new) == value).all()


@settings(max_examples=40, deadline=None)
@given(old=st.tuples(SIZES, SIZES), new=st.tuples(SIZES, SIZES))
def test_one_image_comes_out_as_it_does_among_others(old: tuple[int, int], new: tuple[int, int]) -> None:
    images = drawn(5, 3, *old)
    together = resize(images, *new)
    assert together.shape == (5, 3, *new)
    for image, found in zip(images, together, strict=True):
        assert (resize(image, *new) == found).all()


def test_mirrored_images_come_out_mirrored() -> None:
    image = drawn(37, 23)
    turned = resize(image[::-1, ::-1], 9, 31)[::-1, ::-1].astype(int)
    assert np.abs(resize(image, 9, 31).astype(int) - turned).max() <= 1  # sums run the other way round


def test_every_pixel_counts_where_an_image_shrinks() -> None:
    for at in range(64):
        image = np.zeros((1, 64))
        image[0, at] = 1.0
        assert resize(image, 1, 4).sum() > 0


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64])
def test_the_type_stays(dtype: type[np.generic]) -> None:
    image = np.arange(12).reshape(3, 4).astype(dtype)
    assert resize(image, 6, 2).dtype == dtype
    assert resize(image, 3, 4) is image


def test_half_the_size_by_hand() -> None:
    """Weights 1, 3, 3, 1; at a border the part of them that lies inside."""
    row = np.array([[0.0, 8.0, 16.0, 24.0, 32.0, 40.0]])
    wanted = [(0 * 3 + 8 * 3 + 16) / 7, 20.0, (24 + 32 * 3 + 40 * 3) / 7]
    assert resize(row, 1, 3)[0] == pytest.approx(wanted, rel=1e-15)
