"""Traces: a line for each channel, gaps left out, evidence in colour."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from diascope.core.errors import DataRefused
from diascope.reports.traces import HEIGHT, INK, MARGIN, WIDTH, trace_picture


def pixels(picture):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(picture.png))).convert("RGB"))


def test_every_channel_has_its_trace_and_evidence_is_coloured_where_it_is():
    values = np.sin(np.linspace(0, 9, 100))[None].repeat(2, 0).astype(np.float32)
    heat = np.r_[np.zeros(50), np.ones(50)].astype(np.float32)
    shown = pixels(trace_picture(values, np.ones(100, bool), heat, ("I", "II"), case="c", rate=50.0))
    assert shown.shape[1] == WIDTH + 2 * MARGIN
    for row in range(2):
        part = shown[MARGIN + row * HEIGHT : MARGIN + (row + 1) * HEIGHT]
        assert (part == INK).all(axis=2).any(axis=0)[MARGIN + 40 : MARGIN + WIDTH].mean() > 0.95
    middle = shown[MARGIN + 20]
    assert (middle[MARGIN + 60] == 255).all()
    assert middle[MARGIN + WIDTH - 60, 2] < 150


def test_nothing_is_drawn_in_a_gap_and_what_is_padded_is_cut():
    values, there = np.ones((1, 100), np.float32), np.ones(100, bool)
    values[0, ::2], there[30:50], there[80:] = 0, False, False
    shown = pixels(trace_picture(values, there, None, ("I",)))
    inked = (shown[MARGIN + 20 : MARGIN + HEIGHT - 2] == INK).all(axis=2).any(axis=0)[MARGIN : MARGIN + WIDTH]
    assert not inked[int(0.42 * WIDTH) : int(0.58 * WIDTH)].any()
    assert inked[int(0.7 * WIDTH) :].any()


def test_shapes_that_differ_are_refused():
    with pytest.raises(DataRefused):
        trace_picture(np.ones((1, 9), np.float32), np.ones(8, bool), None, ("I",))
