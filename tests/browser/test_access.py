"""Each page can be used by everyone: enough contrast, day and night, and every control by keyboard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser

# WCAG 2.2, 1.4.3: 4.5 to 1, and 3 to 1 for text of 24 px or bold of 18.66 px. Colours are laid over each other from the
# first opaque ground upwards; text in a drawing has its fill.
PALE = """(() => {
  const parse = colour => { const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number); return [r, g, b, a] }
  const over = (top, ground, alpha) => top.slice(0, 3).map((value, at) => value * alpha + ground[at] * (1 - alpha))
  const light = colour => colour.map(value => value / 255)
    .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    .reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0)
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [], seen = {count: 0}
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement, said = walk.currentNode.data.trim()
    if (!said || element.closest('title, desc') || !element.checkVisibility({visibilityProperty: true})) continue
    const style = getComputedStyle(element), grounds = []
    let opacity = 1
    for (let up = element; up; up = up.parentElement) {
      const of = getComputedStyle(up)
      grounds.unshift(parse(of.backgroundColor)); opacity *= of.opacity
    }
    const ground = grounds.reduce((below, one) => over(one, below, one[3]), [255, 255, 255])
    const ink = parse(element.closest('svg') ? style.fill : style.color)
    const [dark, bright] = [light(ground), light(over(ink, ground, ink[3] * opacity))].sort((a, b) => a - b)
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700)
    const ratio = (bright + 0.05) / (dark + 0.05)
    seen.count += 1
    if (ratio < (large ? 3 : 4.5)) found.push(`${ratio.toFixed(2)} ${element.tagName}.${element.className}: ${said}`)
  }
  return {count: seen.count, found}
})()"""
OPEN_ALL = "for (const part of document.querySelectorAll('details')) part.open = true"
MARK = """(() => {
  const controls = [...document.querySelectorAll('a[href], button, input, select, summary, [tabindex]')]
    .filter(control => control.checkVisibility({visibilityProperty: true}))
  controls.forEach((control, at) => { control.id ||= `control-${at}` })
  return controls.map(control => control.id)
})()"""
FOCUSED = """(() => {
  const at = document.activeElement, style = getComputedStyle(at)
  const ringed = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0
  return {id: at.id, body: at === document.body, ringed}
})()"""
SMALL = """[...document.querySelectorAll('a[href], summary')].filter(control => {
  const {width, height} = control.getBoundingClientRect()
  return control.checkVisibility() && Math.min(width, height) < 24
}).map(control => control.textContent)"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out(visit: Callable[..., Any], opened_file: Path, scheme: str) -> None:
    page = visit(opened_file, color_scheme=scheme).page
    page.evaluate(OPEN_ALL)
    looked = page.evaluate(PALE)
    assert looked["count"] > 50
    assert looked["found"] == []


def test_day_and_night_differ(visit: Callable[..., Any], opened_file: Path) -> None:
    grounds = [
        visit(opened_file, color_scheme=scheme).page.evaluate("getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")
    ]
    assert grounds[0] != grounds[1]


def test_pale_text_would_be_noticed(visit: Callable[..., Any], opened_file: Path) -> None:
    """The test above can fail."""
    page = visit(opened_file).page
    page.evaluate("document.querySelector('h1').style.color = 'rgb(190, 190, 190)'")
    assert len(page.evaluate(PALE)["found"]) == 1


@pytest.mark.parametrize("width", [1280, 390])
def test_every_control_is_reached_by_tab(visit: Callable[..., Any], opened_file: Path, width: int) -> None:
    page = visit(opened_file, width, java_script_enabled=False).page
    controls = page.evaluate(MARK)
    reached: list[str] = []
    # Boxes that scroll are stops as well, hence more stops than controls.
    for _ in range(len(controls) + page.locator(".scroll, pre, nav ul").count() + 1):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused["body"]:
            break
        assert focused["ringed"], focused
        reached.append(focused["id"])
    assert [control for control in controls if control not in reached] == []


def test_a_fold_opens_and_closes_by_keyboard(visit: Callable[..., Any], pages: Any) -> None:
    page = visit(pages["report", "en"], java_script_enabled=False).page
    fold = page.locator("details").first
    fold.locator("summary").focus()
    for opened in (True, False):
        page.keyboard.press("Enter")
        assert fold.locator("table, p").first.is_visible() is opened


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
def test_every_link_leads_below_the_bar_of_links(visit: Callable[..., Any], pages: Any, lang: str) -> None:
    page = visit(pages["report", lang], java_script_enabled=False, reduced_motion="reduce").page
    links = page.locator("nav a").all()
    assert len(links) > 5
    for link in links:
        link.focus()
        page.keyboard.press("Enter")
        heading = page.locator(f"{link.get_attribute('href')} h2").bounding_box()
        bar = page.locator("nav").bounding_box()
        assert bar["y"] + bar["height"] <= heading["y"] < 800


def test_controls_are_large_enough_for_a_finger(visit: Callable[..., Any], opened_file: Path) -> None:
    """WCAG 2.2, 2.5.8: 24 by 24 CSS pixels."""
    assert visit(opened_file, 390, has_touch=True).page.evaluate(SMALL) == []
