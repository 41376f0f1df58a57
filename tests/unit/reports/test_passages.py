"""Texts with marks: true underlined, said shaded, what has no equal named; text stays text."""

import re

import pytest

from diascope.core.figure import Mark, Passage, Passages
from diascope.reports.charts import draw


def a_figure(*marks: Mark, text: str = "口服阿司匹林，左肺见结节。") -> Passages:
    return Passages(
        title="Texts: worst",
        passages=(Passage(text=text, marks=marks, caption="F1 0.50", case="note-7"),),
        legend=(("药物", 0), ("部位", 1)),
        note="Underlined: true. Shaded: said.",
    )


def true(start: int, stop: int, label: str = "药物", colour: int = 0) -> Mark:
    return Mark(start=start, stop=stop, label=label, colour=colour, sort="true")


def said(start: int, stop: int, label: str = "药物", colour: int = 0) -> Mark:
    return Mark(start=start, stop=stop, label=label, colour=colour)


def words(page: str) -> str:
    inside = page[page.index('class="text"') :]
    return re.sub(r"<[^>]+>", "", inside[: inside.index("</p>")].partition(">")[2])


def test_equal_spans_are_underlined_and_shaded_and_need_no_words() -> None:
    page = draw(a_figure(true(2, 6), said(2, 6)))
    assert re.search(r'class="true s0"[^>]*><span class="said s0"[^>]*><span class="ink">阿司匹林</span>', page)
    assert 'class="wrong' not in page
    assert words(page) == "口服阿司匹林，左肺见结节。"


def test_what_has_no_equal_is_named_behind_it() -> None:
    page = draw(a_figure(true(2, 6), said(4, 6), said(7, 9, "部位", 1)))
    assert words(page) == "口服阿司匹林\N{MINUS SIGN}药物+药物，左肺+部位见结节。"
    assert '<span class="wrong s1">+部位</span>' in page


def test_colours_repeat_and_text_is_escaped() -> None:
    page = draw(a_figure(said(0, 3, "<b>", 8), text="a<b & more"))
    assert 'class="said s1"' in page
    assert "a&lt;b" in page
    assert "<b>" not in page


@pytest.mark.parametrize(("lang", "title"), [("en", "Texts: worst"), ("zh-CN", "文本：最差")])
def test_the_figure_speaks_both_languages(lang: str, title: str) -> None:
    page = draw(a_figure(true(2, 6)), lang)
    assert title in page
    assert "note-7" in page
    assert ("真实: 药物" if lang == "zh-CN" else "true: 药物") in page


def test_a_figure_without_texts_says_so() -> None:
    assert "empty" in draw(Passages(title="Texts", passages=()))
