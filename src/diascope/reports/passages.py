"""Texts with what is marked in them: what is true underlined, what was said shaded, in the colour of the label."""

from __future__ import annotations

from itertools import pairwise

from diascope.core.figure import Mark, Passage, Passages
from diascope.reports.markup import Child, Markup, join, tag
from diascope.reports.words import Words

COLOURS = 7
"""Colours of `report.css` (`.s0` ... `.s6`); further labels repeat them."""
TRUE, SAID = "true", "said"
EVIDENCE = ("for", "against")
"""Sorts of marks that are no spans to be found, but shades of how strongly a word counts."""
MISSED, SURPLUS = "\N{MINUS SIGN}", "+"
"""Before the label behind a span that is true and was not said so, and the other way round."""


def passages_body(figure: Passages, words: Words) -> Markup:
    """The legend, then one text below the other."""
    if not figure.passages:
        return tag("p", words("figure.empty"), class_="empty")
    keys = [
        tag("li", tag("span", class_=f"swatch filled {_colour(number)}"), words.phrase(name))
        for name, number in figure.legend
    ]
    legend = tag("ul", keys, class_="legend") if keys else None
    return join([legend, *(_passage(passage, words) for passage in figure.passages)])


def _passage(passage: Passage, words: Words) -> Markup:
    ends = {0, len(passage.text), *(end for mark in passage.marks for end in (mark.start, mark.stop))}
    places = sorted(end for end in ends if 0 <= end <= len(passage.text))
    parts: list[Child] = []
    for start, stop in pairwise(places):
        parts.append(_stretch(passage.text[start:stop], _over(passage, start), words))
        parts += _wrong(passage, stop, words)
    caption = [tag("span", passage.case, class_="case"), " ", words.phrase(passage.caption)]
    return tag("div", tag("p", join(parts), class_="text"), tag("p", caption, class_="caption"), class_="passage")


def _over(passage: Passage, place: int) -> list[Mark]:
    """Marks that a character lies in, what is true first."""
    found = [mark for mark in passage.marks if mark.start <= place < mark.stop]
    return sorted(found, key=lambda mark: mark.sort != TRUE)


def _stretch(text: str, over: list[Mark], words: Words) -> Child:
    shown: Child = text
    if over:
        shown = tag("span", text, class_="ink")
    for mark in reversed(over):
        title = f"{words.phrase(mark.sort)}: {words.phrase(mark.label)}"
        shade = f" w{mark.strength}" if mark.sort in EVIDENCE else ""
        shown = tag("span", shown, class_=f"{mark.sort} {_colour(mark.colour)}{shade}", title=title)
    return shown


def _wrong(passage: Passage, stop: int, words: Words) -> list[Child]:
    """Behind each span that has no equal of the other sort: a sign and its label."""
    known = {(mark.start, mark.stop, mark.label, mark.sort) for mark in passage.marks}
    found: list[Child] = []
    for mark in passage.marks:
        if mark.sort in EVIDENCE:
            continue
        other = SAID if mark.sort == TRUE else TRUE
        if mark.stop == stop and (mark.start, mark.stop, mark.label, other) not in known:
            sign = MISSED if mark.sort == TRUE else SURPLUS
            found.append(tag("span", f"{sign}{words.phrase(mark.label)}", class_=f"wrong {_colour(mark.colour)}"))
    return found


def _colour(number: int) -> str:
    return f"s{number % COLOURS}"
