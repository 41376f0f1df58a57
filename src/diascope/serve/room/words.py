"""Every fixed word of the pages in each language: `catalogue/<part>.<language>.json`, by key."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from fastapi import Request

from diascope.core.errors import UnknownName
from diascope.reports.words import LANGUAGES, Catalogue, choose
from diascope.reports.words import Words as ReportWords

COOKIE = "diascope-language"


class Words(Catalogue):
    """The words of one language.

    Args:
        lang: `en` or `zh-CN`.
    """

    def __init__(self, lang: str) -> None:
        found: dict[str, str] = {}
        for one in files("diascope.serve.room").joinpath("catalogue").iterdir():
            if one.name.endswith(f".{lang}.json"):
                found |= json.loads(one.read_text(encoding="utf-8"))
        super().__init__(lang, "the words of the pages", found)
        self.reports: ReportWords = choose(lang)
        """For figures, and for sentences that stand in records."""

    def phrase(self, text: str) -> str:
        """An English sentence of a record in this language; as it is where nobody has translated it."""
        return self.reports.phrase(text)

    def of_script(self, part: str) -> dict[str, str]:
        """What a script says: the words whose keys begin with `part.`, without that beginning."""
        return {key.removeprefix(f"{part}."): said for key, said in self._words.items() if key.startswith(f"{part}.")}


@cache
def words(lang: str) -> Words:
    """The words of a language.

    Raises:
        UnknownName: When the pages are not written in it.
    """
    if lang not in LANGUAGES:
        raise UnknownName("language", lang, LANGUAGES)
    return Words(lang)


def in_every_language(text: str) -> dict[str, str]:
    """An English sentence of a record by language, for a script that shows it; empty where nothing is said."""
    return {lang: words(lang).phrase(text) for lang in LANGUAGES} if text else {}


def language_of(request: Request) -> str:
    """What a visitor chose, else the first that the browser asks for and we have, else English."""
    chosen = request.cookies.get(COOKIE, "")
    if chosen in LANGUAGES:
        return chosen
    for part in request.headers.get("accept-language", "")[:200].split(","):
        name = part.partition(";")[0].strip().lower()
        if name.startswith("zh"):
            return "zh-CN"
        if name.startswith("en"):
            return "en"
    return "en"
