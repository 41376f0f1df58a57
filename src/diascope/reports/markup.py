"""The one door to HTML: text is escaped here, and only what came through here is `Markup`."""

from __future__ import annotations

import html
from collections.abc import Iterable


class Markup(str):
    """Text that is HTML or SVG already."""

    __slots__ = ()


Child = str | Iterable[str | None] | None
Attribute = str | int | float | bool | None

_CONTROL = {code: "\N{REPLACEMENT CHARACTER}" for code in (*range(32), 127) if code not in (9, 10, 13)}
_VOID = frozenset({"meta", "img", "br", "hr", "input", "link"})


def escape(text: str) -> Markup:
    """Text as HTML: special characters escaped, control characters replaced; `Markup` as it is."""
    if isinstance(text, Markup):
        return text
    return Markup(html.escape(text, quote=True).translate(_CONTROL))


def join(children: Iterable[Child], between: str = "") -> Markup:
    """Children in a row; plain text is escaped, None left out."""
    parts: list[Markup] = []
    for child in children:
        if child is None:
            continue
        parts.append(escape(child) if isinstance(child, str) else join(child))
    return Markup(escape(between).join(parts))


def tag(name: str, /, *children: Child, **attributes: Attribute) -> Markup:
    """One element.

    Args:
        name: Of the element, a literal in the code.
        *children: Text (escaped), markup, or many of them; None is left out.
        **attributes: `_` stands for `-`, a trailing one is dropped (`class_`); None and False are left out. Floats are
            written with two decimals, which is enough for coordinates in pixels.

    Returns:
        The element as markup.

    Example:
        >>> tag("p", "a < b", class_="note")
        '<p class="note">a &lt; b</p>'
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{join(children)}</{name}>")


def _attribute(key: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    text = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    return f' {name}="{escape(text)}"'
