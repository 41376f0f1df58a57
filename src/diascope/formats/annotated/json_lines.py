"""Records of JSON with a text and its entities: one a line, or a list of them.

The names of the fields differ from tool to tool; those of CCKS, CMeEE, doccano, Label Studio's and Prodigy's exports of
spans are known. Whether an end counts the last character or the one behind it is learnt from the words that a record
quotes, where it does; without any, an end is the one behind.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from diascope.core.errors import UnreadableFile
from diascope.formats.annotated.notes import Note, Span, sound

TEXT = ("originaltext", "text", "content", "sentence", "raw", "report", "note")
"""Fields that hold the text; names are compared in lower case without `_` and `-`."""
ENTITIES = ("entities", "spans", "labels", "label", "annotations", "entity")
"""Fields that hold the spans: a list of objects, or of start, end and label."""
LABEL = ("labeltype", "label", "type", "entitytype", "entitylabel", "category", "tag", "entitygroup")
START = ("startpos", "start", "startoffset", "startidx", "begin", "startindex", "from")
END = ("endpos", "end", "endoffset", "endidx", "stop", "endindex", "to")
QUOTED = ("entity", "text", "mention", "word", "value", "span", "entitytext")
"""Fields of a span that quote its words."""
HEAD = 1 << 16
"""Characters at the start of a file in which the first record is looked for."""


def parsed(path: Path, text: str) -> tuple[Note, ...]:
    """Every record of a file.

    Raises:
        UnreadableFile: When it is no JSON, or a record has no text or a span no place; names the line.
    """
    records = list(_records(path, text))
    if not records:
        raise UnreadableFile(path, "it holds no record", "Write one JSON object a line")
    kept = [(number, _text_of(path, number, record), _spans_of(path, number, record)) for number, record in records]
    inclusive = _is_inclusive([(text, spans) for _, text, spans in kept])
    return tuple(
        _note(path, number, record, text, spans, inclusive)
        for (number, record), (_, text, spans) in zip(records, kept, strict=True)
    )


def is_annotated(head: str) -> bool:
    """Whether the start of a file is that of records with a text and a list of spans."""
    record = _first(head)
    return holds_text(head) and isinstance(_value(record, ENTITIES), list)


def holds_text(head: str) -> bool:
    """Whether the start of a file is that of records with a text."""
    return isinstance(_value(_first(head), TEXT), str)


def _first(head: str) -> object:
    """The first record of a file; None where it is no JSON."""
    start = head.lstrip("\ufeff \t\r\n[")
    if not start.startswith("{"):
        return None
    try:
        return json.JSONDecoder().raw_decode(start)[0]
    except ValueError:
        return None


def _records(path: Path, text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Number of the line (or place in the list) and record."""
    plain = text.lstrip("\ufeff")
    if plain.lstrip().startswith("["):
        try:
            found = json.loads(plain)
        except ValueError as error:
            raise UnreadableFile(path, f"it is no JSON: {error}") from error
        yield from ((number, _object(path, number, one)) for number, one in enumerate(found, start=1))
        return
    for number, line in enumerate(plain.split("\n"), start=1):
        if line.strip():
            try:
                found = json.loads(line)
            except ValueError as error:
                raise UnreadableFile(path, f"line {number} is no JSON: {error}", "Write one object a line") from error
            yield number, _object(path, number, found)


def _object(path: Path, number: int, found: object) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise UnreadableFile(path, f"record {number} is no object", "Write one JSON object a line")
    return found


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _field(record: object, names: Sequence[str]) -> str | None:
    """The field of a record that has one of the names, the first name first."""
    if not isinstance(record, dict):
        return None
    known = {_plain(name): name for name in record}
    return next((known[name] for name in names if name in known), None)


def _value(record: object, names: Sequence[str]) -> Any:
    name = _field(record, names)
    return record[name] if name is not None and isinstance(record, dict) else None


def _text_of(path: Path, number: int, record: Mapping[str, Any]) -> str:
    text = _value(record, TEXT)
    if not isinstance(text, str):
        raise UnreadableFile(path, f"record {number} has no text", f"Call the field {TEXT[1]!r}")
    return sound(path, text)


def _spans_of(path: Path, number: int, record: Mapping[str, Any]) -> list[tuple[Span, str]] | None:
    """Start, end and label as they stand there, with the words that are quoted; None where nothing is said."""
    listed = _value(record, ENTITIES)
    if not isinstance(listed, list):
        return None
    found = []
    for one in listed:
        whole = _of_object(one) if isinstance(one, dict) else _of_list(one)
        if whole is None:
            shown = json.dumps(one, ensure_ascii=False)[:80]
            raise UnreadableFile(path, f"record {number} has a span without start, end and label: {shown}")
        found.append(whole)
    return found


def _of_object(one: Mapping[str, Any]) -> tuple[Span, str] | None:
    start, end, label = _value(one, START), _value(one, END), _value(one, LABEL)
    quoted = _value(one, QUOTED)
    if not _is_place(start) or not _is_place(end) or not isinstance(label, str) or not label:
        return None
    return (start, end, label), quoted if isinstance(quoted, str) else ""


def _of_list(one: Any) -> tuple[Span, str] | None:
    if not isinstance(one, list) or len(one) != 3 or not _is_place(one[0]) or not _is_place(one[1]):
        return None
    return ((one[0], one[1], one[2]), "") if isinstance(one[2], str) and one[2] else None


def _is_place(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_inclusive(records: Sequence[tuple[str, list[tuple[Span, str]] | None]]) -> bool:
    """Whether ends count the last character of a span, by the words that are quoted."""
    behind = last = 0
    for text, spans in records:
        for (start, end, _), quoted in spans or ():
            if quoted and 0 <= start <= end:
                behind += text[start:end] == quoted
                last += text[start : end + 1] == quoted
    return last > behind


def _note(
    path: Path,
    number: int,
    record: Mapping[str, Any],
    text: str,
    spans: list[tuple[Span, str]] | None,
    inclusive: bool,
) -> Note:
    fields = {
        name: str(value)
        for name, value in record.items()
        if isinstance(value, str | int | float) and name not in (_field(record, TEXT), _field(record, ENTITIES))
    }
    if spans is None:
        return Note(text, None, fields)
    places = tuple((start, end + inclusive, label) for (start, end, label), _ in spans)
    wrong = [
        f"{quoted!r} at {start}, where the text has {text[start:stop]!r}"
        for (start, stop, _), (_, quoted) in zip(places, spans, strict=True)
        if quoted and 0 <= start <= stop <= len(text) and text[start:stop] != quoted
    ]
    remarks = [f"record {number} of {path.name} quotes {wrong[0]}"] if wrong else []
    return Note(text, places, fields, tuple(remarks))
