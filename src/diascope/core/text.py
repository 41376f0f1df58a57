"""A text as an input: a report, a note, or several of their parts joined."""

from __future__ import annotations

import re
from dataclasses import dataclass

HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]")
"""One Chinese character (Unicode's unified ideographs, their extensions and compatibility forms)."""
_WORD = re.compile(r"[^\W\d_]")
CHINESE = 0.2
"""Share of the letters that are Chinese characters from which on a text counts as Chinese: a Chinese report holds Latin
abbreviations and units, an English one holds no Chinese characters at all."""


@dataclass(frozen=True)
class Text:
    """A text of one patient at one time.

    Args:
        text: As it was written; parts that were joined stand below each other, each after its name and a colon.
        language: "en", "zh", another BCP 47 tag, or "" where nothing says it.
    """

    text: str
    language: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing: no letter and no digit."""
        return not any(character.isalnum() for character in self.text)


def language_of(text: str) -> str:
    """What language a text is written in, as far as its letters say: "zh", "en" for Latin letters, else "".

    Example:
        >>> language_of("No pleural effusion."), language_of("双肺未见CT异常。"), language_of("12/7")
        ('en', 'zh', '')
    """
    letters = _WORD.findall(text)
    if not letters:
        return ""
    if len(HAN.findall(text)) >= CHINESE * len(letters):
        return "zh"
    latin = sum(letter.isascii() or "\u00c0" <= letter <= "\u024f" for letter in letters)
    return "en" if 2 * latin > len(letters) else ""
