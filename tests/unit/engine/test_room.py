"""What reading needs, from headers: in the order of what it is measured to take."""

from __future__ import annotations

import resource
import subprocess
import sys
from typing import Any

import pytest

from diascope.core.errors import DoesNotFit
from diascope.core.geometry import Geometry
from diascope.engine.room import MARGIN, Need, bounded, need
from diascope.formats import Extent
from diascope.testing.releases import ORGANS, a_plan

LPS = Geometry.from_spacing((1.0, 0.7, 0.7))
WINDOW = {"image": {"rule": "window", "low": -160, "high": 240, "mean": 40, "std": 60}}
VOXELS = 300 * 512 * 512


def needed(geometry: Geometry = LPS, itemsize: int = 2, **changes: Any) -> Need:
    plan = a_plan(ORGANS, (32, 64, 64), intensity=changes.pop("intensity", WINDOW), **changes)
    return need(plan, {"image": Extent((1, 300, 512, 512), itemsize, geometry)}, windowed=True)


def test_file_array_volume_and_labels_are_held_while_windows_are_run() -> None:
    assert needed().held == MARGIN + VOXELS * (2 * 2 + 4 + 2)
    assert needed(itemsize=4).held - needed().held == 4 * VOXELS


def test_a_coarser_grid_holds_less_but_the_way_there_does_not() -> None:
    coarse = needed(prepare=[["resample", {"spacing": [2.0, 1.4, 1.4]}]])
    assert needed().held - coarse.held == pytest.approx(4 * VOXELS * 7 / 8, rel=0.01)
    assert coarse.peak > MARGIN + VOXELS * (2 * 2 + 4 * 1.5)


def test_what_scales_by_the_whole_image_or_turns_it_holds_a_second_copy() -> None:
    assert needed(intensity={"image": {"rule": "z-score"}}).peak > needed().peak
    turned = Geometry.from_spacing((1.0, 0.7, 0.7), directions=[[-1, 0, 0], [0, -1, 0], [0, 0, 1]])
    assert needed(turned).peak >= MARGIN + VOXELS * (2 * 2 + 4 + 4)


def test_buffers_get_what_is_left() -> None:
    one = needed()
    assert one.buffers(one.held + 3_000_000) == 2_000_000
    assert one.most == max(one.peak, one.held + one.least)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 3 bytes")])
def test_an_allocation_that_fails_is_said_as_such(error: Exception) -> None:
    with pytest.raises(DoesNotFit, match="reading a needs more memory than there is"), bounded("reading a"):
        raise error
    with pytest.raises(RuntimeError, match="shapes differ"), bounded("reading a"):
        raise RuntimeError("shapes differ")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not keep this limit")
def test_a_limit_on_the_address_space_is_known() -> None:
    said = subprocess.run(
        [sys.executable, "-c", "from diascope.engine.room import address_space_left as left; print(left())"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30)),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert said.stdout.strip() == "None" or 0 < int(said.stdout) < 16 << 30
