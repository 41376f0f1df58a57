"""Cells of a column as values: limits of detection, stray words, columns that only count the rows."""

from __future__ import annotations

import pytest

from diascope.sources.tables.cells import values_of


def test_numbers_keep_their_type_and_missing_cells_stay_missing() -> None:
    found = values_of("age", ["61", None, "3.5", "-2"])
    assert (found.kind, found.of, found.note) == ("number", (61, None, 3.5, -2), "")


def test_a_limit_of_detection_is_the_limit_and_that_is_said() -> None:
    found = values_of("crp", ["<5", "12", ">=400", "7.5", *map(str, range(20))])
    assert found.of[:4] == (5, 12, 400, 7.5)
    assert "'<5', '>=400'" in found.note


def test_a_few_words_among_numbers_are_missing_and_that_is_said() -> None:
    found = values_of("ast", [*map(str, range(30)), "hemolysed"])
    assert found.kind == "number"
    assert found.of[-1] is None
    assert "1 cells are no numbers and count as missing ('hemolysed')" in found.note


def test_a_word_for_every_third_number_does_not_lose_the_numbers() -> None:
    cells = [str(number / 10) if number % 3 else "haemolysed" for number in range(90)]
    found = values_of("potassium", cells)
    assert found.kind == "number"
    assert "30 cells are no numbers and count as missing ('haemolysed')" in found.note
    assert values_of("dose", [f"{number} mg" if number % 2 else str(number) for number in range(90)]).kind == "text"


def test_many_words_among_numbers_make_classes() -> None:
    assert values_of("grade", ["1", "2", "x", "y"]).kind == "category"


@pytest.mark.parametrize(
    ("name", "cells", "kind"),
    [
        ("id", ["842302", "842517", "84300"], "running"),
        ("id", ["1", "1", "2"], "running"),
        ("device_id", ["1", "1", "2", "2"], "number"),
        ("hadm_id", ["184202", "190221", "184202"], "running"),
        ("住院号", ["184202", "190221", "184202"], "running"),
        ("amino", ["184202", "190221", "184202"], "number"),
        ("age", [str(number) for number in range(40, 80)], "number"),
        ("size", ["1", "2", "3"], "number"),
        ("sex", ["f", "m", "f"], "category"),
        ("crp", ["<5", ">=5", "<5"], "category"),
        ("note", [f"seen {number} times" for number in range(30)], "text"),
        ("picture", ["a.png", "b.png"], "files"),
        ("nothing", [None, None], "empty"),
    ],
)
def test_kinds(name: str, cells: list[str | None], kind: str) -> None:
    assert values_of(name, cells).kind == kind
