"""MedMNIST archives: thousands of cases in a few arrays."""

import os
from pathlib import Path

import numpy as np
import pytest

from diascope.core.errors import BadUsage, UnreadableFile
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.formats import npz
from diascope.formats.npz import FORMAT

RNG = np.random.default_rng(6)


def an_archive(folder: Path, **arrays: np.ndarray) -> Path:
    np.savez_compressed(folder / "x.npz", **arrays)
    return folder / "x.npz"


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((5, 28, 27), (1, 1, 28, 27)),
        ((5, 28, 27, 3), (3, 1, 28, 27)),
        ((5, 8, 28, 27), (1, 8, 28, 27)),
        ((5, 8, 28, 27, 3), (3, 8, 28, 27)),
        ((5, 28, 27, 1), (1, 1, 28, 27)),
        ((5, 8, 28, 27, 1), (1, 8, 28, 27)),
        ((5, 8, 28, 27, 4), (4, 8, 28, 27)),
    ],
)
def test_items_of_every_shape(tmp_path: Path, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    array = RNG.integers(0, 255, shape, dtype=np.uint8)
    image = FORMAT.read([an_archive(tmp_path, train_images=array)], "train_images:3")
    assert image.array.shape == expected
    assert image.array.dtype == np.uint8
    assert not image.geometry.physical
    last = np.moveaxis(array[3], -1, 0) if shape[-1] < 5 else array[3]
    np.testing.assert_array_equal(image.array.ravel(), last.ravel())


def test_alpha_is_dropped_and_that_is_noted(tmp_path: Path) -> None:
    array = RNG.integers(0, 255, (2, 28, 27, 4), dtype=np.uint8)
    image = FORMAT.read([an_archive(tmp_path, train_images=array)], "train_images:1")
    np.testing.assert_array_equal(image.array[:, 0], np.moveaxis(array[1, ..., :3], -1, 0))
    assert image.history == ("the alpha channel was dropped",)
    measured = FORMAT.read([an_archive(tmp_path, train_images=array.astype(np.float32))], "train_images:1")
    assert (measured.array.shape, measured.history) == ((4, 1, 28, 27), ())


def test_an_item_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    path = an_archive(tmp_path, train_images=np.zeros((2, 8, 8), np.uint8), train_labels=np.zeros((2, 1), np.uint8))
    for item, reason in [
        ("train_images:2", "2 items"),
        ("test_images:0", "there are: train_images, train_labels"),
        ("train_images:x", "no 'train_images:x'"),
        ("train_labels:0", "not an image"),
        (None, "2 arrays"),
    ]:
        with pytest.raises(UnreadableFile, match=reason):
            FORMAT.read([path], item)


def test_the_only_array_is_the_image(tmp_path: Path) -> None:
    assert FORMAT.read([an_archive(tmp_path, volume=np.zeros((4, 8, 9), np.int16))]).array.shape == (1, 4, 8, 9)


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", train_images=np.array([{"a": 1}], dtype=object))
    with pytest.raises(UnreadableFile, match="allow_pickle"):
        FORMAT.read([tmp_path / "x.npz"], "train_images:0")


def test_the_archive_is_unpacked_once_until_it_changes(tmp_path: Path) -> None:
    path = an_archive(tmp_path, train_images=np.zeros((200, 8, 8), np.uint8))
    npz._array.cache_clear()
    for number in range(200):
        FORMAT.read([path], f"train_images:{number}")
    assert npz._array.cache_info().misses == 1
    an_archive(tmp_path, train_images=np.full((200, 8, 8), 9, np.uint8))
    os.utime(path, ns=(1, 1))
    assert FORMAT.read([path], "train_images:0").array.max() == 9


def test_a_broken_array_is_unpacked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, train_images=np.full((20, 8, 8), 77, np.uint8))
    path.write_bytes(path.read_bytes().replace(b"M" * 64, b"N" * 64, 1))
    unpacked: list[Path] = []
    load = np.load
    monkeypatch.setattr(np, "load", lambda path, **how: unpacked.append(path) or load(path, **how))
    for number in range(20):
        with pytest.raises(UnreadableFile, match=r"x\.npz: Bad CRC-32"):
            FORMAT.read([path], f"train_images:{number}")
    assert unpacked == [path]
    an_archive(tmp_path, train_images=np.full((20, 8, 8), 9, np.uint8))
    assert FORMAT.read([path], "train_images:0").array.max() == 9


def test_memory_that_was_short_once_is_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = an_archive(tmp_path, train_images=np.ones((2, 8, 8), np.uint8))

    def short(*_: object, **__: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(np, "load", short)
        with pytest.raises(UnreadableFile, match="more memory than there is"):
            FORMAT.read([path], "train_images:0")
    assert FORMAT.read([path], "train_images:0").array.max() == 1


def test_an_image_may_be_changed_without_changing_the_next(tmp_path: Path) -> None:
    path = an_archive(tmp_path, train_images=np.zeros((2, 8, 8), np.uint8))
    FORMAT.read([path], "train_images:0").array[:] = 7
    assert FORMAT.read([path], "train_images:0").array.max() == 0


def test_it_is_only_read(tmp_path: Path) -> None:
    with pytest.raises(BadUsage, match="only read"):
        FORMAT.write(Image(np.zeros((1, 1, 4, 4)), Geometry.unknown()), tmp_path / "x.npz")
