"""Columns of a table that hold whole inputs and no values: reports in words, sequences of letters."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median

from diascope.core.sequence import AMBIGUITY, LETTERS
from diascope.core.text import HAN
from diascope.formats.sequence_cell import letters_of
from diascope.formats.tables import kept
from diascope.formats.tables.encoding import decoded, head_of
from diascope.formats.tables.lines import HEAD, layout_of, rows_of_head
from diascope.sources.tables.columns import plain

LOOKED = 400
"""Rows that tell what a column holds."""
WORDS, FEW_WORDS = 8, 3
"""Words of a report at least, in the middle of a column, and of a column beside it; two Chinese characters make one."""
DIFFERENT = 0.5
"""Share of the cells that differ, in a column of reports."""
TEXTS = frozenset(
    (
        *(
            "report",
            "reports",
            "report_text",
            "radiology_report",
            "text",
            "note",
            "notes",
            "clinical_note",
            "narrative",
        ),
        *(
            "findings",
            "impression",
            "indication",
            "history",
            "description",
            "sentence",
            "chief_complaint",
            "transcript",
        ),
        *(
            "报告",
            "报告内容",
            "报告文本",
            "影像所见",
            "影像表现",
            "影像描述",
            "检查所见",
            "诊断意见",
            "主诉",
            "现病史",
            "病史",
        ),
        *("描述", "文本"),
    )
)
"""Plain names of columns of reports: such a column may hold shorter ones, which are more often the same."""
SHORT, SOME, TEMPLATES = 2, 20, 0.1
"""Words of such a cell in the middle of the column, different cells at least, and their share."""
PROSE = 0.5
"""Share of the cells that are sentences, in a column of reports."""
TERMS = 0.3
"""Share of the cells that list terms, in a column of terms."""
MOSTLY = 0.5
"""Share of the characters of a table that its reports make up, where it is a table of reports."""
LETTERS_AT_LEAST, ACIDS_AT_LEAST = 10, 20
"""Letters of a sequence at least, in the middle of a column: of nucleotides, of amino acids."""
PLAIN = 0.9
"""Share of a column's letters that are nucleotides, and of its cells that are letters alone."""
LINES_OF_A_TABLE = 3
"""Lines of equally many cells that are a table and no words."""
RUN = 10
"""Neighbouring columns of one letter each that make a sequence."""

SENTENCE = re.compile(
    r"[.!?](?:\s|$)|[。！？；，]"
    r"|\b(?:the|is|are|was|were|with|without|of|no|and|in|there|for|patient|has)\b",
    re.IGNORECASE,
)
"""Ends of sentences, and the small words that lists of terms do not have."""
TERMS_BETWEEN = ((";", 2, 80), ("|", 2, 80), (",", 3, 40))
"""What stands between terms, how many of them make a list, and the most characters of one."""
_WORD = re.compile(rf"{HAN.pattern}|[^\W_]+")
_SYMBOLS = {name: frozenset(LETTERS[name]) | frozenset(AMBIGUITY[name]) for name in LETTERS}


@dataclass(frozen=True)
class Written:
    """What a table holds that is written out.

    Args:
        texts: Columns of reports, in their order.
        terms: Columns in which somebody listed terms: what is said about a report, and no part of it.
        sequences: Columns of whole sequences.
        span: First and last of neighbouring columns of one letter each; None without.
        share: Of all characters, how many the reports make up.
    """

    texts: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()
    sequences: tuple[str, ...] = ()
    span: tuple[str, str] | None = None
    share: float = 0.0

    @property
    def is_reports(self) -> bool:
        """Whether reports are most of what the table holds."""
        return bool(self.texts) and self.share >= MOSTLY

    @property
    def is_sequences(self) -> bool:
        """Whether it holds sequences."""
        return bool(self.sequences or self.span)


def written_in(path: Path) -> Written:
    """What the first rows of a table file show; nothing where it is no such file.

    Raises:
        OSError: When it cannot be read.
        ValueError: When it is no text.
        DiascopeError: When it is broken.
    """
    names, rows = first_rows(path)
    return written(names, rows)


def first_rows(path: Path) -> tuple[tuple[str, ...], list[list[str]]]:
    """Names of the columns and cells of the first rows of a table file; none where it is no such file.

    Raises:
        OSError: When it cannot be read.
        ValueError: When it is no text.
        DiascopeError: When it is broken.
    """
    lower = path.name.lower()
    if lower.endswith(kept.PARQUET):
        table = kept.table_of(path)
        return tuple(table.names), [[cell or "" for cell in row] for row in table.rows[:LOOKED]]
    if not lower.endswith((*kept.LINES, ".txt")):
        return (), []
    head = head_of(path, HEAD + 1)
    layout = layout_of(path, head)
    if layout is None:
        return (), []
    rows = islice(rows_of_head(head, layout), LOOKED)
    return layout.names, [row for row in rows if len(row) == layout.width]


def is_report(path: Path) -> bool:
    """Whether a text file holds words, and neither numbers, lines of equally many cells nor JSON.

    Raises:
        OSError: When it cannot be read.
        DiascopeError: When it is no text.
    """
    text, _ = decoded(path, path.read_bytes())
    letters = sum(one.isalpha() for one in text)
    spaceless = sum(not one.isspace() for one in text)
    if text.lstrip()[:1] in ("{", "[") or words(text) < FEW_WORDS or 2 * letters < spaceless:
        return False
    layout = layout_of(path, text)
    lines = sum(bool(line.strip()) for line in text.splitlines())
    return layout is None or not (layout.equal and layout.width > 1) or lines < LINES_OF_A_TABLE


def written(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Written:
    """What columns hold, by their cells.

    Args:
        names: One a column.
        rows: Cells as they stand in the file.
    """
    columns = dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else {}
    cells = {name: [text for cell in column if (text := cell.strip())] for name, column in columns.items() if name}
    sequences = tuple(name for name, some in cells.items() if is_sequences(some))
    span = _span(cells)
    of_terms = {name for name, some in cells.items() if is_terms(some)}
    free = {name: some for name, some in cells.items() if name not in of_terms}
    called = {name for name, some in free.items() if plain(name) in TEXTS and is_short_prose(some)}
    texts = tuple(name for name, some in free.items() if name in called or is_prose(some, FEW_WORDS))
    texts = texts if any(name in called or is_prose(free[name]) for name in texts) else ()
    total = sum(len(text) for some in free.values() for text in some)
    share = sum(len(text) for name in texts for text in cells[name]) / max(1, total)
    return Written(texts, tuple(name for name in cells if name in of_terms), sequences, span, share)


def is_prose(cells: Sequence[str], least: float = WORDS) -> bool:
    """Whether cells are sentences, most of them of so many words, and most of them different."""
    if not cells or median(map(words, cells)) < least or len(set(cells)) < DIFFERENT * len(cells):
        return False
    # A path is cut at its slashes into many "words", and has no blank between them.
    whole = [cell for cell in cells if " " in cell or HAN.search(cell)]
    return sum(SENTENCE.search(cell) is not None for cell in whole) >= PROSE * len(cells)


def is_short_prose(cells: Sequence[str]) -> bool:
    """Whether cells of a column that is called as reports are may be such: words, not a few that come again."""
    different = set(cells)
    return (
        len(different) >= max(SOME, TEMPLATES * len(cells))
        and median(map(words, cells)) >= SHORT
        and median(sum(one.isalpha() for one in cell) / len(cell.replace(" ", "")) for cell in cells) > PROSE
    )


def words(text: str) -> float:
    """How many words a text has; a Chinese character is half of one."""
    found = _WORD.findall(text)
    han = sum(HAN.match(one) is not None for one in found)
    return len(found) - han / 2


def is_terms(cells: Sequence[str]) -> bool:
    """Whether cells list terms that come again (`Cardiomegaly;Pleural Effusion`), and say nothing about them."""
    listing = [cell for cell in cells if _lists(cell)]
    if len(listing) < max(2.0, TERMS * len(cells)):
        return False
    terms = Counter(term.strip().lower() for cell in cells for term in re.split(r"[;|,/]", cell))
    return sum(terms.values()) >= 2 * len(terms) or any(";" in cell or "|" in cell for cell in listing)


def _lists(cell: str) -> bool:
    """Whether a cell is nothing but short terms: two between semicolons or bars, or three between commas."""
    mark, least, longest = next((one for one in TERMS_BETWEEN if one[0] in cell), TERMS_BETWEEN[-1])
    parts = cell.split(mark)
    short = len(parts) >= least and all(len(part) <= longest for part in parts)
    return short and not (mark == "," and SENTENCE.search(cell))


def is_sequences(cells: Sequence[str]) -> bool:
    """Whether cells are sequences of nucleotides or amino acids; a few of them may be spoilt."""
    letters = [letters_of(cell) for cell in cells if len(cell.split()) == 1]
    if not letters or len(letters) < PLAIN * len(cells):
        return False
    length = median(map(len, letters))
    counts = Counter("".join(letters))
    total = sum(counts.values())
    if length >= LETTERS_AT_LEAST and sum(counts[one] for one in "ACGTUN") >= PLAIN * total:
        return True
    acids = sum(count for one, count in counts.items() if one in _SYMBOLS["protein"])
    shouted = all(cell == cell.upper() for cell in cells)
    return length >= ACIDS_AT_LEAST and shouted and acids >= PLAIN * total and len(counts) >= RUN


def _span(cells: Mapping[str, Sequence[str]]) -> tuple[str, str] | None:
    """The longest run of neighbouring columns that hold one nucleotide each."""
    best: list[str] = []
    run: list[str] = []
    for name, some in cells.items():
        one = bool(some) and all(len(cell) == 1 for cell in some)
        known = one and sum(cell.upper() in _SYMBOLS["dna"] | {"U"} for cell in some) >= PLAIN * len(some)
        run = [*run, name] if known else []
        best = max(best, run, key=len)
    return (best[0], best[-1]) if len(best) >= RUN else None
