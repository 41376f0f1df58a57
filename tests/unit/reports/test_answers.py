"""Folder names of answers: safe, unique, and the same each time."""

from __future__ import annotations

import pytest

from diascope.core.case import FileRef
from diascope.reports.answers import LONGEST, folder_names
from diascope.testing import a_case


def named(*ids: str) -> list[str]:
    return folder_names(
        [
            a_case(id=name, inputs={"image": FileRef(format="picture", paths=(f"{number}.png",))})
            for number, name in enumerate(ids)
        ]
    )


def test_a_name_that_nobody_shares_is_the_id() -> None:
    assert named("scan", "p-1") == ["scan", "p-1"]


@pytest.mark.parametrize("ids", [("scan", "scan"), ("p 1", "p-1"), ("A", "a"), ("x" * 90 + "1", "x" * 90 + "2")])
def test_names_that_would_be_one_are_told_apart_whatever_the_order(ids: tuple[str, str]) -> None:
    names = named(*ids)
    assert len({name.casefold() for name in names}) == 2
    assert max(map(len, names)) <= LONGEST
    alone = [
        a_case(id=name, inputs={"image": FileRef(format="picture", paths=(f"{number}.png",))})
        for number, name in enumerate(ids)
    ]
    assert folder_names(alone[::-1]) == names[::-1]


def test_the_same_case_twice_has_two_folders() -> None:
    assert len(set(folder_names([a_case(), a_case()]))) == 2


@pytest.mark.parametrize("name", ["..", "../../etc/passwd", "/", "", "a/b"])
def test_nothing_leaves_the_output_folder(name: str) -> None:
    (folder,) = named(name)
    assert "/" not in folder
    assert folder not in ("", ".", "..")
