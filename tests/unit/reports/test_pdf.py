"""The report as PDF: whose it is, what was found, by what; in two languages, and the same bytes each time."""

from __future__ import annotations

import re

import pytest

from diascope.core.result import Review
from diascope.reports.pdf import report_pdf
from diascope.testing.results import ABSTAINED, AT, MADE_BY, SAID, a_made, some_findings

ABOUT = {"name": "Zyxwolf^Quentin=杜^乔", "number": "PHI-4711", "birth_date": "19700102", "sex": ""}
SAID_HERE = (*SAID["masks"], *SAID["boxes"], ABSTAINED, *SAID["curve"])


def latin(content: bytes) -> str:
    """What stands there in Latin letters: the strings of the pages, which are not compressed."""
    parts = re.findall(rb"\(((?:[^()\\]|\\.)*)\) Tj", content)
    return re.sub(rb"\\([()\\])", rb"\1", b" ".join(parts)).decode("latin-1")


def foreign(content: bytes) -> str:
    """What stands there in the other font: two bytes a letter, as UCS-2."""
    parts = re.findall(rb"\(((?:[^()\\]|\\.)*)\) Tj", content, re.DOTALL)
    plain = [re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), one) for one in parts]
    return "".join(re.sub(rb"\\(.)", rb"\1", one, flags=re.DOTALL).decode("utf-16-be", "replace") for one in plain)


def test_an_english_report_says_whose_what_and_by_what() -> None:
    content = report_pdf(some_findings(*SAID_HERE), a_made(), ABOUT)
    assert content.startswith(b"%PDF-")
    text = latin(content)
    for said in ("Zyxwolf Quentin", "PHI-4711", "Not reviewed", "Not a medical device", MADE_BY.label, MADE_BY.seal,
                 MADE_BY.calibration, "nodule: present", "not available, because too few cases: 3",
                 "1.2.9.1"):  # fmt: skip
        assert said in text, said
    assert "杜" in foreign(content)
    assert "胸腔积液" in foreign(content)
    assert b"/STSong-Light" in content
    assert b"/Subtype /Image" in content


def test_a_chinese_report_says_it_in_chinese() -> None:
    made = a_made(review=Review(by="Bee^Ada", at=AT, verdict="accept"), picture=None)
    text = foreign(report_pdf(some_findings(*SAID_HERE), made, ABOUT, "zh-CN"))
    for said in ("患者", "非医疗器械", "所见", "审阅", "已接受", "无法给出"):
        assert said in text, said
    assert "未经审阅" in foreign(report_pdf(some_findings(), a_made(), {}, "zh-CN"))


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
def test_the_same_answer_gives_the_same_bytes(lang: str) -> None:
    first, again = (report_pdf(some_findings(*SAID_HERE), a_made(), ABOUT, lang) for _ in range(2))
    assert first == again


def test_marks_in_names_are_letters_and_long_reports_have_pages() -> None:
    many = tuple(one.model_copy(update={"concept": f"<b>{n} & more"}) for n in range(60) for one in SAID["grades"])
    content = report_pdf(some_findings(*many), a_made(), {"name": "<font>&^\x00\x1b"})
    assert "< b > 59 & more: present" in latin(content)  # a run of text for each mark
    assert content.count(b"/Type /Page\n") > 3
