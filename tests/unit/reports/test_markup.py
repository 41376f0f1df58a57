"""The one door to HTML."""

from __future__ import annotations

from pathlib import Path

import diascope.reports
from diascope.reports.markup import Markup, escape, join, tag


def test_text_is_escaped_and_markup_is_not_twice() -> None:
    inner = tag("b", "<&>")
    assert tag("p", inner, " & ") == "<p><b>&lt;&amp;&gt;</b> &amp; </p>"
    assert isinstance(inner, Markup)


def test_attributes_are_escaped() -> None:
    assert tag("img", alt='"><script>') == '<img alt="&quot;&gt;&lt;script&gt;">'


def test_attributes_without_value_are_left_out() -> None:
    assert tag("a", class_=None, hidden=False, open=True, aria_label="x") == '<a open aria-label="x"></a>'


def test_coordinates_are_short() -> None:
    assert tag("circle", cx=1 / 3, cy=2.0) == '<circle cx="0.33" cy="2"></circle>'


def test_control_characters_are_replaced() -> None:
    assert escape("a\x00b\x1bc\n") == "a�b�c\n"


def test_join_escapes_text_and_skips_none() -> None:
    assert join(["<", None, tag("i")], " & ") == "&lt; &amp; <i></i>"


def test_only_the_door_and_the_page_make_markup() -> None:
    folder = Path(diascope.reports.__file__).parent
    makers = {path.name for path in folder.glob("*.py") if "Markup(" in path.read_text(encoding="utf-8")}
    assert makers == {"markup.py", "page.py"}
