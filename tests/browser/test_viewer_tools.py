"""What is measured and drawn in the viewer, by mouse, keys and fingers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from diascope.testing.viewed import DRAWN, HIGH, MEASURED, WIDE, place
from diascope.testing.viewer import Fake, Seen

pytestmark = pytest.mark.browser


def test_lengths_regions_and_probes_are_those_of_the_voxels(viewer: Seen) -> None:
    viewer.open("volume").do("() => { viewer.frame(15); viewer.tool('length') }")
    viewer.drag(place(60, 70), place(60, 90), place(70, 100))
    viewer.do("() => viewer.tool('region')")
    viewer.drag(place(40, 40), place(43, 46), place(46, 50))
    viewer.do("() => viewer.tool('probe')")
    viewer.drag(place(80, 100), place(80, 100))
    viewer.do(MEASURED, 3)
    length, region, probe = viewer.do("() => viewer.measurements()")
    assert length["length"] == pytest.approx(np.hypot(30, 15), rel=0.02)
    assert length["unit"] == "mm"
    assert length["points"][0] == pytest.approx([15, 60, 70], abs=0.3)
    assert region["mean"] == pytest.approx(400, abs=0.01)
    assert region["sd"] == pytest.approx(0, abs=0.01)
    assert region["area"] == pytest.approx(region["pixels"] * 1.5, rel=0.1)
    assert (probe["value"], probe["valueUnit"]) == (-300, "HU")
    said = viewer.page.locator("svg text").all_text_contents()
    assert any(text.startswith("Area") and "Mean" in text and "400 HU" in text for text in said)
    viewer.do("() => viewer.frame(16)")
    assert viewer.page.locator("svg text").count() == 0
    viewer.do("() => viewer.clearMeasurements()")
    assert viewer.do("() => viewer.measurements()") == []


def test_brush_eraser_undo_and_redo_change_voxels(viewer: Seen) -> None:
    viewer.open("volume").do("() => { viewer.frame(15); viewer.tool('brush'); viewer.brushSize(1, 'px') }")
    viewer.do("""() => viewer.mask({
      labels: [{value: 2, name: 'mass', colour: '#ff0000'}], voxels: new Uint8Array(40 * 96 * 128)})""")
    viewer.drag(place(60, 70), place(60, 75))
    assert viewer.do(DRAWN) == [[15, 60, x, 2] for x in range(70, 76)]
    assert viewer.do("() => viewer.dirty") is True
    assert viewer.colour(place(60, 72))[0] > viewer.colour(place(60, 72))[1] + 60
    viewer.do("() => viewer.tool('eraser')")
    viewer.drag(place(60, 72), place(60, 72))
    assert len(viewer.do(DRAWN)) == 5
    viewer.page.locator("#place").focus()
    viewer.keys("Control+z")
    assert len(viewer.do(DRAWN)) == 6
    viewer.keys("Control+z")
    assert viewer.do(DRAWN) == []
    assert viewer.do("() => viewer.dirty") is False
    viewer.keys("Control+y", "Control+Shift+z")
    assert len(viewer.do(DRAWN)) == 5


def test_a_brush_in_mm_is_round_in_the_patient(viewer: Seen) -> None:
    viewer.open("volume").do("() => { viewer.frame(15); viewer.tool('brush'); viewer.brushSize(24, 'mm') }")
    viewer.drag(place(60, 70), place(60, 70))
    drawn = np.array(viewer.do(DRAWN))
    assert np.ptp(drawn[:, 1]) + 1 == pytest.approx(24 / 1.5, abs=1.1)
    assert np.ptp(drawn[:, 2]) + 1 == pytest.approx(24, abs=1.1)
    assert len(drawn) == pytest.approx(np.pi * 144 / 1.5, rel=0.03)


def test_a_polygon_fills_the_voxels_within_it(viewer: Seen) -> None:
    viewer.open("volume").do("() => { viewer.frame(12); viewer.tool('polygon') }")
    for corner in [(9.5, 9.5), (9.5, 19.5), (14.5, 19.5), (14.5, 9.5)]:
        viewer.page.mouse.click(*place(*corner))
    viewer.keys("Enter")
    assert {tuple(one) for one in viewer.do(DRAWN)} == {(12, y, x, 1) for y in range(10, 15) for x in range(10, 20)}
    viewer.drag(*[place(60 + 8 * np.sin(a), 60 + 8 * np.cos(a)) for a in np.linspace(0, 6, 30)])
    freehand = [one for one in viewer.do(DRAWN) if one[1] > 40]
    assert len(freehand) == pytest.approx(np.pi * 64, rel=0.1)
    viewer.page.mouse.click(*place(30, 30))
    viewer.keys("Escape", "Enter")
    assert len(viewer.do(DRAWN)) == 50 + len(freehand)


def test_boxes_are_drawn_moved_stretched_and_taken_away(viewer: Seen) -> None:
    viewer.open("volume").do("() => { viewer.frame(12); viewer.tool('box'); viewer.boxLabel('nodule', '#00ff00') }")
    viewer.do("() => viewer.boxes([{id: 'a', start: [10, 30, 20], stop: [20, 50, 60], label: 'x', colour: '#ff0000'}])")
    viewer.drag(place(60, 70), place(65, 75), place(69, 79))
    first, second = viewer.do("() => viewer.readBoxes()")
    assert (second["start"], second["stop"], second["label"]) == ([12, 60, 70], [13, 70, 80], "nodule")
    viewer.page.locator("#place").focus()
    viewer.keys("ArrowDown", "Enter")
    assert viewer.do("() => viewer.readBoxes()[1].stop") == [14, 70, 80]
    viewer.drag(place(40, 40), place(42, 43))
    assert viewer.do("() => viewer.readBoxes()[0].start") == [10, 32, 23]
    viewer.drag(place(51.5, 40), place(60, 40))
    assert viewer.do("() => viewer.readBoxes()[0].stop") == [20, 61, 63]
    viewer.keys("Delete")
    assert len(viewer.do("() => viewer.readBoxes()")) == 1
    viewer.keys("Control+z", "Control+z", "Control+z")
    assert viewer.do("() => viewer.readBoxes()[0]")["start"] == first["start"] == [10, 30, 20]
    edge = viewer.picture()[int(place(40, 0)[1]), :, :]
    reds = np.argwhere((edge[:, 0] > 120) & (edge[:, 1] < 60)).ravel()
    assert reds.min() == pytest.approx(place(40, 19.5)[0], abs=2)
    assert reds.max() == pytest.approx(place(40, 59.5)[0], abs=2)


def test_a_heat_map_is_warm_where_it_is_high(viewer: Seen) -> None:
    viewer.open("volume").do("() => viewer.frame(15)")
    viewer.do("""() => { const map = new Float32Array(40 * 96 * 128)
      for (let y = 60; y < 80; y++) for (let x = 60; x < 80; x++) map[(15 * 96 + y) * 128 + x] = 0.65
      viewer.heat(map, 1) }""")
    red, green, blue = viewer.colour(place(70, 70))
    assert red > green > blue
    assert len(set(viewer.colour(place(20, 100)))) == 1
    viewer.do("() => viewer.heatVisible(false)")
    assert len(set(viewer.colour(place(70, 70)))) == 1


def test_fingers_scroll_pinch_and_draw(chromium: Any, viewer_server: Fake) -> None:
    context = chromium.new_context(viewport={"width": WIDE, "height": HIGH}, has_touch=True)
    viewer = Seen(context.new_page(), viewer_server).open("volume")
    wire = context.new_cdp_session(viewer.page)

    def touch(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": x, "y": y, "id": index} for index, (x, y) in enumerate(places)]
        wire.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", (600, 300))
    touch("touchMove", (600, 340))
    touch("touchEnd")
    assert viewer.settle().do("() => viewer.frame()") == 22
    touch("touchStart", (550, 400), (650, 400))
    touch("touchMove", (500, 400), (700, 400))
    touch("touchEnd")
    assert viewer.settle().do("() => viewer.zoom()") == pytest.approx(2, rel=0.05)
    viewer.do("() => { viewer.zoom('fit'); viewer.tool('brush'); viewer.brushSize(1, 'px') }")
    touch("touchStart", place(60, 70))
    touch("touchMove", place(60, 75))
    touch("touchEnd")
    assert viewer.settle().do(DRAWN) == [[22, 60, x, 1] for x in range(70, 76)]
    viewer.do("() => viewer.tool('length')")
    touch("touchStart", place(60, 70))
    touch("touchMove", place(60, 80))
    touch("touchMove", place(60, 90))
    touch("touchEnd")
    viewer.do(MEASURED, 1)
    assert viewer.do("() => viewer.measurements()")[0]["length"] == pytest.approx(20, rel=0.05)
    assert viewer.complaints == []
    context.close()
