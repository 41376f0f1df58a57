"""Each page is one file: it opens without a network and without scripts, under a policy that forbids both."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser

POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
ELSEWHERE = "https://example.org/x.png"
FOREIGN = f"""<p id="styled" style="color: red">x</p><img src="{ELSEWHERE}">
<script>document.title = "a script ran"</script></body>"""
IMAGES = "[...document.images].map(image => ({width: image.naturalWidth, height: image.naturalHeight, alt: image.alt}))"


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_it_opens_without_network_or_complaint(visit: Callable[..., Any], opened_file: Path, scripts: bool) -> None:
    visited = visit(opened_file, java_script_enabled=scripts, offline=True)
    assert visited.requests == []
    assert visited.complaints == []
    assert visited.page.locator("main").inner_text().strip()
    assert visited.page.evaluate("document.scripts.length") == 0
    assert visited.page.evaluate("document.compatMode") == "CSS1Compat"


def test_it_says_the_same_with_and_without_scripts(visit: Callable[..., Any], opened_file: Path) -> None:
    texts = {visit(opened_file, java_script_enabled=on).page.locator("body").inner_text() for on in (True, False)}
    assert len(texts) == 1


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_every_picture_is_decoded_and_described(visit: Callable[..., Any], opened_file: Path, scripts: bool) -> None:
    images = visit(opened_file, java_script_enabled=scripts).page.evaluate(IMAGES)
    assert images
    assert [image for image in images if not image["width"] or not image["height"] or not image["alt"]] == []


def test_the_policy_stops_what_is_foreign(visit: Callable[..., Any], opened_file: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed.html"
    changed.write_text(opened_file.read_text(encoding="utf-8").replace("</body>", FOREIGN), encoding="utf-8")
    visited = visit(changed)
    assert visited.requests == []
    assert visited.page.title() != "a script ran"
    assert visited.page.evaluate("getComputedStyle(document.getElementById('styled')).color") != "rgb(255, 0, 0)"
    assert len([line for line in visited.complaints if "Content Security Policy" in line]) >= 3


def test_a_request_would_be_noticed(visit: Callable[..., Any], opened_file: Path, tmp_path: Path) -> None:
    """The tests above can fail: without the policy, the same foreign parts are seen."""
    without, removed = POLICY.subn("", opened_file.read_text(encoding="utf-8"))
    changed = tmp_path / "changed.html"
    changed.write_text(without.replace("</body>", FOREIGN), encoding="utf-8")
    visited = visit(changed)
    assert removed == 1
    assert visited.requests == [ELSEWHERE]
    assert visited.complaints
    assert visited.page.title() == "a script ran"
