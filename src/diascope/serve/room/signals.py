"""Recordings on the page of a study: their button, their tools, and where a script draws them."""

from __future__ import annotations

from collections.abc import Sequence

from diascope.reports.markup import Markup, tag
from diascope.serve.room.words import Words

SPEEDS = ("12.5", "25", "50")
"""mm for one second."""
GAINS = ("5", "10", "20", "fit")
"""mm for one mV; `fit`: the largest wave fills its row."""
CHOSEN = ("25", "10")


def trace_icon() -> Markup:
    """Stands where a series of pictures has a small one: drawn by the style, and said by the words beside it."""
    return tag("span", class_="trace-icon", aria_hidden="true")


def signal_stage(words: Words) -> Markup:
    """The tools of a recording, its paper, and the same in words; a script fills and shows it."""
    return tag(
        "section",
        tag(
            "div",
            _choice("speed", SPEEDS, CHOSEN[0], words),
            _choice("gain", GAINS, CHOSEN[1], words),
            _choice("layout", ("standard", "rows"), "standard", words),
            tag("label", words("signals.group"), tag("select", id="signal-group"), hidden=True),
            tag(
                "span",
                tag("button", words("signals.measure"), type="button", id="signal-measure", aria_pressed="false"),
                tag("button", "−", type="button", id="signal-out", aria_label=words("signals.smaller")),
                tag("button", "+", type="button", id="signal-in", aria_label=words("signals.larger")),
                tag("button", words("signals.reset"), type="button", id="signal-reset"),
                role="group",
            ),
            class_="tools",
            role="toolbar",
            aria_label=words("tools.title"),
        ),
        tag(
            "div",
            tag("canvas", id="signal-canvas", class_="paper-lines"),
            id="paper",
            class_="paper",
            tabindex="0",
            role="application",
            aria_label=words("signals.paper"),
            aria_describedby="signal-keys",
        ),
        tag(
            "div",
            tag("canvas", id="signal-overview", class_="overview-line", aria_hidden="true"),
            tag("input", id="signal-begin", type="range", min=0, max=0, value=0, aria_label=words("signals.begin")),
            class_="overview",
            hidden=True,
        ),
        tag("p", tag("span", id="signal-scale"), " ", tag("output", id="signal-measured"), class_="signal-line"),
        tag("p", words("signals.keys"), id="signal-keys", class_="quiet signal-keys"),
        tag("details", tag("summary", words("signals.facts")), tag("div", id="signal-facts"), class_="signal-facts"),
        id="signal",
        class_="signal",
        hidden=True,
        aria_label=words("signals.title"),
    )


def _choice(name: str, values: Sequence[str], chosen: str, words: Words) -> Markup:
    options = [tag("option", words(f"signals.{name}.{one}"), value=one, selected=one == chosen) for one in values]
    return tag("label", words(f"signals.{name}"), " ", tag("select", options, id=f"signal-{name}"))
