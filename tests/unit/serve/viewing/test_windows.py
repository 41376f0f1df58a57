"""Display windows: the sender's first, none that makes no sense, always one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diascope.formats.dicomio.decoder import decoder
from diascope.formats.dicomio.frames import Frames, frames_of, pixels
from diascope.formats.dicomio.headers import headers
from diascope.serve.viewing.windows import automatic, windows
from diascope.testing.objects import a_dataset, as_bytes

MIDDLE = np.arange(101, dtype=np.int16).reshape(1, 1, 101) * 10


def shown(folder: Path, **elements: Any) -> Frames:
    path = folder / "one.dcm"
    path.write_bytes(as_bytes(a_dataset(1, 1, 1, **elements)))
    return frames_of(headers([path]), decoder())[0]


def test_the_sent_one_is_first_and_the_automatic_one_last(tmp_path: Path) -> None:
    found = windows(shown(tmp_path), {"WindowCenter": "40", "WindowWidth": "400"}, MIDDLE)
    assert (found[0].name, found[0].centre, found[0].width) == ("as sent", 40, 400)
    assert found[1].name == "soft tissue"
    assert (found[-1].name, found[-1].centre, found[-1].width) == ("automatic", 500, 980)


@pytest.mark.parametrize(
    ("centre", "width"),
    [("", ""), ("40", "0"), ("40", "-3"), ("forty", "400"), ("nan", "400"), ("40", "inf"), ("40", ""), (None, None)],
)
def test_a_sent_one_that_makes_no_sense_is_left_out(tmp_path: Path, centre: Any, width: Any) -> None:
    found = windows(shown(tmp_path), {"WindowCenter": centre, "WindowWidth": width}, MIDDLE)
    assert found[0].name == "soft tissue"


def test_without_hounsfield_units_there_are_no_presets_of_ct(tmp_path: Path) -> None:
    found = windows(shown(tmp_path, RescaleType="US"), {}, MIDDLE)
    assert [one.name for one in found] == ["automatic"]


@pytest.mark.parametrize("signed", [False, True])
def test_a_turned_film_has_its_window_turned(tmp_path: Path, signed: bool) -> None:
    """What was as bright as the centre is so afterwards: it is turned as the values are, scale and all."""
    stored = np.full((4, 4), 700, np.int16 if signed else np.uint16)
    turned = {"PhotometricInterpretation": "MONOCHROME1", "Modality": "DX", "RescaleSlope": 2, "RescaleIntercept": 5}
    frames = shown(tmp_path, pixels=stored, BitsStored=12, HighBit=11, **turned)
    (value,) = np.unique(decoded(frames))
    found = windows(frames, {"WindowCenter": str(2 * 700 + 5), "WindowWidth": "300"}, MIDDLE)
    assert (found[0].centre, found[0].width) == (value, 300)


def decoded(frames: Frames) -> np.ndarray:
    return pixels(frames, range(1), decoder())


@pytest.mark.parametrize("values", [np.zeros((3, 3), np.uint8), np.full((3, 3), np.nan, np.float32)])
def test_a_frame_with_nothing_in_it_has_a_window_too(values: np.ndarray) -> None:
    assert automatic(values).width > 0


def test_a_bright_spot_on_nothing_is_within_the_window() -> None:
    values = np.zeros((100, 100), np.uint16)
    values[3, 4] = 900
    assert (automatic(values).centre, automatic(values).width) == (450, 900)
