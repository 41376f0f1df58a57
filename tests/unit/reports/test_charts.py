"""Figures to HTML."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from diascope.core.errors import UnknownName
from diascope.core.figure import Bars, Chart, Gallery, Grid, Line, Matrix, Picture
from diascope.reports.bars import shorten
from diascope.reports.charts import draw
from diascope.reports.scales import Scale, span


def a_chart(*lines: Line) -> Chart:
    return Chart(title="Loss", x_label="step", y_label="loss", lines=lines)


def svg_of(fragment: str) -> ElementTree.Element:
    found = re.search(r'<svg[^>]*class="plot".*?</svg>', fragment, re.DOTALL)
    assert found is not None
    return ElementTree.fromstring(found.group())


def coordinates(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", path)]


def test_drawing_is_well_formed_and_says_what_it_shows() -> None:
    svg = svg_of(draw(a_chart(Line(label="training", x=(0, 1, 2), y=(3, 2, 1.5))), "en"))
    assert svg.attrib["role"] == "img"
    assert svg.findtext("title") == "Loss"
    assert svg.findtext("desc") == "loss against step: training"


def test_line_goes_down_on_the_page_as_values_grow() -> None:
    svg = svg_of(draw(a_chart(Line(label="a", x=(0, 10), y=(0, 1))), "en"))
    path = svg.find(".//path[@class='line']")
    assert path is not None
    (x0, y0), (x1, y1) = coordinates(path.attrib["d"])
    assert x0 < x1
    assert y0 > y1


def test_value_that_is_not_finite_breaks_the_line() -> None:
    svg = svg_of(draw(a_chart(Line(label="a", x=(0, 1, 2, 3, 4), y=(0, 1, float("nan"), 1, 0))), "en"))
    path = svg.find(".//path[@class='line']")
    assert path is not None
    assert path.attrib["d"].count("M") == 2


def test_thousands_of_points_stay_small() -> None:
    xs = tuple(i / 20_000 for i in range(20_000))
    assert len(draw(a_chart(Line(label="a", x=xs, y=xs)), "en")) < 40_000


def test_band_points_and_reference_are_drawn() -> None:
    band = Line(label="band", x=(0, 1), y=(0, 1), low=(0, 0.8), high=(0.2, 1))
    dots = Line(label="dots", x=(0, 1), y=(0, 1), low=(0, 0.8), high=(0.2, 1), style="points")
    chance = Line(label="chance", x=(0, 1), y=(0, 1), style="reference")
    fragment = draw(a_chart(band, dots, chance), "en")
    assert fragment.count('class="band"') == 1
    assert fragment.count('class="whisker"') == 2
    assert 'class="series reference"' in fragment
    assert 'class="series s1"' in fragment


def test_a_lone_line_called_as_its_axis_needs_no_legend() -> None:
    assert 'class="legend"' not in draw(a_chart(Line(label="loss", x=(0, 1), y=(0, 1))), "en")
    assert 'class="legend"' in draw(a_chart(Line(label="fold 1", x=(0, 1), y=(0, 1))), "en")


def test_legend_is_text_below_the_drawing() -> None:
    lines = [Line(label=f"class {i}", x=(0, 1), y=(0, i)) for i in range(20)]
    fragment = draw(a_chart(*lines), "en")
    assert "class 3" not in re.sub(r"<desc>.*?</desc>", "", fragment.split("</svg>")[0])
    assert "and 6 more" in fragment


def test_same_range_on_both_axes_is_square() -> None:
    roc = Chart(
        title="ROC", x_label="", y_label="", lines=(Line(label="", x=(0, 1), y=(0, 1)),), x_range=(0, 1), y_range=(0, 1)
    )
    assert svg_of(draw(roc, "en")).attrib["viewBox"] == "0 0 400 380"


def test_confusion_matrix_has_counts_and_row_shares() -> None:
    matrix = Matrix(title="m", rows=("a", "b"), columns=("a", "b"), counts=((30, 10), (0, 0)))
    fragment = draw(matrix, "en")
    assert "<b>30</b><small>75\N{NO-BREAK SPACE}%</small>" in fragment
    assert 'class="h8"' in fragment
    assert "n = 40" in fragment


def test_a_matrix_whose_rows_count_cases_once_says_how_many() -> None:
    matrix = Matrix(title="m", rows=("a", "b"), columns=("a", "b"), counts=((30, 10), (4, 4)), sizes=(40, 4))
    fragment = draw(matrix, "en")
    assert "n = 4<" in fragment
    assert fragment.count("<b>4</b><small>100\N{NO-BREAK SPACE}%</small>") == 2


def test_bars_have_whiskers_and_intervals() -> None:
    fragment = draw(Bars(title="b", names=("x",), values=(0.8,), low=(0.7,), high=(0.9,)), "en")
    assert "0.80 (0.70–0.90)" in fragment
    assert fragment.count('class="whisker"') == 3


def test_bins_stand_upright_only_where_the_figure_says_so() -> None:
    bins = {"title": "h", "names": tuple(f"{i / 10:.1f}" for i in range(10)), "values": tuple(map(float, range(10)))}
    upright, rows = (draw(Bars(**bins, histogram=histogram), "en") for histogram in (True, False))
    assert upright.count('class="bar"') == 10
    assert 'class="value"' not in upright
    assert rows.count('class="value"') == 10


def test_long_grid_is_folded() -> None:
    grid = Grid(title="g", columns=("case", "score"), rows=tuple((f"c{i}", i / 7) for i in range(40)))
    fragment = draw(grid, "en")
    assert "All 40 rows" in fragment
    assert fragment.index("<details>") < fragment.index(">c39<")


def test_columns_share_their_digits() -> None:
    fragment = draw(Grid(title="g", columns=("case", "score"), rows=(("a", 10.0), ("b", 11.74))), "en")
    assert ">10.0<" in fragment
    assert ">11.7<" in fragment


def test_gallery_explains_its_colours_once() -> None:
    pictures = tuple(Picture(png="AA==", caption="c", case=str(i), legend=(("tumour", "#ff0000"),)) for i in range(3))
    fragment = draw(Gallery(title="g", pictures=pictures), "en")
    assert fragment.count("tumour") == 1
    assert fragment.count("data:image/png;base64,AA==") == 3


def test_empty_gallery_says_why_once() -> None:
    fragment = draw(Gallery(title="g", pictures=(), note="hidden, because it failed"), "en")
    assert "hidden, because it failed" in fragment
    assert "no defined values" not in fragment


def test_case_is_not_named_twice() -> None:
    pictures = (Picture(png="AA==", caption="a/1 | b/2", case="a/1"), Picture(png="", caption="score 0.5", case="c"))
    fragment = draw(Gallery(title="g", pictures=pictures), "en")
    assert fragment.count('class="case"') == 1
    assert fragment.count("<img") == 1


def test_colour_that_is_none_is_left_out() -> None:
    picture = Picture(png="AA==", caption="", legend=(("bad", 'red" onload="x'), ("good", "#00ff00")))
    fragment = draw(Gallery(title="g", pictures=(picture,)), "en")
    assert "onload" not in fragment
    assert "good" in fragment


def test_chinese_titles() -> None:
    assert "混淆矩阵" in draw(Matrix(title="Confusion matrix", rows=("a",), columns=("a",), counts=((1,),)), "zh-CN")


def test_unknown_language() -> None:
    with pytest.raises(UnknownName):
        draw(a_chart(), "xx")


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (0, 10, ["0", "2", "4", "6", "8", "10"]),
        (-1, 1, ["−1.0", "−0.5", "0.0", "0.5", "1.0"]),
        (0, 0.1, ["0.00", "0.02", "0.04", "0.06", "0.08", "0.10"]),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[str]) -> None:
    assert [text for _, text in Scale(low, high, 0, 100).ticks()] == expected


@pytest.mark.parametrize("values", [[], [5.0], [float("nan")], [0.0], [float("inf"), 1.0], [1e-300, 2e-300]])
def test_span_is_never_empty(values: list[float]) -> None:
    low, high = span(values)
    assert low < high


def test_wide_characters_take_more_room() -> None:
    assert shorten("abcdefgh", 100) == "abcdefgh"
    assert shorten("海马体前部和后部", 60).endswith("…")
