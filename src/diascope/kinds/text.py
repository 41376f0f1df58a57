"""A report or a note, as characters."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from diascope import formats
from diascope.core.case import Case, FileRef, TableRef
from diascope.core.errors import DataRefused
from diascope.core.plan import InputFacts
from diascope.core.text import Text
from diascope.formats.tables.kept import columns_of
from diascope.kinds import Floats, Kind, Look
from diascope.models import InputSpec
from diascope.store.files import file_digest

LONGEST = 4096
"""Characters that a network is given at most."""
MOST_LETTERS = 6000
"""Characters of the training part that have a meaning of their own, the most frequent first."""
UNKNOWN = 0.2
"""Share of characters that training has not seen, above which a text is in another language or encoding."""
_SPOILT = re.compile(r"\ufffd|Ã[\u0080-\u00bf]|Â[\u00a0-\u00bf]|â€.|锟斤拷|[åæçèé][\u0080-\u00bf]{2}")
"""UTF-8 that was read as Latin-1, and what is left where letters could not be read at all."""
CELL = "text_cell"
"""Format of a text that is made of cells."""
MOST_FIELDS = 30
_FIELD = re.compile(r"(?m)^[ \t]*([^\W\d_][\w \t/-]{1,30})[ \t]*[:：=][ \t]*(\S[^\n:：]{0,50})[ \t]*$")
REPLACED = "\N{REPLACEMENT CHARACTER}"

Array = npt.NDArray[Any]


class Texts:
    """Unicode code points in a row, 0 after the end."""

    encoder = "text_cnn"
    alone = "text_cnn"

    def look(self, ref: FileRef, root: Path) -> Look:
        text = _read(ref, root)
        facts = {
            "language": text.language,
            "letters": dict(Counter(text.text)),
            "empty": text.is_empty,
            "spoilt": sum(len(match.group()) for match in _SPOILT.finditer(text.text)),
            "columns": columns_of(ref.item) if ref.format == CELL else [],
            "fields": fields_of(text.text),
        }
        digest = hashlib.sha256(" ".join(text.text.split()).encode()).hexdigest()
        return Look(digest, file_digest(root / path for path in ref.paths), len(text.text), facts)

    def facts(self, refs: Sequence[FileRef | TableRef], looks: Sequence[Look | None]) -> InputFacts:
        seen = [look for look in looks if look is not None]
        letters: Counter[str] = Counter()
        for look in seen:
            letters.update(look.facts["letters"])
        languages = Counter(look.facts["language"] for look in seen)
        sizes = np.quantile([look.size for look in seen], (0, 0.05, 0.5, 0.95, 1), method="nearest")
        alphabet = [ord(one) for one, _ in sorted(letters.items(), key=lambda item: (-item[1], item[0]))]
        return InputFacts.without_space(
            "text",
            1,
            dimensions=1,
            sizes=sizes.tolist(),
            details={
                "alphabet": alphabet[:MOST_LETTERS],
                "language": languages.most_common(1)[0][0],
                "columns": seen[0].facts["columns"],
            },
        )

    def settings(self, facts: InputFacts) -> dict[str, Any]:
        """`length` (characters), `alphabet` (code points, the most frequent first), `language` (BCP 47), `columns`.

        The columns are those of a table whose cells the texts are; of text files there are none. A task that says
        something of every character adds `whole`: texts are then as long as they are, `length` at least, and are read
        stretch by stretch.
        """
        length = max(8, min(LONGEST, facts.shapes[4][2]))
        return {"kind": "text", "length": int(length), **facts.details}

    def reason(self, settings: Mapping[str, Any]) -> str:
        return f"up to {settings['length']} characters, {len(settings['alphabet'])} different ones in training"

    def spec(self, settings: Mapping[str, Any]) -> InputSpec:
        return InputSpec("text", 1, 1, (1, 1, int(settings["length"])), alphabet=tuple(settings["alphabet"]))

    def array(self, case: Case, name: str, root: Path, settings: Mapping[str, Any]) -> Array:
        ref = case.inputs.get(name)
        text = _read(ref, root).text if isinstance(ref, FileRef) else ""
        size = int(settings["length"])
        # What is said of every character must not stop where the network's window does.
        found = np.zeros(max(size, len(text)) if settings.get("whole") else size, np.int32)
        letters = [ord(one) for one in text[: len(found)]]
        found[: len(letters)] = letters
        return found

    def describe(self, array: Array, settings: Mapping[str, Any]) -> Floats:
        """Length, and the shares of letters, digits, spaces, Chinese characters and of what training has not seen."""
        codes = array[array > 0]
        if not codes.size:
            return np.full(6, np.nan)
        words = [chr(code) for code in codes.tolist()]
        shares = [
            sum(test(one) for one in words) / len(words)
            for test in (str.isalpha, str.isdigit, str.isspace, lambda one: "\u4e00" <= one <= "\u9fff")
        ]
        return np.array([np.log(len(words)), *shares, _unknown(codes, settings)])

    def refusals(self, case: Case, name: str, root: Path, settings: Mapping[str, Any]) -> list[str]:
        ref = case.inputs.get(name)
        if not isinstance(ref, FileRef):
            return []
        text = _read(ref, root)
        content = text.text
        if text.is_empty:
            return [f"{name}: the text is empty"]
        unknown = _unknown(np.array([ord(one) for one in content]), settings)
        if unknown > UNKNOWN or content.count(REPLACED) > UNKNOWN * len(content):
            return [f"{name}: {unknown:.0%} of its characters were not in training (another language or encoding?)"]
        return []

    def remarks(self, case: Case, name: str, root: Path, settings: Mapping[str, Any]) -> list[str]:
        ref = case.inputs.get(name)
        if not isinstance(ref, FileRef) or settings.get("whole"):
            return []
        size = len(_read(ref, root).text)
        return [f"{name}: only the first {settings['length']} of {size} characters are read"] * (
            size > settings["length"]
        )


def fields_of(text: str) -> dict[str, str]:
    r"""Lines such as `Diagnosis: pneumonia` that say one thing in few words: name in lower case to what it says.

    Example:
        >>> fields_of("Exam: CT\nDiagnosis: Pneumonia\nThe lungs are clear.")
        {'exam': 'ct', 'diagnosis': 'pneumonia'}
    """
    found = _FIELD.finditer(text)
    return {match[1].strip().lower(): match[2].strip().lower() for match in islice(found, MOST_FIELDS)}


def _read(ref: FileRef, root: Path) -> Text:
    text = formats.read_input(ref, root)
    if not isinstance(text, Text):
        raise DataRefused(f"{', '.join(ref.paths)} is no text")
    return text


def _unknown(codes: Array, settings: Mapping[str, Any]) -> float:
    return float(1 - np.isin(codes, settings["alphabet"]).mean())


KIND: Kind = Texts()
