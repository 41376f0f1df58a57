"""Every English sentence that the code can put on a page stands in the Chinese catalogue, and is found there."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

import diascope
from diascope.reports.words import choose

CODE = Path(diascope.__file__).parent
WHOLE = ("checks", "engine/ablation.py", "evidence", "kinds", "planning", "tasks")
"""Packages and modules of which nearly all prose is for a page."""
ON_A_PAGE = {"title", "detail", "reason", "note", "caption", "label", "x_label", "y_label", "row_label", "column_label"}
"""Arguments that a page shows, wherever they are given."""
FOURTH = {"put", "with_choice"}
"""Methods of a plan and its draft: the reason is their fourth argument."""
TOLD = {"raise", "BadUsage", "DataRefused", "UnreadableFile", "DiascopeError", "DoesNotFit", "UnknownName", "say"}
"""What is told in a terminal, in English: errors, and what goes on."""
NAMES = {"summary", "title"}
"""Of a plug-in, for `diascope list`."""
PROSE = re.compile(r"[A-Za-z]+,? [a-z]{2,}")
BLANK = "\0"
ENGLISH_ONLY = {
    "paired cluster bootstrap",
    "paired clustered DeLong",
    "the data was refused: \0",
    "true or false",
    "no value",
    "a value in 0..1",
    "a list",
    "for a comparison",
    "series chosen: \0",
    "a list of \0 numbers",
    "a \0number of at least \0",
    "names with values",
    "\0 of case \0",
    "recall of at least\0",
    "precision of at least\0",
    '--set preprocess=\'["median", ["clahe", {"clip": 0.02}]]\'',
}
"""Errors in the making, commands, methods that only a file names, and what has its Chinese beside it."""


def entries() -> dict[str, str]:
    name = files("diascope.reports").joinpath("phrases.zh-CN.json")
    content: dict[str, str] = json.loads(name.read_text(encoding="utf-8"))
    return content


@cache
def catalogue() -> tuple[str, ...]:
    return tuple(re.sub(r"\{#?\d\}", BLANK, english) for english in entries())


def is_translated(text: str) -> bool:
    """Whether the words of the text stand in the catalogue; they may be a part of an entry."""
    parts = [part for part in text.strip().split(BLANK) if re.search("[A-Za-z]", part)]
    longest = max(parts, key=len)
    return any(longest in english and holds(english, parts) for english in catalogue())


def holds(english: str, parts: Sequence[str]) -> bool:
    """Whether the parts come one after the other."""
    at = 0
    for part in parts:
        at = english.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return True


def written(node: ast.AST) -> str:
    """The text of a literal, with blanks; empty for any other node."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.sub(r"\{\w*\}", BLANK, node.value)
    if isinstance(node, ast.JoinedStr):
        parts = (str(part.value) if isinstance(part, ast.Constant) else BLANK for part in node.values)
        return re.sub(r"\{\w*\}", BLANK, "".join(parts))
    return ""


def name_of(node: ast.AST) -> str:
    match node:
        case ast.Raise():
            return "raise"
        case ast.Call(func=ast.Attribute(attr=name)) | ast.Call(func=ast.Name(id=name)):
            return name
    return ""


def is_elsewhere(node: ast.AST) -> bool:
    """Whether nothing within is for a page, or all of it is in two languages already."""
    match node:
        case ast.Expr(value=ast.Constant()):
            return True  # a docstring
        case ast.FunctionDef(name=name):
            return name in ("_why", "_english")
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name in NAMES
        case ast.Dict(keys=keys):
            return any(isinstance(key, ast.Constant) and key.value == "en" for key in keys)
    return name_of(node) in TOLD


def texts(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text of every literal within that could be on a page."""
    if is_elsewhere(node):
        return
    if text := written(node):
        yield node.lineno, text  # type: ignore[attr-defined]
    literal = isinstance(node, ast.JoinedStr)
    for child in ast.iter_child_nodes(node):
        if not (literal and isinstance(child, ast.Constant)):
            yield from texts(child)


def given(tree: ast.AST) -> Iterator[ast.AST]:
    """Arguments that a page shows, and notes of a source or a file."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(args=args, keywords=keywords) if name_of(node) not in TOLD:
                yield from (one.value for one in keywords if one.arg in ON_A_PAGE)
                yield from args[3:4] if name_of(node) in FOURTH else ()
                named = isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)
                if named and node.func.value.id in ("notes", "remarks"):  # type: ignore[attr-defined]
                    yield from args
            case ast.Assign(targets=[ast.Name(id="notes" | "remarks")], value=value):
                yield value
            case ast.AugAssign(target=ast.Name(id="notes" | "remarks" | "found"), value=value):
                yield value


def sentences() -> Iterator[tuple[str, str]]:
    for path in sorted(CODE.rglob("*.py")):
        place = path.relative_to(CODE)
        if place.parts[0] in ("cli", "console", "testing", "console.py"):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in [tree] if place.as_posix().startswith(WHOLE) else given(tree):
            yield from ((f"{place}:{line}", text) for line, text in texts(node) if PROSE.search(text))


def test_every_sentence_of_a_page_has_its_translation() -> None:
    found = list(sentences())
    assert len(found) > 500, "the test no longer sees the sentences"
    missing = [f"{place}: {text}" for place, text in found if not is_translated(text)]
    assert [one for one in missing if one.partition(": ")[2] not in ENGLISH_ONLY] == []


def fields() -> Iterator[str]:
    """Names of the fields that a rule or a task puts into a plan."""
    for path in [*CODE.glob("planning/*.py"), *CODE.glob("tasks/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(attr="put"), args=[ast.Constant(value=name), *_]):
                    yield name
                case ast.Dict(keys=keys, values=values):
                    pairs = zip(keys, values, strict=True)
                    yield from (key.value for key, value in pairs if name_of(value) == "Choice")  # type: ignore[union-attr]


def test_every_field_of_a_plan_has_its_gloss() -> None:
    found = set(fields())
    assert len(found) > 50
    assert {name for name in found if f"plan.{name}" not in entries()} == set()


def test_no_pattern_hides_another() -> None:
    words = choose("zh-CN")
    for english, chinese in entries().items():
        marks = re.findall(r"\{(#?)\d\}", english)
        values = ["7" if mark else "Qq" for mark in marks]
        text = re.sub(r"\{(#?)\d\}", lambda found: "7" if found[1] else "Qq", english)
        assert words.phrase(text) == (chinese.format(text, *values) if marks else chinese)
