"""The answer to one study as a PDF, for those who read documents: whose it is, what was found, how sure, by what.

Latin text is set in Helvetica, everything else in Adobe's STSong-Light, a font that PDF readers have and that is not
embedded (PDF 32000-1, 9.7.5.2). The same answer gives the same bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from typing import Any
from xml.sax.saxutils import escape

from diascope.core.errors import MissingPackage
from diascope.core.finding import Finding, Findings
from diascope.core.result import VERDICTS, Made, number, said_with
from diascope.core.result import words as said_of
from diascope.reports.words import Words, choose

CHINESE = "STSong-Light"
FOREIGN = re.compile(r"[^\x00-\xff]+")
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
ABOUT = ("name", "number", "birth_date", "sex", "accession", "study_date")
MARGIN, WIDTH, PICTURE = 48.0, 499.0, 260.0
"""Points: of the page's edge, of the text on A4, of the height of a picture."""


def report_pdf(findings: Findings, made: Made, about: Mapping[str, str], lang: str = "en") -> bytes:
    """The report of one result.

    Args:
        findings: What a release said.
        made: By what and when, who reviewed it, and a picture of the answer, if there is one.
        about: Whose it is: entries of `ABOUT`; empty ones are left out.
        lang: `en` or `zh-CN`.

    Raises:
        MissingPackage: Without reportlab.
    """
    words, one = choose(lang), made.algorithm
    foot = f"{one.label} {one.seal[:12]} - {_state(made, words)} - {words('document.no_device')}"
    title = words("document.title", release=one.label)
    return bound(lambda: _story(findings, made, about, words), title, _state(made, words), foot)


def bound(story: Callable[[], list[Any]], title: str, subject: str, foot: str) -> bytes:
    """Pages as a PDF; the same story gives the same bytes.

    Args:
        story: Makes what stands there from top to bottom: of `paragraph` and `rows`.
        title: Of the document.
        subject: The same.
        foot: Of every page, before its number.

    Raises:
        MissingPackage: Without reportlab.
    """
    try:
        from reportlab.pdfbase import pdfmetrics
        from reportlab.pdfbase.cidfonts import UnicodeCIDFont
        from reportlab.platypus import SimpleDocTemplate
    except ImportError as error:
        raise MissingPackage("reportlab", "serve", "a report as PDF") from error
    if CHINESE not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(UnicodeCIDFont(CHINESE))
    content = io.BytesIO()
    template = SimpleDocTemplate(
        content, leftMargin=MARGIN, rightMargin=MARGIN, topMargin=MARGIN, bottomMargin=1.5 * MARGIN, title=title,
        author="Diascope", subject=subject, invariant=1, pageCompression=0,
    )  # fmt: skip

    def drawn(canvas: Any, _: Any) -> None:
        _foot(canvas, foot)

    template.build(story(), onFirstPage=drawn, onLaterPages=drawn)
    return content.getvalue()


def _story(findings: Findings, made: Made, about: Mapping[str, str], words: Words) -> list[Any]:
    """Everything from top to bottom."""
    story = [paragraph(words("document.title", release=made.algorithm.label), 15, bold=True)]
    story.append(paragraph(f"{_state(made, words)}. {words('document.no_device')}", 11, bold=True))
    known = [(words(f"document.{name}"), about[name].replace("^", " ")) for name in ABOUT if about.get(name)]
    story.append(rows(known))
    if made.picture is not None:
        story.append(_picture(made.picture))
    story.append(paragraph(words("document.findings"), 12, bold=True))
    for one in findings.findings:
        story += _finding(one, made, words)
    if not findings.findings:
        story.append(paragraph(words("none"), 10))
    for note in findings.notes:
        story.append(paragraph(words.phrase(note), 8))
    story.append(paragraph(words("document.how"), 12, bold=True))
    made_by = [(words.phrase(name), said) for name, said in made.by().items() if name != "review"]
    inputs = [(f"{words('document.inputs')}: {name}", " ".join(uids)) for name, uids in findings.inputs.items()]
    story.append(rows([*made_by, (words("document.backend"), findings.backend), *inputs], 7))
    return story


def _finding(one: Finding, made: Made, words: Words) -> list[Any]:
    told = said_with(one, made)
    numbers = [f"{words.phrase(name)}: {number(measure)}" for name, measure in one.measures.items()]
    head = f"{one.concept}: {words.phrase(said_of(one))}"
    rest = [(words.phrase(name), words.phrase(said)) for name, said in told.items() if name != "status"]
    return [paragraph(head, 11), paragraph(words("list.between").join(numbers), 10), rows(rest, 7)]


def _state(made: Made, words: Words) -> str:
    if made.review is None:
        return words("document.not_reviewed")
    at = made.review.at.isoformat(timespec="minutes")
    verdict = words.phrase(VERDICTS[made.review.verdict])
    return words("document.reviewed", by=made.review.by.replace("^", " "), at=at, verdict=verdict)


def paragraph(text: str, size: float, bold: bool = False) -> Any:
    """A text in one size, in points."""
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import Paragraph

    style = ParagraphStyle(
        f"s{size}{bold}", fontName="Helvetica-Bold" if bold else "Helvetica", fontSize=size, leading=1.4 * size,
        spaceBefore=0.5 * size if bold else 0, splitLongWords=1,
    )  # fmt: skip
    return Paragraph(_marked(text), style)


def _marked(text: str) -> str:
    """XML of a text, in which everything that Helvetica has not is set in the other font."""
    text = CONTROLS.sub(" ", text)
    parts = FOREIGN.split(text)
    foreign = [f'<font name="{CHINESE}">{escape(run)}</font>' for run in FOREIGN.findall(text)]
    return "".join(escape(part) + run for part, run in zip(parts, [*foreign, ""], strict=True))


def rows(pairs: list[tuple[str, str]], size: float = 9) -> Any:
    """Names and values beside each other."""
    from reportlab.platypus import Spacer, Table

    if not pairs:
        return Spacer(1, size)
    cells = [[paragraph(name, size), paragraph(value, size)] for name, value in pairs]
    return Table(cells, colWidths=[0.24 * WIDTH, 0.76 * WIDTH], style=[("VALIGN", (0, 0), (-1, -1), "TOP"),
                 ("TOPPADDING", (0, 0), (-1, -1), 1), ("BOTTOMPADDING", (0, 0), (-1, -1), 1)])  # fmt: skip


def _picture(content: bytes) -> Any:
    from reportlab.platypus import Image

    return Image(io.BytesIO(content), width=WIDTH, height=PICTURE, kind="proportional")


def _foot(canvas: Any, line: str) -> None:
    """On every page: what made it, whether anybody reviewed it, and that it is no medical device."""
    from reportlab.platypus import Paragraph

    canvas.saveState()
    foot: Paragraph = paragraph(f"{line} - {canvas.getPageNumber()}", 8)
    foot.wrapOn(canvas, WIDTH, MARGIN)
    foot.drawOn(canvas, MARGIN, 0.5 * MARGIN)
    canvas.restoreState()
