"""Every fixed word of the reports, in each language; the words themselves are JSON files beside this one.

`words.<language>.json` holds what the pages say. `phrases.<language>.json` holds English sentences that reach a report
inside a record (titles of figures, warnings, reasons of a plan) with their translation; `{1}` stands for what differs,
`{#1}` for a number. What has no translation there is shown as it was written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from diascope.core import registry
from diascope.core.errors import UnknownName

LANGUAGES = ("en", "zh-CN")
PART = " · "
LISTED = "; "
_BRACKETED = re.compile(r" \(([^()]+)\)")
_BLANK = re.compile(r"\{(#?)\d\}")


class Catalogue:
    """Fixed words of one language by key.

    Args:
        lang: `en` or `zh-CN`.
        of: Whose words they are, for the error: `the report's words`.
        words: Key to words, with blanks in braces.
    """

    def __init__(self, lang: str, of: str, words: Mapping[str, str]) -> None:
        self.lang, self._of, self._words = lang, of, words

    def __call__(self, key: str, **values: object) -> str:
        """The words for a key, with its blanks filled in.

        Raises:
            UnknownName: When the catalogue has no such key.
        """
        if key not in self._words:
            raise UnknownName(f"entry in {self._of}", key, self._words)
        return self._words[key].format(**values)

    def count(self, key: str, number: int) -> str:
        """A number with its noun: `1 patient`, `45 patients`."""
        return self(f"{key}.one" if number == 1 else f"{key}.many", n=f"{number:,}")


class Words(Catalogue):
    """The words of one language."""

    def __init__(self, lang: str) -> None:
        super().__init__(lang, "the report's words", _load(f"words.{lang}.json"))
        self._exact, self._patterns = _phrases(lang)

    def phrase(self, text: str) -> str:
        """An English phrase from a record in this language; the phrase itself where it is not in the catalogue.

        Parts around a middle dot, the blanks of a pattern, and of what matches none the parts of a list and the words
        in brackets are phrases too.
        """
        if text in self._exact or not self._exact:
            return self._exact.get(text, text)
        if PART in text:
            return PART.join(self.phrase(part) for part in text.split(PART))
        for pattern, translation in self._patterns:
            found = pattern.fullmatch(text)
            if found:
                return translation.format(text, *map(self.phrase, found.groups()))
        if LISTED in text:
            return self("list.between").join(self.phrase(part) for part in text.split(LISTED))
        return _BRACKETED.sub(self._bracketed, text)

    def _bracketed(self, found: re.Match[str]) -> str:
        """What is said in brackets of one thing of many: `mass (never present), nodule (2 cases with it)`."""
        said = self.phrase(found[1])
        return found[0] if said == found[1] else f"（{said}）"

    def label(self, text: str) -> str:
        """The name of an axis, line, column or figure: a phrase, in which a metric at the end has its title.

        `auroc` is the title of that metric, and so is the end of `Validation: auroc`.
        """
        before, colon, last = text.rpartition(": ")
        base = last.partition("/")[0]
        is_metric = base in registry.names("metrics") or f"metric.{base}" in self._words
        return self.phrase(before + colon + self.metric(last)) if is_metric else self.phrase(text)

    def field(self, name: str) -> str:
        """What a field of a plan is called; its own name where that is not in the catalogue."""
        return self._exact.get(f"plan.{name}", name)

    def metric(self, name: str) -> str:
        """A metric's name for people; `dice/anterior` is the title of `dice` and the class."""
        base, _, rest = name.partition("/")
        title = self.metric_base(base)
        return f"{title} · {self.phrase(rest)}" if rest else title

    def metric_base(self, base: str) -> str:
        """The title of the metric plug-in of that name, or of a measure that a task brings; else the name itself."""
        if base not in registry.names("metrics"):
            words = self
            return words(f"metric.{base}") if f"metric.{base}" in self._words else self.phrase(base)
        title: dict[str, str] = registry.get("metrics", base).title
        return title.get(self.lang) or title.get("en") or base


@cache
def choose(lang: str) -> Words:
    """The words of a language.

    Raises:
        UnknownName: When reports are not written in that language.
    """
    if lang not in LANGUAGES:
        raise UnknownName("report language", lang, LANGUAGES)
    return Words(lang)


def _load(name: str) -> dict[str, str]:
    content: dict[str, str] = json.loads(files("diascope.reports").joinpath(name).read_text(encoding="utf-8"))
    return content


def _phrases(lang: str) -> tuple[dict[str, str], list[tuple[re.Pattern[str], str]]]:
    if lang == "en":
        return {}, []
    entries = _load(f"phrases.{lang}.json")
    exact = {text: said for text, said in entries.items() if not _BLANK.search(text)}
    patterns = [(_pattern(text), said) for text, said in entries.items() if _BLANK.search(text)]
    return exact, patterns


def _pattern(text: str) -> re.Pattern[str]:
    blanks = ["([\\d.,\N{MINUS SIGN}-]+)" if mark else "(.+?)" for mark in _BLANK.findall(text)]
    literal = [re.escape(part) for part in _BLANK.sub("\0", text).split("\0")]
    return re.compile("".join(a + b for a, b in zip(literal, [*blanks, ""], strict=True)), re.DOTALL)
