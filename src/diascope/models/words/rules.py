"""What a report says of each finding, by rules: present, doubted, denied, or nothing (NegEx, Chapman et al. 2001)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from diascope.core.text import HAN
from diascope.models.words.triggers import REACH, SENTENCES, SKIPPED, TRIGGERS, Meaning, Side

Said = Literal["present", "doubted", "denied", "unsaid"]
STRENGTH: Mapping[Said, int] = {"present": 3, "doubted": 2, "denied": 1, "unsaid": 0}
"""Of several mentions the one that says most counts."""
GAP = r"(?:\W+\w+){0,4}?\W+"
_SENTENCE = re.compile(SENTENCES)
_SECTION = re.compile(r"(?m)^\s*([A-Za-z_ ]{3,40}|[\u4e00-\u9fff]{2,8})\s*[:：]")


@dataclass(frozen=True)
class Mention:
    """A finding where a report names it.

    Args:
        finding: Its key in `findings.json`.
        start, end: Place in the text.
        said: What the sentence says of it.
    """

    finding: str
    start: int
    end: int
    said: Said


@dataclass(frozen=True)
class Trigger:
    """A word that denies or doubts, where it stands in a sentence."""

    meaning: Meaning
    side: Side
    start: int
    end: int


@cache
def vocabulary() -> Mapping[str, Mapping[str, Any]]:
    """Finding to its names and the words of reports, as `findings.json` has them."""
    content = json.loads((files("diascope.models.words") / "findings.json").read_text(encoding="utf-8"))
    found: Mapping[str, Mapping[str, Any]] = content["findings"]
    return found


@cache
def names_of_nothing() -> tuple[str, ...]:
    """Names of a label that means: none of the others."""
    content = json.loads((files("diascope.models.words") / "findings.json").read_text(encoding="utf-8"))
    return tuple(content["nothing"])


def finding_of(name: str) -> str | None:
    """The finding that a label means, by its name; None where there is none."""
    plain = _plain(name)
    for finding, entry in vocabulary().items():
        words = (*entry["names"], *entry["zh"])
        if plain == _plain(finding) or plain in map(_plain, words):
            return finding
    return None


def is_nothing(name: str) -> bool:
    """Whether a label means that none of the others is there."""
    return _plain(name) in map(_plain, names_of_nothing())


def said_of(text: str, findings: Sequence[str]) -> dict[str, Said]:
    """What a report says of each finding."""
    told: dict[str, Said] = dict.fromkeys(findings, "unsaid")
    for mention in mentions(text, findings):
        if STRENGTH[mention.said] > STRENGTH[told[mention.finding]]:
            told[mention.finding] = mention.said
    return told


def mentions(text: str, findings: Sequence[str]) -> Iterator[Mention]:
    """Every place where a report names one of some findings."""
    lower = text.lower()
    # Most reports name few findings: words are looked for before patterns are.
    patterns = {finding: _pattern(finding) for finding in findings if any(stem in lower for stem in _stems(finding))}
    for start, sentence in sentences(text) if patterns else ():
        found = [(finding, match) for finding, pattern in patterns.items() for match in pattern.finditer(sentence)]
        triggers = _triggers(sentence) if found else []
        for finding, match in found:
            said = _judged(sentence, match.start(), match.end(), triggers)
            yield Mention(finding, start + match.start(), start + match.end(), said)


def sentences(text: str) -> Iterator[tuple[int, str]]:
    """Place and text of each sentence of the sections that say what was seen."""
    sections = list(_SECTION.finditer(text))
    ends = [*(section.start() for section in sections[1:]), len(text)]
    skipped = [
        (section.start(), end)
        for section, end in zip(sections, ends, strict=False)
        if _plain(section[1]) in map(_plain, SKIPPED)
    ]
    place = 0
    for end in [*(match.end() for match in _SENTENCE.finditer(text)), len(text)]:
        part = text[place:end]
        if part.strip() and not any(low <= place < high for low, high in skipped):
            yield place, part
        place = end


def _judged(sentence: str, start: int, end: int, triggers: Sequence[Trigger]) -> Said:
    """What the triggers of a sentence say of what stands at a place."""
    if any(one.meaning == "denied" and start < one.start and one.end < end for one in triggers):
        return "denied"  # "the heart is not enlarged"
    before = [one for one in triggers if one.end <= start]
    cut = max((one.end for one in before if one.meaning == "end"), default=0)
    own = {one.meaning for one in before if one.side == "before" and one.start >= cut}
    behind = [one for one in triggers if one.start >= end]
    cut = min((one.start for one in behind if one.meaning == "end"), default=len(sentence))
    own |= {
        one.meaning for one in behind if one.side == "after" and one.start < cut and _reached(sentence[end : one.start])
    }
    return "doubted" if "doubted" in own else "denied" if "denied" in own else "present"


def _reached(between: str) -> bool:
    han = len(HAN.findall(between))
    return han <= REACH["zh"] and len(re.findall(r"[^\W_]+", between)) <= REACH["en"] + han


def _triggers(sentence: str) -> list[Trigger]:
    """Triggers of a sentence, the longest first where they overlap."""
    found: list[Trigger] = []
    for match in _all_triggers().finditer(sentence.lower()):
        for meaning, side in _meanings()[match.group()]:
            found.append(Trigger(meaning, side, match.start(), match.end()))
    return found


@cache
def _meanings() -> Mapping[str, tuple[tuple[Meaning, Side], ...]]:
    found: dict[str, tuple[tuple[Meaning, Side], ...]] = {}
    for kind, words in TRIGGERS.items():
        for word in words:
            found[word] = (*found.get(word, ()), kind)
    return found


@cache
def _all_triggers() -> re.Pattern[str]:
    words = sorted(_meanings(), key=len, reverse=True)
    return re.compile("|".join(re.escape(word) if HAN.match(word) else rf"\b{re.escape(word)}\b" for word in words))


@cache
def _stems(finding: str) -> tuple[str, ...]:
    """Of each phrase the longest part that stands in a text as it is, in lower case."""
    entry = vocabulary()[finding]
    latin = (max(re.split(r"[ *~]+", words), key=len) for words in entry["en"])
    return tuple(dict.fromkeys((*(word.lower() for word in latin), *entry["zh"])))


@cache
def _pattern(finding: str) -> re.Pattern[str]:
    entry = vocabulary()[finding]
    latin = "|".join(_phrase(words) for words in sorted(entry["en"], key=len, reverse=True))
    chinese = "|".join(map(re.escape, sorted(entry["zh"], key=len, reverse=True)))
    return re.compile(rf"\b(?:{latin})\b|{chinese}", re.IGNORECASE)


def _phrase(words: str) -> str:
    """A phrase of `findings.json` as a pattern."""
    parts = [r"\w*".join(map(re.escape, word.split("*"))) for word in words.split(" ") if word != "~"]
    joints = _joints(words.split(" "))
    return parts[0] + "".join(joint + part for joint, part in zip(joints, parts[1:], strict=True))


def _joints(words: Sequence[str]) -> list[str]:
    """What stands between the words of a phrase."""
    found: list[str] = []
    for place, word in enumerate(words[1:], start=1):
        if word != "~":
            found.append(GAP if words[place - 1] == "~" else r"\W+")
    return found


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", " ", name.lower()).strip()
