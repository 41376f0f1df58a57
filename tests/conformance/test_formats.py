"""Promises of every file format: a new file in `formats/` is tested by existing.

What a format is asked follows from what it declares (`suffixes`, `writes`) and from what it accepts: it may refuse an
image that it cannot hold, or ask for the source series (`like`), but it must take one of the images offered here.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diascope.core import registry
from diascope.core.case import Label
from diascope.core.errors import DiascopeError, UnreadableFile
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.formats import format_of, kind_of, read
from diascope.sources import SourceOptions

NAMES = registry.names("formats")
LABELS = (Label(name="liver", value=1, code="SCT:10200004"), Label(name="lesion", value=2, code="SCT:52988006"))


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> tuple[Image, tuple[Path, ...]]:
    """A CT series of one invented patient: the image and its files."""
    folder = tmp_path_factory.mktemp("series") / "phantoms"
    listing = registry.get("sources", "phantom").list(f"phantom:1:1:{folder}", SourceOptions())
    ref = listing.cases[0].inputs["image"]
    return read(ref, folder), tuple(folder / path for path in ref.paths)


def of_images() -> list[str]:
    """Formats of images; those of other kinds keep what `diascope.testing` asks."""
    return [name for name, plugin in registry.each("formats") if kind_of(plugin) == "image"]


def offered(series: tuple[Image, tuple[Path, ...]]) -> Iterator[tuple[Image, tuple[Path, ...]]]:
    """Images of several kinds, and the files they lie on."""
    rng = np.random.default_rng(3)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    oblique = Geometry.from_spacing((3.0, 0.7, 1.1), (-20.0, 31.5, 7.25), turn * np.sign(np.linalg.det(turn)) * -1)
    yield Image(rng.integers(-1000, 1000, (1, 4, 6, 5)).astype(np.int16), oblique, "ct", "HU"), ()
    yield Image(rng.integers(0, 255, (1, 1, 9, 7)).astype(np.uint8), Geometry.unknown(), unit="grey"), ()
    image, files = series
    mask = (image.array > 80).astype(np.uint8) + (image.array > 160)
    yield Image(mask, image.geometry, "ct", "label", {"labels": LABELS}), files


def writes(name: str, suffix: str, folder: Path, series: Any) -> list[tuple[Image, list[Path]]]:
    """Everything of the offer that a format takes, with the files it wrote."""
    written = []
    for number, (image, like) in enumerate(offered(series)):
        target = folder / f"{number}{suffix}"
        try:
            registry.get("formats", name).write(image, target, like)
        except DiascopeError:
            continue
        files = sorted(path for path in target.rglob("*") if path.is_file()) if target.is_dir() else [target]
        written.append((image, files))
    return written


def writers() -> list[tuple[str, str]]:
    """Format and suffix of everything that declares to write."""
    plugins = [(name, registry.get("formats", name)) for name in of_images()]
    plugins = [(name, plugin) for name, plugin in plugins if plugin.writes and plugin.is_available()]
    return [(name, suffix) for name, plugin in plugins for suffix in plugin.suffixes]


@pytest.mark.parametrize("name", of_images())
def test_it_writes_something_with_one_of_its_suffixes(name: str, tmp_path: Path, series: Any) -> None:
    plugin = registry.get("formats", name)
    if not plugin.writes:
        with pytest.raises(DiascopeError):
            plugin.write(next(offered(series))[0], tmp_path / f"x{plugin.suffixes[0]}")
        return
    assert any(writes(name, suffix, tmp_path, series) for suffix in plugin.suffixes)


@pytest.mark.parametrize(("name", "suffix"), writers())
def test_a_round_trip_keeps_voxels_geometry_and_unit(name: str, suffix: str, tmp_path: Path, series: Any) -> None:
    for image, files in writes(name, suffix, tmp_path, series):
        back = registry.get("formats", name).read(files)
        assert back.array.dtype == image.array.dtype
        assert back.unit == image.unit
        assert back.geometry.physical == image.geometry.physical
        np.testing.assert_array_equal(back.array, image.array)
        assert back.geometry.is_close(image.geometry)


def is_as_its_header_says(name: str, files: list[Path], image: Image) -> None:
    """`extent` may be None; where it says something, reading gives that."""
    said = registry.get("formats", name).extent(files)
    if said is None:
        return
    assert said.shape == image.array.shape
    assert said.itemsize == image.array.itemsize
    if image.geometry.physical:
        assert said.geometry.is_close(image.geometry)


@pytest.mark.parametrize(("name", "suffix"), writers())
def test_the_header_says_how_large_it_is(name: str, suffix: str, tmp_path: Path, series: Any) -> None:
    for image, files in writes(name, suffix, tmp_path, series):
        is_as_its_header_says(name, files, image)


def test_the_headers_of_a_series_say_how_large_it_is(series: Any) -> None:
    image, files = series
    is_as_its_header_says("dicom", list(files), image)


@pytest.mark.parametrize(("name", "suffix"), writers())
def test_what_it_wrote_is_recognised_by_it_and_by_nobody_else(
    name: str, suffix: str, tmp_path: Path, series: Any
) -> None:
    for _, files in writes(name, suffix, tmp_path, series):
        assert format_of(files[0]) == name
        assert [other for other in of_images() if registry.get("formats", other).recognises(files[0])] == [name]


@pytest.mark.parametrize(("name", "suffix"), writers())
def test_a_truncated_file_is_refused_with_the_reason(name: str, suffix: str, tmp_path: Path, series: Any) -> None:
    for _, files in writes(name, suffix, tmp_path, series):
        whole = files[0].read_bytes()
        for kept in (0, 40, len(whole) // 2, len(whole) - 16):
            files[0].write_bytes(whole[:kept])
            with pytest.raises(UnreadableFile) as caught:
                registry.get("formats", name).read(files)
            assert caught.value.reason


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("content", [b"", b"not an image at all\n" * 40, bytes(5000)])
def test_a_file_that_is_something_else_is_refused(name: str, content: bytes, tmp_path: Path) -> None:
    plugin = registry.get("formats", name)
    if name == "text" and content.strip(b"\0"):
        pytest.skip("any letters are a text")
    for suffix in plugin.suffixes:
        path = tmp_path / f"broken{suffix}"
        path.write_bytes(content)
        with pytest.raises(UnreadableFile):
            plugin.read([path])


@pytest.mark.parametrize("name", NAMES)
def test_it_recognises_its_own_suffixes_and_nobody_elses(name: str) -> None:
    plugin = registry.get("formats", name)
    assert all(suffix == suffix.lower() for suffix in plugin.suffixes)
    # Either the name decides, in whatever case, or the content does, and an absent file has none.
    by_name = {plugin.recognises(Path(f"absent{suffix}")) for suffix in plugin.suffixes}
    assert by_name == {plugin.recognises(Path(f"ABSENT{suffix.upper()}")) for suffix in plugin.suffixes}
    assert len(by_name) == 1
    others = {suffix for other, one in registry.each("formats") if other != name for suffix in one.suffixes}
    for suffix in others - set(plugin.suffixes):
        assert not plugin.recognises(Path(f"absent{suffix}"))


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(DiascopeError):
        registry.get("formats", name).read([tmp_path / "absent"])
