"""The HTML document around a report: one file, no script, nothing from the network, and a policy that says so."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from diascope.reports.markup import Child, Markup, tag
from diascope.reports.words import Words


@cache
def style() -> Markup:
    """The style sheet, as it stands in the page."""
    return Markup(files("diascope.reports").joinpath("report.css").read_text(encoding="utf-8"))


def policy() -> str:
    """Content-Security-Policy: this style sheet by its hash, pictures from the page itself, nothing else."""
    digest = base64.b64encode(hashlib.sha256(style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"


def document(title: str, words: Words, *body: Child) -> str:
    """A whole page."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{policy()}">'),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", style()),
    )
    return "<!DOCTYPE html>\n" + tag("html", head, tag("body", *body), lang=words.lang) + "\n"


def section(anchor: str, title: str, *content: Child, lead: str = "") -> Markup:
    """A part of the page under its heading."""
    opening = tag("div", tag("h2", title), tag("p", lead, class_="lead") if lead else None, class_="heading")
    return tag("section", opening, *content, id=anchor)


def contents(entries: Sequence[tuple[str, str]], words: Words) -> Markup:
    """Links to the sections: anchor and title."""
    items = [tag("li", tag("a", title, href=f"#{anchor}")) for anchor, title in entries]
    return tag("nav", tag("ul", items), aria_label=words("contents"))


def footer(words: Words) -> Markup:
    """What every page says at its end."""
    told = tag("p", tag("strong", words("footer.device")), " ", words("footer.advice"))
    return tag("footer", told, tag("p", words("footer.file"), class_="quiet"))
