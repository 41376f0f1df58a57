"""What a client searches for (PS3.18 8.3.4): parameters of an address, read and bounded. No value is ever logged."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from diascope.core.errors import BadUsage
from diascope.formats.dicomio.uids import is_uid
from diascope.serve.dicomweb.elements import keyword_of

Level = Literal["study", "series", "instance"]

PAGE, LARGEST_PAGE = 100, 1000
"""Results of one answer, where nothing is said and at most."""

LARGEST_OFFSET = 10_000_000
LONGEST_VALUE = 1024
MOST_PARAMETERS, MOST_UIDS = 64, 1000

DATE_RANGE = re.compile(r"([0-9]{8})?(-)?([0-9]{8})?")
TIME = r"[0-9]{2}(?:[0-9]{2}(?:[0-9]{2}(?:\.[0-9]{1,6})?)?)?"
TIME_RANGE = re.compile(f"({TIME})?(-)?({TIME})?")


@dataclass(frozen=True)
class Query:
    """A search.

    Args:
        level: What is searched for.
        matches: Keyword and value, each keyword once.
        included: Keywords that are asked for beside those that are always answered.
        everything: Whether all that is known is asked for.
        limit: Most results.
        offset: Results before the first one.
        warnings: What of the parameters was not done, in plain words.
    """

    level: Level
    matches: tuple[tuple[str, str], ...]
    included: frozenset[str]
    everything: bool
    limit: int
    offset: int
    warnings: tuple[str, ...]


def read_query(level: Level, parameters: Iterable[tuple[str, str]], known: frozenset[str]) -> Query:
    """Read the parameters of an address.

    Args:
        level: What is searched for.
        parameters: Names and values, decoded.
        known: Keywords that can be searched for.

    Raises:
        BadUsage: When a value makes no sense, or there are too many.
    """
    given = list(parameters)
    if len(given) > MOST_PARAMETERS:
        raise BadUsage(f"the address has more than {MOST_PARAMETERS} parameters")
    plain = {"limit": str(PAGE), "offset": "0", "fuzzymatching": "false"}
    matches: dict[str, str] = {}
    included: set[str] = set()
    warnings: list[str] = []
    for name, value in given:
        if len(value) > LONGEST_VALUE and "UID" not in name and not name.lower().startswith(("0020000", "0008001")):
            raise BadUsage("the value of a parameter is too long", given=_shown(name))
        if not value.isprintable():
            raise BadUsage("the value of a parameter holds control characters", given=_shown(name))
        if name in plain:
            plain[name] = value
        elif name == "includefield":
            included.update(part.strip() for part in value.split(","))
        else:
            _match(name, value, known, matches, warnings)
    if plain["fuzzymatching"].lower() == "true":
        warnings.append("fuzzy matching is not done; words are matched as they are")
    everything = "all" in included
    keywords = {keyword_of(name) for name in included - {"all"}}
    if "" in keywords:
        warnings.append("an includefield is no attribute")
    return Query(
        level=level,
        matches=tuple(matches.items()),
        included=frozenset(keywords - {""}),
        everything=everything,
        limit=min(_number("limit", plain["limit"], 1), LARGEST_PAGE),
        offset=_number("offset", plain["offset"], 0),
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _match(name: str, value: str, known: frozenset[str], matches: dict[str, str], warnings: list[str]) -> None:
    keyword = keyword_of(name)
    if keyword not in known:
        warnings.append(f"{keyword or 'a parameter'} is not searched for and was ignored")
    elif keyword in matches:
        raise BadUsage("a parameter stands twice", given=keyword)
    elif value.strip() not in ("", "*"):  # universal matching, PS3.4 C.2.2.2.3
        matches[keyword] = value.strip(" \0")


def uid_list(keyword: str, value: str) -> list[str]:
    """UIDs of a list (PS3.4 C.2.2.2.2), separated by commas or backslashes.

    Raises:
        BadUsage: When one is no UID, or there are too many.
    """
    found = [one.strip() for one in value.replace("\\", ",").split(",")]
    if len(found) > MOST_UIDS or not all(is_uid(one) for one in found):
        raise BadUsage(f"{keyword} is no list of UIDs", todo=f"Give at most {MOST_UIDS}, separated by commas")
    return found


def date_range(keyword: str, value: str) -> tuple[str, str]:
    """First and last day, "" where it is open; the same for a single day.

    Raises:
        BadUsage: When it is no date and no range.
    """
    found = DATE_RANGE.fullmatch(value)
    if not found or not (found[1] or found[3]) or (found[1] and found[3] and not found[2]):
        raise BadUsage(f"{keyword} is no date and no range", todo="Write 20260131, 20260101-20260131 or 20260101-")
    return (found[1] or "", found[3] or "") if found[2] else (found[1] or found[3],) * 2


def time_range(keyword: str, value: str) -> tuple[str, str]:
    """First and last time, the last one as late as its precision allows; "" where it is open.

    Raises:
        BadUsage: When it is no time and no range.
    """
    found = TIME_RANGE.fullmatch(value)
    if not found or not (found[1] or found[3]) or (found[1] and found[3] and not found[2]):
        raise BadUsage(f"{keyword} is no time and no range", todo="Write 1030, 10-1130 or 103000-")
    first, last = (found[1] or "", found[3] or "") if found[2] else (found[1] or found[3],) * 2
    return first, last + "235959.999999"[len(last) :] if last else ""


def whole_number(keyword: str, value: str) -> int:
    """A number.

    Raises:
        BadUsage: When it is none that a database column holds.
    """
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", value):
        raise BadUsage(f"{keyword} is no whole number")
    return int(value)


def like(value: str) -> str:
    """A pattern of SQL for DICOM's wildcards; a backslash escapes."""
    escaped = re.sub(r"([\\%_])", r"\\\1", value)
    return escaped.replace("*", "%").replace("?", "_")


def has_wildcards(value: str) -> bool:
    """Whether it is a pattern (PS3.4 C.2.2.2.4)."""
    return "*" in value or "?" in value


def _number(name: str, value: str, least: int) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", value) or not least <= int(value) <= LARGEST_OFFSET:
        raise BadUsage(f"{name} is no number from {least} on", given=value[:20])
    return int(value)


def _shown(name: str) -> str:
    return keyword_of(name) or "a parameter"
