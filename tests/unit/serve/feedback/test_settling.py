"""From several people's answers to one label, or to a disagreement that is left open."""

from __future__ import annotations

from typing import Any

from diascope.core.feedback import LabelChange
from diascope.serve.feedback.judging import Judged
from diascope.serve.feedback.settling import settled


def said(author: str, at: float, after: Any, column: str = "nodule", kind: str = "presence", **more: Any) -> Judged:
    change = "undecided" if after is None else "labelled"
    record = LabelChange.model_validate(
        {"case": "P-1", "patient": "P", "column": column, "kind": kind, "after": after, "change": change,
         "origin": "reading", "of": f"{author}{at}", "author": author, "at": "2026-01-01T00:00:00+00:00"}
    )  # fmt: skip
    return Judged(record, 1, at, **more)


def values(*answers: Judged, newest: bool = False) -> dict[str, Any]:
    rows = settled(answers, newest).rows
    return rows[0].values if rows else {}


def test_two_who_agree_make_a_label():
    assert values(said("ada", 1, True), said("bob", 2, True)) == {"nodule": True}


def test_two_who_disagree_make_none_and_it_is_told():
    answers = [said("ada", 1, True), said("bob", 2, False)]
    assert values(*answers) == {}
    (open_one,) = settled(answers).disagreements
    assert [(author, value) for author, value, _ in open_one.answers] == [("ada", True), ("bob", False)]
    assert values(*answers, newest=True) == {"nodule": False}
    assert settled(answers, newest=True).disagreements == ()


def test_false_and_zero_are_not_one_answer():
    answers = [said("ada", 1, "0", kind="class"), said("bob", 2, False, kind="class")]
    assert len(settled(answers).disagreements) == 1


def test_of_one_person_the_newest_answer_counts_also_where_it_takes_back():
    assert values(said("ada", 1, True), said("ada", 2, False)) == {"nodule": False}
    assert values(said("ada", 2, False), said("ada", 1, True)) == {"nodule": False}, "whatever the order"
    assert values(said("ada", 1, True), said("ada", 2, None)) == {}
    assert values(said("ada", 1, True), said("bob", 2, None)) == {"nodule": True}, "who can't tell contradicts nobody"


def test_what_nobody_asks_for_makes_no_column():
    assert settled([said("ada", 1, True, "rib", asked=False)]).columns == {}


def test_a_name_that_is_asked_for_in_two_ways_is_told():
    found = settled([said("ada", 1, True), said("ada", 2, "big", kind="class")])
    assert (found.columns, found.rows[0].values) == ({"nodule": "presence"}, {"nodule": True})
    assert "two ways" in found.notes[0]


def test_of_two_masks_the_newest_counts_and_it_is_told():
    found = settled([said("ada", 1, "x", "mask", "mask"), said("bob", 2, "y", "mask", "mask")])
    assert found.rows[0].drawn["mask"].change.author == "bob"
    assert "newest" in found.notes[0]
