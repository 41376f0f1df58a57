"""The viewer on made-up series whose voxels are known: what lies where, what is told, how it is moved."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from diascope.testing.viewed import COLUMNS, FILL, HIGH, MARK, RED, ROWS, SCALE, WIDE, grey, place, port, reddest
from diascope.testing.viewer import Fake, Seen

pytestmark = pytest.mark.browser


def test_the_first_picture_is_the_middle_frame_with_its_sides_and_numbers(viewer: Seen) -> None:
    viewer.open("volume")
    assert viewer.text("slice") == "21 / 40"
    assert viewer.text("window") == "C 0 W 1001"
    assert viewer.letters() == {"left": "R", "right": "L", "top": "A", "bottom": "P"}
    assert viewer.do("() => [viewer.planar, viewer.loaded, viewer.dirty, viewer.frame()]") == [True, True, False, 20]
    viewer.do("() => viewer.frame(15)")
    picture = viewer.picture()
    for (row, col), value in {(31, 21): 400, (48, 58): 400, (28, 21): -379, (40, 62): -338, (90, 120): -280}.items():
        x, y = place(row, col)
        assert abs(int(picture[int(y), int(x), 0]) - grey(value)) <= 3, (row, col)
    assert viewer.page.locator(".viewer").get_attribute("aria-label").startswith("Pictures of the series, 40 slices")


@pytest.mark.parametrize(("ratio", "rendering"), [(1, "cpu"), (2, "cpu"), (1, "gpu")])
def test_a_mask_lies_on_its_voxels_whatever_the_zoom(
    chromium: Any, viewer_server: Fake, ratio: int, rendering: str
) -> None:
    context = chromium.new_context(viewport={"width": WIDE, "height": HIGH}, device_scale_factor=ratio)
    viewer = Seen(context.new_page(), viewer_server).open("volume", f"&rendering={rendering}")
    viewer.do(FILL, [[15, 41, 30], [16, 42, 31], 3, RED, 1])
    viewer.do("() => viewer.frame(15)")
    for zoom in (1, 2.5, 1):
        viewer.do("zoom => viewer.zoom(zoom)", zoom)
        red = reddest(viewer)
        x, y = place(41, 30, zoom)
        assert red.mean(axis=0) == pytest.approx([y * ratio - 0.5, x * ratio - 0.5], abs=1)
        high, wide = np.ptp(red, axis=0) + 1
        assert [high, wide] == pytest.approx([1.5 * SCALE * zoom * ratio, SCALE * zoom * ratio], abs=2)
    viewer.page.set_viewport_size({"width": 700, "height": 500})
    viewer.settle()
    red = reddest(viewer)
    fit = 500 / (ROWS * 1.5)
    assert red.mean(axis=0)[0] == pytest.approx((250 + (41.5 - ROWS / 2) * 1.5 * fit) * ratio, abs=2)
    assert red.mean(axis=0)[1] == pytest.approx((350 + (30.5 - COLUMNS / 2) * fit) * ratio, abs=2)
    context.close()


def test_masks_hide_fade_and_are_on_their_slices_only(viewer: Seen) -> None:
    viewer.open("volume").do(FILL, [[15, 40, 30], [16, 45, 40], 3, RED, 0.5])
    viewer.do("() => viewer.frame(15)")
    inside = place(42, 35)
    red, green, _ = viewer.colour(inside)
    assert red - green == pytest.approx(127, abs=6)
    viewer.do("() => viewer.maskVisible(3, false)")
    assert len(set(viewer.colour(inside))) == 1
    viewer.do("() => viewer.maskVisible(3, true)")
    assert viewer.colour(inside)[0] == red
    viewer.do("() => viewer.maskVisible('all', false)")
    assert len(set(viewer.colour(inside))) == 1
    viewer.do("() => { viewer.maskVisible('all', true); viewer.frame(16) }")
    assert len(set(viewer.colour(inside))) == 1
    with pytest.raises(Exception, match="the mask has 5 voxels, the series 491520"):
        viewer.do("() => viewer.mask({labels: [], voxels: new Uint8Array(5)})")


def test_scrolling_by_wheel_drag_and_keys(viewer: Seen) -> None:
    viewer.open("volume")
    frame = lambda: viewer.do("() => viewer.frame()")  # noqa: E731 -- asked a dozen times
    viewer.page.mouse.move(600, 400)
    viewer.page.mouse.wheel(0, 100)
    viewer.settle()
    assert (frame(), viewer.text("slice")) == (21, "22 / 40")
    viewer.page.locator("#place").focus()
    assert [viewer.keys(key) and frame() for key in ("ArrowDown", "ArrowUp", "ArrowRight", "PageDown", "PageUp")] == [
        22, 21, 22, 32, 22,
    ]  # fmt: skip
    assert [viewer.keys(key) and frame() for key in ("Home", "ArrowUp", "End", "ArrowDown")] == [0, 0, 39, 39]
    viewer.do("() => viewer.frame(20)")
    viewer.drag((600, 400), (600, 420), (600, 440))
    assert frame() == 22
    heard = viewer.do("() => new Promise(done => { viewer.on('frame', done); viewer.frame(7) })")
    assert heard == {"index": 7, "count": 40}


def test_the_window_by_drags_keys_presets_and_reset(viewer: Seen) -> None:
    viewer.open("volume").do("() => { viewer.frame(15); viewer.tool('window') }")
    viewer.drag((600, 400), (700, 400), (700, 450))
    centre, width = viewer.do("() => Object.values(viewer.window())")
    assert centre > 150
    assert width > 1300
    viewer.do("() => viewer.preset('bone')")
    assert viewer.text("window") == "C 500 W 2000"
    assert viewer.colour(place(35, 30))[0] == pytest.approx(grey(400, 500, 2000), abs=2)
    viewer.page.locator("#place").focus()
    viewer.keys("i")
    assert viewer.colour(place(35, 30))[0] == pytest.approx(255 - grey(400, 500, 2000), abs=2)
    viewer.keys("Shift+ArrowRight")
    assert viewer.do("() => viewer.window().width") > 2000
    viewer.do("() => viewer.tool('scroll')")
    viewer.drag((600, 400), (500, 400), button="right")
    assert viewer.do("() => viewer.window().width") < 2000
    viewer.keys("r")
    assert viewer.text("window") == "C 0 W 1001"
    with pytest.raises(Exception, match="no window is named lung; there are as sent, bone"):
        viewer.do("() => viewer.preset('lung')")


def test_zoom_and_pan(viewer: Seen) -> None:
    viewer.open("volume").do(FILL, [[15, 41, 30], [16, 42, 31], 3, RED, 1])
    viewer.do("() => { viewer.frame(15); viewer.tool('pan') }")
    viewer.drag((600, 400), (650, 400), (700, 430))
    x, y = place(41, 30)
    assert viewer.colour((x + 100, y + 30))[0] > 240
    viewer.page.locator("#place").focus()
    viewer.keys("Alt+ArrowRight", "+")
    assert viewer.text("zoom") == "125 %"
    viewer.keys("0")
    assert viewer.text("zoom") == "100 %"
    assert viewer.colour((x, y))[0] > 240
    viewer.page.mouse.move(x, y)
    viewer.page.keyboard.down("Control")
    viewer.page.mouse.wheel(0, -300)
    viewer.page.keyboard.up("Control")
    viewer.settle()
    assert viewer.do("() => viewer.zoom()") > 2
    assert viewer.colour((x, y))[0] > 240


def test_a_film_without_a_size_has_no_sides_and_is_measured_in_pixels(viewer: Seen) -> None:
    viewer.open("film")
    assert viewer.letters() == {}
    assert viewer.text("unsized") == "True size unknown: lengths in pixels"
    assert viewer.do("() => viewer.planar") is False
    with pytest.raises(Exception, match="no volume"):
        viewer.do("() => viewer.layout('planes')")
    viewer.do("() => viewer.tool('length')")
    viewer.drag((300, 200), (400, 200), (500, 200))
    [found] = viewer.do("() => viewer.measurements()")
    assert (found["length"], found["unit"]) == (pytest.approx(100), "px")
    assert viewer.page.locator("svg text").first.text_content() == "100 px"
    viewer.page.mouse.move(1, 399)
    viewer.settle()
    assert viewer.text("value") == "x 1, y 200, z 1: 0"


def test_a_photograph_keeps_its_colours(viewer: Seen) -> None:
    viewer.open("photo")
    for place_, wanted in {(200, 400): (200, 100, 50), (1000, 400): (20, 60, 200)}.items():
        assert viewer.colour(place_) == pytest.approx(wanted, abs=1)
    viewer.page.mouse.move(200, 400)
    viewer.settle()
    assert viewer.text("value").endswith(": 200, 100, 50")


def test_frames_that_are_no_volume_are_shown_in_turn(viewer: Seen) -> None:
    viewer.open("cine")
    assert viewer.text("slice") == "1 / 5"
    viewer.do("() => { viewer.window(80, 160); viewer.frame(4) }")
    assert viewer.colour((600, 400))[0] > 250
    assert viewer.letters() == {}


def test_small_real_numbers_are_shown_and_told(viewer: Seen) -> None:
    viewer.open("map").do("() => { viewer.frame(15); viewer.window(0, 1) }")
    assert viewer.colour(place(35, 30))[0] == pytest.approx(0.9 * 255, abs=3)
    viewer.page.mouse.move(*place(35, 30))
    viewer.settle()
    assert viewer.text("value") == "x 31, y 36, z 16: 0.400 1/s"


def test_frames_that_go_far_beyond_the_one_in_the_middle_are_drawn_right(viewer: Seen) -> None:
    viewer.open("grows", "&first=1").do("() => { viewer.window(9, 4); viewer.frame(3) }")
    assert viewer.colour((600, 400))[0] == pytest.approx(127, abs=2)
    viewer.do("() => { viewer.window(0.25, 0.2); viewer.frame(2) }")
    assert viewer.colour((600, 400))[0] == pytest.approx(0.75 * 255, abs=3)


def test_planes_show_the_patient_upright_and_in_proportion(viewer: Seen) -> None:
    viewer.open("volume").do("() => viewer.layout('planes')")
    viewer.do(FILL, [[10, 30, 20], [20, 50, 60], 1, RED, 1])
    viewer.do("() => viewer.jumpTo([15, 40, 40])")
    sides = {"left": "R", "right": "L", "top": "H", "bottom": "F"}
    assert viewer.letters("coronal") == sides
    assert viewer.letters("sagittal") == {"left": "A", "right": "P", "top": "H", "bottom": "F"}
    assert viewer.letters("axial") == {"left": "R", "right": "L", "top": "A", "bottom": "P"}
    red = reddest(viewer)
    for plane, (high, wide, down, right) in {
        # mm of the block, and of its middle from the middle of the plane
        "coronal": (30, 40, -(14.5 - 19.5) * 3, 39.5 - 63.5),
        "sagittal": (30, 30, -(14.5 - 19.5) * 3, (39.5 - 47.5) * 1.5),
        "axial": (30, 40, (39.5 - 47.5) * 1.5, 39.5 - 63.5),
    }.items():
        x, y, width, height = port(viewer, plane)
        part = red[(red[:, 0] >= y) & (red[:, 0] < y + height) & (red[:, 1] >= x) & (red[:, 1] < x + width)] - [y, x]
        scale = (np.ptp(part, axis=0) + 1) / (high, wide)
        assert scale[0] == pytest.approx(scale[1], rel=0.06), plane
        middle = (part.min(axis=0) + part.max(axis=0)) / 2
        assert middle == pytest.approx([height / 2 + down * scale[0], width / 2 + right * scale[1]], abs=6), plane


def test_the_cross_hair_leads_all_planes_to_one_voxel(viewer: Seen) -> None:
    viewer.open("oblique").do("() => viewer.layout('planes')")
    viewer.do("mark => viewer.jumpTo(mark)", list(MARK))
    for plane in ("axial", "coronal", "sagittal"):
        x, y, width, height = port(viewer, plane)
        part = viewer.picture()[int(y) : int(y + height), int(x) : int(x + width)]
        assert (part.min(axis=-1) > 240).sum() > 20, plane
    shown = viewer.text("slice", "axial"), viewer.text("slice", "sagittal")
    x, y, width, height = port(viewer, "coronal")
    viewer.drag((x + width / 3, y + height / 3), (x + width / 4, y + height / 4))
    assert viewer.text("slice", "axial") != shown[0]
    assert viewer.text("slice", "sagittal") != shown[1]
    viewer.page.mouse.wheel(0, 100)
    viewer.settle()
    viewer.do("() => viewer.layout('stack')")
    assert viewer.letters() == {"left": "RA", "right": "LP", "top": "AL", "bottom": "PR"}


def test_a_mask_lies_on_the_same_voxels_in_every_plane(viewer: Seen) -> None:
    viewer.open("oblique")
    z, y, x = MARK
    viewer.do(FILL, [[z - 1, y - 2, x - 3], [z + 2, y + 3, x + 4], 1, RED, 1])
    viewer.do("() => viewer.layout('planes')")
    viewer.do("mark => viewer.jumpTo(mark)", list(MARK))
    for plane in ("axial", "coronal", "sagittal"):
        left, top, width, height = port(viewer, plane)
        part = viewer.picture()[int(top) : int(top + height), int(left) : int(left + width)]
        red = (part[..., 0] > 240) & (part[..., 1] < 20)
        assert red.sum() > 20
        (top, left), (low, right) = (part_.astype(int) for part_ in (np.argwhere(red).min(0), np.argwhere(red).max(0)))
        near = part[top - 5 : low + 6, left - 5 : right + 6]
        assert (near.min(axis=-1) > 128).sum() < 0.25 * red.sum(), plane


def test_the_wanted_frame_comes_first_and_the_rest_outward_in_chunks(viewer: Seen) -> None:
    viewer.server.asked.clear()
    viewer.open("long", "&first=10")
    asked = viewer.server.asked
    assert asked[0] == (11, 11)
    assert max(last - first + 1 for first, last in asked) == 16
    covered = sorted(frame for first, last in asked for frame in range(first, last + 1))
    assert covered == list(range(1, 61))
    assert viewer.page.locator(".viewer-progress").is_hidden()


def test_a_broken_load_is_told_and_can_be_tried_again(viewer: Seen) -> None:
    viewer.server.failing = True
    try:
        viewer.open("long", whole=False)
        viewer.page.locator(".viewer-progress", has_text="Slices could not be loaded. the archive is away").wait_for()
        viewer.do("() => { window.again = null; viewer.on('failed', event => { window.again = event.retry }) }")
    finally:
        viewer.server.failing = False
    viewer.do("() => viewer.frame(3)")
    viewer.page.evaluate("() => window.whole")
    assert viewer.settle().text("slice") == "4 / 60"
    viewer.complaints[:] = [one for one in viewer.complaints if "503" not in one]


def test_what_the_server_refuses_is_said(viewer: Seen) -> None:
    viewer.page.goto(f"{viewer.server.address}/?series=none")
    assert viewer.page.evaluate("() => window.opened") == "no such series"
    viewer.complaints[:] = [one for one in viewer.complaints if "404" not in one]


def test_a_viewer_that_is_closed_leaves_its_element_empty_and_another_can_follow(viewer: Seen) -> None:
    viewer.open("volume").do("() => viewer.destroy()")
    assert viewer.page.locator("#place > *").count() == 0
    viewer.open("film")
    assert viewer.text("slice") == "1 / 1"
