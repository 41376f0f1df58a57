"""The frame of every page: head, policy, the way to the other pages, and what its script must know."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi.responses import HTMLResponse

from diascope.reports.markup import Child, Markup, tag
from diascope.serve.http.asking import Asked
from diascope.serve.room.static import built
from diascope.serve.room.visiting import Look, Visit

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "worker-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "font-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""Nothing inline, nothing from elsewhere (RELIABILITY B10); codecs and worlds of the viewer are WebAssembly."""

PLACES = (
    ("worklist", "/", "studies.list"),
    ("labels", "/labelling", "labellings.list"),
    ("models", "/models", "releases.list"),
    ("training", "/training", "runs.list"),
    ("dashboard", "/dashboard", "readings.list"),
)
"""Pages that every page leads to: name, address, and what one must be allowed to do."""


@dataclass(frozen=True)
class Page:
    """What is shown.

    Args:
        title: In the visitor's language.
        body: Between the head and the foot.
        script: Name of its script in `web/pages/`; "" for none.
        data: What the script must know, JSON types.
        kind: Class of the body: `wide` pages use the whole window.
        ahead: Address that the script will ask for first: the browser asks at once.
    """

    title: str
    body: Child
    script: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    kind: str = ""
    ahead: str = ""


def shown(visit: Visit, page: Page, status: int = 200) -> HTMLResponse:
    """A page for somebody who is logged in."""
    return answer(visit.look, page, status, (visit.asked, visit.csrf, visit.path))


def answer(look: Look, page: Page, status: int = 200, who: tuple[Asked, str, str] | None = None) -> HTMLResponse:
    """A page; `who` is None where nobody is logged in."""
    words, asked = look.words, who[0] if who else None
    facts: dict[str, Any] = {"lang": words.lang, "csrf": who[1] if who else "", "words": words.of_script("script")}
    if page.script:
        facts["words"] |= words.of_script(page.script)
    content = tag(
        "html",
        _head(page, look),
        tag(
            "body",
            tag("a", words("skip"), href="#main", class_="skip"),
            _top(look, asked, who[2] if who else ""),
            tag("main", _unbuilt(look), page.body, id="main", tabindex="-1"),
            tag("p", words("device"), class_="device"),
            tag("div", id="told", role="status", aria_live="polite", class_="told"),
            data("page", {**facts, **page.data}),
            class_=page.kind or None,
        ),
        lang=words.lang,
        data_theme=look.theme,
    )
    headers = {"Content-Security-Policy": POLICY, "Content-Language": words.lang}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return HTMLResponse(f"<!DOCTYPE html>\n{content}\n", status, headers)


def data(name: str, content: Any) -> Markup:
    """What a script must know, as data that no browser runs: no `<` stands in it."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return tag("script", Markup(text), type="application/json", id=name)


def _head(page: Page, look: Look) -> Markup:
    found = built()
    script = found.scripts.get(page.script) if found else None
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content=look.theme),
        tag("title", f"{page.title} · Diascope"),
        tag("link", rel="stylesheet", href=f"/static/{found.style}") if found else None,
        tag("link", rel="icon", href="data:,"),
        tag("link", rel="preload", as_="fetch", href=page.ahead, crossorigin="anonymous") if page.ahead else None,
        tag("script", type="module", src=f"/static/{script}") if script else None,
        tag("script", type="module", src=f"/static/{found.scripts['every']}") if found else None,
    )


def _top(look: Look, asked: Asked | None, path: str) -> Markup:
    words = look.words
    other = "zh-CN" if words.lang == "en" else "en"
    links: Child = None
    if asked is not None:
        items = [
            tag("li", tag("a", words(f"place.{name}"), href=address, aria_current="page" if path == address else None))
            for name, address, operation in PLACES
            if asked.may(operation)
        ]
        links = tag("nav", tag("ul", items), aria_label=words("places"))
    return tag(
        "header",
        tag("a", tag("strong", "Diascope"), href="/", class_="brand"),
        links,
        tag(
            "div",
            tag("button", words(f"language.{other}"), type="button", data_language=other, lang=other),
            tag(
                "button",
                words(f"theme.{'light' if look.theme == 'dark' else 'dark'}"),
                type="button",
                data_theme_to="light" if look.theme == "dark" else "dark",
            ),
            tag("a", asked.caller.name, href="/account", class_="who") if asked else None,
            tag("button", words("logout"), type="button", data_logout=True) if asked else None,
            class_="own",
        ),
        class_="top",
    )


def _unbuilt(look: Look) -> Markup | None:
    return None if built() else tag("p", look.words("unbuilt"), role="alert", class_="warning")
