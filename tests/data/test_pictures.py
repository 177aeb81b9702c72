"""Folders of pictures: found, decoded, kept, and what is wrong with them."""

from __future__ import annotations

import errno
import io
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from satisfice.data import fingerprint, load
from satisfice.data.pictures import cache, digests
from satisfice.data.pictures.decode import pixels, pixels_of_size
from satisfice.data.pictures.resize import resize
from satisfice.errors import CannotWrite, DataError, SpecError
from satisfice.spec import parse_dict
from satisfice.spec.study import DataSpec

SIZE = 8
FOLDER = DataSpec(folder="photos", size=SIZE)


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SATISFICE_CACHE", str(tmp_path / "cache"))


def draw(at: int, shape: tuple[int, ...] = (12, 10, 3)) -> np.ndarray:
    return np.random.default_rng(at).integers(0, 256, shape, dtype=np.uint8)


def fill(place: Path, n: int = 12, names: tuple[str, ...] = ("cat", "dog"), **how: Any) -> Path:
    """A folder of PNG files, n of each class."""
    for code, name in enumerate(names):
        (place / name).mkdir(parents=True)
        for at in range(n):
            Image.fromarray(draw(100 * code + at, **how)).save(place / name / f"{at}.png")
    return place


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return fill(tmp_path / "photos")


def read(folder: Path, spec: DataSpec = FOLDER) -> Any:
    return load(spec, folder, 0)


def as_bytes(picture: Image.Image, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def test_each_folder_is_a_class(photos: Path) -> None:
    splits = read(photos.parent)
    assert splits.kind == "image"
    assert set(splits.classes) == {"cat", "dog"}
    assert splits.preprocessor.shape == (3, SIZE, SIZE)
    assert len(splits.train) + len(splits.valid) + len(splits.test) == 24
    assert splits.raw_train.items.dtype == np.uint8


def test_names_of_classes_stay_as_they_are(tmp_path: Path) -> None:
    fill(tmp_path / "photos", names=("01", "2", "NA"))
    assert set(read(tmp_path).classes) == {"01", "2", "NA"}


def test_images_are_those_of_the_files(photos: Path) -> None:
    splits = read(photos.parent)
    wanted = {pixels_of_size(p.read_bytes(), 3, SIZE, SIZE).tobytes() for p in photos.rglob("*.png")}
    folds = (splits.raw_train, splits.raw_valid, splits.raw_test)
    assert {image.tobytes() for fold in folds for image in fold.items} == wanted


def test_grey_pictures_have_one_channel(tmp_path: Path) -> None:
    fill(tmp_path / "photos", shape=(9, 9))
    assert read(tmp_path).preprocessor.shape == (1, SIZE, SIZE)
    Image.fromarray(draw(7)).save(tmp_path / "photos" / "cat" / "coloured.png")
    assert read(tmp_path).preprocessor.shape == (3, SIZE, SIZE)


@pytest.mark.parametrize("form", ["PNG", "BMP", "GIF", "TIFF", "WEBP", "JPEG"])
def test_formats(form: str) -> None:
    image = np.broadcast_to(np.arange(0, 256, 16, dtype=np.uint8)[:, None], (16, 16))
    found = pixels(as_bytes(Image.fromarray(np.ascontiguousarray(image)), form), 1)
    assert np.abs(found[0].astype(int) - image).max() <= (12 if form in ("WEBP", "JPEG") else 0)


def test_sixteen_bits_become_eight() -> None:
    wide = np.array([[0, 128, 129, 257], [32767, 32768, 65407, 65535]], np.uint16)
    found = pixels(as_bytes(Image.fromarray(wide), "PNG"), 1)
    assert found[0].tolist() == np.floor(wide / 257 + 0.5).tolist()


def test_transparent_parts_are_white() -> None:
    image = np.zeros((2, 2, 4), np.uint8)
    image[0, 0] = (10, 20, 30, 255)
    image[0, 1] = (10, 20, 30, 128)
    found = pixels(as_bytes(Image.fromarray(image), "PNG"), 3)
    assert found[:, 0, 0].tolist() == [10, 20, 30]
    assert found[:, 1].tolist() == [[255, 255]] * 3
    assert np.abs(found[:, 0, 1] - np.array([132, 137, 142])).max() <= 1


def test_pictures_are_turned_as_the_camera_was_held() -> None:
    image = draw(1, (6, 4, 3))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    found = pixels(as_bytes(Image.fromarray(image), "PNG", exif=exif), 3)
    assert (found == np.rot90(image, -1).transpose(2, 0, 1)).all()


def test_floating_point_is_refused() -> None:
    with pytest.raises(ValueError, match="floating point"):
        pixels(as_bytes(Image.fromarray(np.ones((3, 3), np.float32)), "TIFF"), 1)


def test_a_table_of_paths(photos: Path) -> None:
    paths = [path.relative_to(photos.parent).as_posix() for path in photos.rglob("*.png")]
    rows = {"path": paths, "age": range(len(paths))}
    pd.DataFrame(rows).to_csv(photos.parent / "table.csv", index=False)
    spec = DataSpec(file="table.csv", images="path", target="age", size=SIZE)
    splits = read(photos.parent, spec)
    assert splits.task == "regression"
    assert splits.preprocessor.shape == (3, SIZE, SIZE)
    plain = DataSpec(file="table.csv", target="age")
    assert fingerprint(spec, photos.parent) != fingerprint(plain, photos.parent)


def test_a_change_of_the_data_is_another_fingerprint(photos: Path) -> None:
    before = fingerprint(FOLDER, photos.parent)
    assert fingerprint(FOLDER, photos.parent) == before
    Image.fromarray(draw(99)).save(photos / "cat" / "0.png")
    changed = fingerprint(FOLDER, photos.parent)
    (photos / "cat" / "1.png").rename(photos / "dog" / "moved.png")
    assert len({before, changed, fingerprint(FOLDER, photos.parent)}) == 3
    assert fingerprint(DataSpec(folder="photos", size=16), photos.parent) not in {before, changed}


def test_pictures_are_decoded_once(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = read(photos.parent)

    def never(*_: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr(cache, "pixels_of_size", never)
    monkeypatch.setattr(digests, "_digest", never)
    again = read(photos.parent)
    assert (again.train.x == first.train.x).all()


def test_the_cache_is_mapped_into_memory(photos: Path) -> None:
    names = [p.relative_to(photos).as_posix() for p in sorted(photos.rglob("*.png"))]
    found = cache.decoded(photos, names, digests.digests(photos, names), SIZE)
    assert isinstance(found.images, np.memmap)
    assert not found.images.flags.writeable


@pytest.mark.parametrize("spoil", [b"", b"{", b'{"shape": [1, 3, 8, 8]}'])
def test_a_cache_that_is_not_whole_is_made_again(photos: Path, spoil: bytes) -> None:
    first = read(photos.parent)
    kept = next(digests.cache_folder().glob("pictures-*.json"))
    kept.write_bytes(spoil)
    assert (read(photos.parent).train.x == first.train.x).all()
    kept.with_suffix(".pixels").write_bytes(b"short")
    assert (read(photos.parent).train.x == first.train.x).all()


def _sum_of(folder: str, into: Any) -> None:
    into.put(float(np.float64(load(FOLDER, Path(folder), 0).train.x).sum()))


def test_workers_that_start_at_once_share_it(photos: Path) -> None:
    context = multiprocessing.get_context("spawn")
    into: Any = context.Queue()
    workers = [context.Process(target=_sum_of, args=(str(photos.parent), into)) for _ in range(2)]
    for worker in workers:
        worker.start()
    sums = {into.get(timeout=120) for _ in workers}
    for worker in workers:
        worker.join()
    assert sums == {float(np.float64(read(photos.parent).train.x).sum())}
    assert not list(digests.cache_folder().glob(".part-*"))


def test_a_full_disk_is_one_sentence(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("tempfile.mkstemp", full)
    with pytest.raises(CannotWrite, match=r"no space left.*SATISFICE_CACHE"):
        read(photos.parent)


def break_one(photos: Path) -> None:
    whole = (photos / "cat" / "3.png").read_bytes()
    (photos / "cat" / "3.png").write_bytes(whole[: len(whole) // 2])


def test_broken_pictures_are_skipped_and_counted(photos: Path) -> None:
    break_one(photos)
    (photos / "dog" / "4.png").write_text("no picture")
    told = r"2 of 24 pictures cannot be read: cat/3.png .*, dog/4.png .*skip_broken"
    with pytest.raises(DataError, match=told):
        read(photos.parent)
    splits = read(photos.parent, DataSpec(folder="photos", size=SIZE, skip_broken=True))
    assert len(splits.train) + len(splits.valid) + len(splits.test) == 22
    assert any("2 of 24 pictures cannot be read and are left out" in str(note) for note in splits.notes)


def test_what_is_left_out_or_changed_is_said(photos: Path) -> None:
    (photos / "cat" / "notes.txt").write_text("none")
    (photos / "dog" / "copy.png").write_bytes((photos / "cat" / "0.png").read_bytes())
    told = [str(note) for note in read(photos.parent).notes]
    assert any("files that are no pictures" in each and "notes.txt" in each for each in told)
    assert any("exact copies" in each for each in told)
    assert any("several labels" in each for each in told)
    assert any("not square" in each for each in told)


def _absent(photos: Path) -> None:
    photos.rename(photos.with_name("elsewhere"))


def _a_file(photos: Path) -> None:
    _absent(photos)
    photos.write_text("x")


def _empty(photos: Path) -> None:
    _absent(photos)
    photos.mkdir()


def _loose(photos: Path) -> None:
    _empty(photos)
    Image.fromarray(draw(0)).save(photos / "0.png")


def _beside(photos: Path) -> None:
    Image.fromarray(draw(0)).save(photos / "0.png")


def _one_class(photos: Path) -> None:
    (photos / "dog").rename(photos / ".dog")


def _empty_class(photos: Path) -> None:
    (photos / "emu").mkdir()


def _split(photos: Path) -> None:
    (photos / "cat").rename(photos / "train")
    (photos / "dog").rename(photos / "val")


def _few(photos: Path) -> None:
    for at in range(2, 12):
        (photos / "dog" / f"{at}.png").unlink()


def _all_broken(photos: Path) -> None:
    for path in photos.rglob("*.png"):
        path.write_bytes(b"")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_absent, "does not exist"),
        (_a_file, "is no folder"),
        (_empty, "holds no folders of pictures"),
        (_loose, "holds 1 pictures, but no folders"),
        (_beside, "holds pictures beside its folders"),
        (_one_class, "single class 'cat'"),
        (_empty_class, "folder emu holds no picture"),
        (_split, "parts of a split"),
        (_few, "has 2 rows, too few"),
        (_all_broken, "none of all files"),
    ],
)
def test_what_is_wrong_with_a_folder_is_one_sentence(
    photos: Path, spoil: Callable[[Path], None], says: str
) -> None:
    spoil(photos)
    with pytest.raises(DataError, match=says) as caught:
        read(photos.parent)
    assert "\n" not in str(caught.value)
    assert "photos" in str(caught.value)


@pytest.mark.parametrize(
    ("cells", "images", "says"),
    [
        (["photos/cat/0.png", ""], "path", "names no picture in 6 rows"),
        (
            ["photos/cat/0.png", "photos/none.png"],
            "path",
            "a file that does not exist, such as photos/none",
        ),
        (["photos/cat/0.png"], "paths", "no column 'paths'.*path"),
    ],
)
def test_what_is_wrong_with_a_table_of_paths(photos: Path, cells: list[str], images: str, says: str) -> None:
    rows = pd.DataFrame({"path": cells * 6, "label": ["a", "b"] * 3 * len(cells)})
    rows.to_csv(photos.parent / "table.csv", index=False)
    with pytest.raises(DataError, match=says):
        read(photos.parent, DataSpec(file="table.csv", images=images, target="label", size=SIZE))


STUDY: dict[str, Any] = {
    "name": "s",
    "model": {"family": "cnn"},
    "objectives": {"accuracy": "maximize"},
    "space": {"dropout": {"low": 0.0, "high": 0.5}},
    "budget": {"trials": 1},
}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"folder": "photos", "file": "a.csv", "target": "x"}, "both file and folder"),
        ({"folder": "photos", "target": "x"}, "target: goes with file"),
        ({"folder": "photos", "images": "x"}, "images: goes with file"),
        ({"folder": "photos", "drop": ["x"]}, "drop: goes with file"),
        ({"folder": "photos", "task": "regression"}, "are classes"),
        ({"folder": "photos", "size": 2}, "data.size"),
        ({"name": "digits", "size": 32}, "size: goes with pictures"),
        ({"name": "digits", "images": "x"}, "images: goes with file"),
        ({"file": "a.csv", "target": "x", "skip_broken": True}, "skip_broken: goes with pictures"),
        ({"file": "a.csv", "target": "x", "images": "x"}, "is the column of the target"),
        ({"file": "a.csv", "target": "x", "images": "y", "drop": ["z"]}, "does not go with images"),
    ],
)
def test_keys_that_do_not_go_together(data: dict[str, Any], says: str) -> None:
    with pytest.raises(SpecError, match=says):
        parse_dict(STUDY | {"data": data})


def test_half_the_size_is_what_the_algorithm_gives(photos: Path) -> None:
    whole = pixels((photos / "cat" / "0.png").read_bytes(), 3)
    assert (pixels_of_size((photos / "cat" / "0.png").read_bytes(), 3, 6, 5) == resize(whole, 6, 5)).all()
