"""Numbers as people read them."""

from __future__ import annotations

from typing import Any

import pytest

from diascope.core.finding import Measure
from diascope.reports.numbers import anything, measure_text, number, plain
from diascope.reports.words import choose

SPACE = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        (Measure(value=0.9137, low=0.8801, high=0.9399), "0.91 (0.88–0.94)"),
        (Measure(value=0.9972, low=0.9911, high=0.9994), "0.997 (0.991–0.999)"),
        (Measure(value=1.0, low=1.0, high=1.0), "1.00 (1.00–1.00)"),
        (Measure(value=15.9, unit="{pixels}"), f"15.9{SPACE}pixels"),
        (Measure(value=0.1, low=-0.2, high=0.4), "0.10 (−0.20 to 0.40)"),
        (Measure(value=3.4217, low=2.8, high=4.61, unit="mm"), f"3.42{SPACE}mm (2.80–4.61)"),
        (Measure(value=123.4, unit="mm"), f"123{SPACE}mm"),
        (Measure(value=12.34, unit="%"), f"12.3{SPACE}%"),
        (Measure(value=0.5, note="too few"), "0.50"),
        (Measure(value=None, note="undefined"), "–"),
        (Measure(value=float("nan")), "–"),
        (Measure(value=float("inf")), "–"),
    ],
)
def test_measure(measure: Measure, expected: str) -> None:
    assert measure_text(measure, choose("en")) == expected


def test_no_negative_zero() -> None:
    assert number(-0.001, 2) == "0.00"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3.0, "3"),
        (12345.0, "12,345"),
        (359.6, "360"),
        (1850.2, "1,850"),
        (0.25, "0.25"),
        (-1.5, "−1.5"),
        (1.5e-7, "1.5e−07"),
        (float("nan"), "–"),
    ],
)
def test_plain(value: float, expected: str) -> None:
    assert plain(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "none"),
        (True, "yes"),
        ([], "none"),
        ([40, 56, 40], "40, 56, 40"),
        ({"a": 1, "b": [0.5, False]}, "a: 1; b: 0.5, no"),
        ("bf16", "bf16"),
        (6000, "6000"),
        ([[0, 200], [120, 90]], "[0, 200], [120, 90]"),
        ([["mirror", {"axes": [0, 1]}], ["noise", {}]], "mirror (axes: 0, 1), noise"),
        ({"rule": {"name": "youden", "value": None}, "note": ""}, "rule: (name: youden; value: none)"),
        ({"en": "the most probable", "zh-CN": "概率最大"}, "the most probable"),
    ],
)
def test_anything(value: Any, expected: str) -> None:
    assert anything(value, choose("en")) == expected


def test_a_sentence_in_several_languages_is_given_in_that_of_the_page() -> None:
    assert anything({"en": "the most probable", "zh-CN": "概率最大"}, choose("zh-CN")) == "概率最大"
    assert anything({"en": "the most probable"}, choose("zh-CN")) == "the most probable"


def test_sentences_within_a_value_are_in_the_language() -> None:
    inner = {"note": "left at 1: there are no cases", "name": "image", "of": ["lower lip"]}
    said = anything({"temperature": inner}, choose("zh-CN"))
    assert said == "temperature: (note: 保持为 1：没有病例; name: image; of: lower lip)"
