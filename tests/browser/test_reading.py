"""Each page can be read: in its language, on a desk, on a phone, on paper."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser

WIDE, PHONE = 1280, 390
PAPER = 695
"""CSS pixels between the margins of A4: (210 - 2 * 13) mm."""
OPEN_ALL = "for (const part of document.querySelectorAll('details')) part.open = true"
HEADINGS = """[...document.querySelectorAll('h1, h2, h3, h4')].map(heading => {
  const box = heading.getBoundingClientRect()
  return {level: +heading.tagName[1], text: heading.innerText.trim(),
    seen: heading.checkVisibility({visibilityProperty: true, opacityProperty: true}) && box.width > 0 && box.height > 0
      && box.left >= 0 && box.right <= innerWidth}
})"""
OVERFLOWING = """[...document.querySelectorAll('body *')].filter(element => {
  const inBox = element.parentElement.closest('.scroll, pre, nav ul') || element.closest('svg *')
  return !inBox && element.getBoundingClientRect().right > innerWidth + 0.5
}).map(element => `${element.tagName}.${element.className}: ${element.textContent.slice(0, 60)}`)"""
CLIPPED = """[...document.querySelectorAll('main *')].filter(element =>
  getComputedStyle(element).overflowX !== 'visible' && !element.closest('svg') &&
  element.scrollWidth > element.clientWidth + 1
).map(element => `${element.tagName}.${element.className}: ${element.textContent.slice(0, 60)}`)"""
DRAWN = """[...document.querySelectorAll('svg')].flatMap(svg => {
  const frame = svg.getBoundingClientRect()
  const texts = [...svg.querySelectorAll('text')]
    .map(text => ({said: text.textContent, box: text.getBoundingClientRect()}))
  const cut = texts.filter(({box}) => box.left < frame.left - 1 || box.right > frame.right + 1 ||
    box.top < frame.top - 1 || box.bottom > frame.bottom + 1).map(({said}) => `cut: ${said}`)
  const met = texts.flatMap((a, at) => texts.slice(at + 1).filter(b =>
    Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left) > 1 &&
    Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top) > 4
  ).map(b => `on each other: ${a.said} and ${b.said}`))
  return [...cut, ...met]
})"""
TEXTS = """(() => {
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = []
  while (walk.nextNode()) {
    const {data, parentElement} = walk.currentNode
    if (!parentElement.closest('code, pre, .case')) found.push(data)
  }
  return found
})()"""
ENGLISH = re.compile(r"[a-z]{2,}(?:,? [a-z]{2,}){2,}")
NOT_OURS = ("cannot identify image file", "人工给定；规则为 {")
"""Pillow's own words; and what the rule said of a field that was set by hand, as it is in the plan."""


def language(path: Path) -> str:
    return path.name.split(".")[1]


def test_it_is_in_its_language(visit: Callable[..., Any], opened_file: Path) -> None:
    page = visit(opened_file).page
    assert page.evaluate("document.documentElement.lang") == language(opened_file)
    assert page.title()
    chinese = re.findall("[\u4e00-\u9fff]", page.locator("body").inner_text())
    assert (len(chinese) > 300) == (language(opened_file) == "zh-CN")


def test_no_english_sentence_is_left_in_the_chinese_page(visit: Callable[..., Any], opened_file: Path) -> None:
    if language(opened_file) == "en":
        assert any(ENGLISH.search(text) for text in visit(opened_file).page.evaluate(TEXTS))
        return
    texts = [text for text in visit(opened_file).page.evaluate(TEXTS) if not any(part in text for part in NOT_OURS)]
    assert [text for text in texts if ENGLISH.search(text)] == []


@pytest.mark.parametrize("width", [WIDE, PHONE])
def test_headings_are_seen_and_in_order(visit: Callable[..., Any], opened_file: Path, width: int) -> None:
    headings = visit(opened_file, width).page.evaluate(HEADINGS)
    assert [one["text"] for one in headings if not one["seen"] or not one["text"]] == []
    levels = [one["level"] for one in headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert max(after - before for before, after in itertools.pairwise(levels)) == 1


@pytest.mark.parametrize("width", [WIDE, PHONE, 320])
def test_nothing_lies_beside_the_screen(visit: Callable[..., Any], opened_file: Path, width: int) -> None:
    page = visit(opened_file, width, device_scale_factor=2, has_touch=width < WIDE).page
    page.evaluate(OPEN_ALL)
    assert page.evaluate("innerWidth") == width
    assert page.evaluate(OVERFLOWING) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [WIDE, PHONE])
def test_words_in_drawings_are_whole_and_apart(visit: Callable[..., Any], opened_file: Path, width: int) -> None:
    page = visit(opened_file, width).page
    assert page.locator("svg text").count() > 0
    assert page.evaluate(DRAWN) == []


def test_on_a_desk_no_table_must_be_pushed(visit: Callable[..., Any], opened_file: Path) -> None:
    assert [part for part in visit(opened_file).page.evaluate(CLIPPED) if not part.startswith("PRE")] == []


def test_paper_holds_everything(visit: Callable[..., Any], opened_file: Path) -> None:
    page = visit(opened_file, PAPER, color_scheme="dark").page
    page.emulate_media(media="print")
    assert page.evaluate(OVERFLOWING) == []
    assert page.evaluate(CLIPPED) == []
    assert page.evaluate(DRAWN) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PAPER
    assert not page.locator("nav").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_it_prints_on_sheets_of_a4(visit: Callable[..., Any], opened_file: Path) -> None:
    printed = visit(opened_file).page.pdf(prefer_css_page_size=True)
    sheets = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", printed)
    assert len(re.findall(rb"/Type /Page\b", printed)) >= 1
    assert {(round(float(width)), round(float(height))) for width, height in sheets} == {(595, 842)}
