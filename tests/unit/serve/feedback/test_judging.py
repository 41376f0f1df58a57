"""What one answer says about labels: only what the reader said, and nothing that follows from a guess."""

from __future__ import annotations

from typing import Any

import pytest

from diascope.core.case import Label, Target
from diascope.core.finding import Finding, Measure, Place
from diascope.serve.feedback.answers import AnnotationOf, ReadingOf, StatementOf, Where, Who
from diascope.serve.feedback.judging import MaskOf, of_annotation, of_reading, of_statement

WHERE, ADA = Where(1, "P-1", "P"), Who("r1", "ada", 100.0)
TWO = Target(
    name="diagnosis", kind="category", columns=("diagnosis",),
    labels=(Label(name="normal", value=0), Label(name="pneumonia", value=1)), positive="pneumonia",
)  # fmt: skip
THREE = Target(
    name="kind", kind="category", columns=("kind",),
    labels=(Label(name="a", value=0), Label(name="b", value=1), Label(name="c", value=2)),
)  # fmt: skip
SEVERAL = Target(
    name="findings", kind="labels", columns=("nodule", "effusion"),
    labels=(Label(name="nodule", value=0), Label(name="effusion", value=1)),
)  # fmt: skip
NUMBER = Target(name="age", kind="number", columns=("age",), unit="mo")
PARTS = (Label(name="organ", value=1), Label(name="lesion", value=2))
MASK = Target(name="mask", kind="mask", columns=("mask",), labels=PARTS)
THINGS = (Label(name="nodule", value=1), Label(name="cyst", value=2))
BOXES = Target(name="boxes", kind="boxes", columns=("boxes",), labels=THINGS)


def a_reading(target: Target | None, said: dict[str, str], verdict: str, **more: Any) -> ReadingOf:
    findings = [Finding(concept=name, status=status) for name, status in said.items()]
    return ReadingOf(WHERE, ADA, "res", "chest@1", target, findings, verdict, **more)


def one_of(reading: ReadingOf) -> tuple[Any, Any, str]:
    (found,) = of_reading(reading)
    return found.change.before, found.change.after, found.change.change


CALLED = {"normal": "absent", "pneumonia": "present"}


@pytest.mark.parametrize(
    ("verdict", "more", "expected"),
    [
        ("accept", {}, ("pneumonia", "pneumonia", "confirmed")),
        ("amend", {"amended": {"pneumonia": {"status": "absent"}}}, ("pneumonia", "normal", "changed")),
        ("amend", {"amended": {"normal": {"status": "present"}}}, ("pneumonia", "normal", "changed")),
        ("amend", {"amended": {"pneumonia": {"boxes": []}}}, ("pneumonia", "pneumonia", "confirmed")),
        ("reject", {"reason": "false_finding"}, ("pneumonia", "normal", "changed")),
        ("reject", {"reason": "wrong_class"}, ("pneumonia", "normal", "changed")),
        ("reject", {"reason": "wrong_place"}, ("pneumonia", "pneumonia", "confirmed")),
        ("reject", {"reason": "poor_image"}, ("pneumonia", None, "undecided")),
        ("reject", {"reason": "other"}, ("pneumonia", None, "undecided")),
        ("unsure", {}, ("pneumonia", None, "undecided")),
    ],
)
def test_a_class_of_two(verdict, more, expected):
    assert one_of(a_reading(TWO, CALLED, verdict, **more)) == expected


def test_of_three_classes_none_is_guessed():
    said = {"a": "absent", "b": "present", "c": "absent"}
    assert one_of(a_reading(THREE, said, "reject", reason="false_finding"))[1:] == (None, "undecided")
    assert one_of(a_reading(THREE, said, "amend", amended={"b": {"status": "absent"}}))[1:] == (None, "undecided")
    right = {"b": {"status": "absent"}, "c": {"status": "present"}}
    assert one_of(a_reading(THREE, said, "amend", amended=right)) == ("b", "c", "changed")
    both = {"a": {"status": "present"}, "c": {"status": "present"}}
    assert one_of(a_reading(THREE, said, "amend", amended=both))[1:] == (None, "undecided")
    left = {"b": {"status": "absent"}, "c": {"status": "absent"}}
    assert one_of(a_reading(THREE, said, "amend", amended=left))[1:] == ("a", "changed")


def test_a_class_that_was_added_is_the_class():
    said = {"a": "absent", "b": "present", "c": "absent"}
    assert one_of(a_reading(THREE, said, "accept", added=[{"concept": "b"}]))[1:] == ("b", "confirmed")
    assert one_of(a_reading(THREE, said, "amend", added=[{"concept": "c"}]))[1:] == ("c", "changed")


def test_an_accepted_answer_that_abstained_is_no_label():
    said = {"normal": "abstained", "pneumonia": "abstained"}
    assert one_of(a_reading(TWO, said, "accept")) == (None, None, "undecided")


def presences(reading: ReadingOf) -> dict[str, Any]:
    return {one.change.column: one.change.after for one in of_reading(reading)}


def test_several_labels_are_judged_one_by_one():
    said = {"nodule": "present", "effusion": "absent"}
    assert presences(a_reading(SEVERAL, said, "accept")) == {"nodule": True, "effusion": False}
    right = {"nodule": {"status": "absent"}}
    assert presences(a_reading(SEVERAL, said, "amend", amended=right)) == {"nodule": False, "effusion": False}
    missed = presences(a_reading(SEVERAL, said, "accept", added=[{"concept": "effusion"}]))
    assert missed == {"nodule": True, "effusion": True}
    assert presences(a_reading(SEVERAL, said, "reject", reason="false_finding")) == {"nodule": False, "effusion": None}
    assert presences(a_reading(SEVERAL, said, "reject", reason="wrong_size")) == {"nodule": True, "effusion": None}
    assert presences(a_reading(SEVERAL, said, "unsure")) == {"nodule": None, "effusion": None}
    two = {"nodule": "present", "effusion": "present"}
    both = presences(a_reading(SEVERAL, two, "reject", reason="false_finding"))
    assert both == {"nodule": None, "effusion": None}, "which of the two is false was not said"
    gone = {"nodule": "abstained", "effusion": "absent"}
    assert presences(a_reading(SEVERAL, gone, "accept")) == {"nodule": None, "effusion": False}


def test_what_nobody_looks_for_is_told_and_makes_no_column():
    found = of_reading(a_reading(TWO, CALLED, "accept", added=[{"concept": "rib fracture", "drawing": "d1"}]))
    (beyond,) = [one for one in found if not one.asked]
    assert (beyond.change.column, beyond.change.after, beyond.mask) == (
        "rib fracture", True, MaskOf(drawings={"rib fracture": "d1"}),
    )  # fmt: skip


def a_measured(verdict: str, amended: dict[str, Any]) -> tuple[Any, Any, str]:
    finding = Finding(concept="age", status="measured", measures={"value": Measure(value=84.0, unit="mo")})
    return one_of(ReadingOf(WHERE, ADA, "res", "bones@1", NUMBER, [finding], verdict, amended=amended))


def test_a_number_counts_in_its_own_unit_only():
    assert a_measured("accept", {}) == (84.0, 84.0, "confirmed")
    assert a_measured("amend", {"age": {"value": 90.0, "unit": "mo"}}) == (84.0, 90.0, "changed")
    assert a_measured("amend", {"age": {"value": 7.5, "unit": "a"}}) == (84.0, None, "undecided")


ORGAN = {"organ": "present", "lesion": "absent"}


def test_a_mask_is_that_of_the_release_with_what_was_drawn_in_its_place():
    (accepted,) = of_reading(a_reading(MASK, ORGAN, "accept"))
    assert (accepted.mask, accepted.change.change) == (MaskOf("res"), "confirmed")
    right = {"organ": {"drawing": "d1"}}
    (drawn,) = of_reading(
        a_reading(MASK, ORGAN, "amend", amended=right, added=[{"concept": "lesion", "drawing": "d2"}])
    )
    assert drawn.mask == MaskOf("res", {"organ": "d1", "lesion": "d2"})
    (gone,) = of_reading(a_reading(MASK, ORGAN, "amend", amended={"organ": {"status": "absent"}}))
    assert gone.mask == MaskOf("res", {}, frozenset({"organ"}))


@pytest.mark.parametrize(
    ("verdict", "more"),
    [
        ("reject", {"reason": "wrong_size"}),
        ("unsure", {}),
        ("amend", {"amended": {"organ": {"value": 3.0, "unit": "mL"}}}),
        ("amend", {"amended": {"lesion": {"status": "present"}}}),
        ("amend", {"amended": {"organ": {"boxes": [{"start": [0, 0, 0], "stop": [1, 1, 1]}]}}}),
        ("accept", {"added": [{"concept": "lesion"}]}),
    ],
)
def test_no_mask_is_learnt_where_nobody_drew_it(verdict, more):
    (found,) = of_reading(a_reading(MASK, ORGAN, verdict, **more))
    assert (found.mask, found.change.change) == (None, "undecided")
    assert found.change.reason


def a_boxed(verdict: str, **more: Any) -> Any:
    at = Place(start=(0, 1, 1), stop=(1, 4, 4))
    findings = [Finding(concept="nodule", status="present", place=at), Finding(concept="cyst", status="absent")]
    (found,) = of_reading(ReadingOf(WHERE, ADA, "res", "lung@1", BOXES, findings, verdict, **more))
    return found.change


def test_boxes_are_those_of_the_release_with_what_was_corrected():
    first, second = ("nodule", (0, 1, 1), (1, 4, 4)), ("cyst", (0, 5, 5), (1, 9, 9))
    box = {"start": [0, 5, 5], "stop": [1, 9, 9]}
    assert (a_boxed("accept").boxes, a_boxed("accept").change) == ((first,), "confirmed")
    assert a_boxed("amend", added=[{"concept": "cyst", "place": box}]).boxes == (first, second)
    moved = a_boxed("amend", amended={"nodule": {"boxes": [box]}})
    assert (moved.boxes, moved.change) == ((("nodule", (0, 5, 5), (1, 9, 9)),), "changed")
    none = a_boxed("amend", amended={"nodule": {"status": "absent"}})
    assert (none.boxes, none.change) == ((), "changed"), "that nothing is there is a label, too"
    assert a_boxed("amend", amended={"cyst": {"status": "present"}}).change == "undecided"
    assert a_boxed("reject", reason="wrong_place").change == "undecided"


def test_without_its_release_a_result_still_says_what_is_there():
    assert presences(a_reading(None, CALLED, "accept")) == {"normal": False, "pneumonia": True}


def an_annotation(asks: str, answer: dict[str, Any], exclusive: bool = False, unsure: bool = False) -> AnnotationOf:
    return AnnotationOf(WHERE, ADA, "triage", asks, ("nodule", "cyst"), exclusive, answer, unsure)


def test_labels_of_the_label_pages():
    (one,) = of_annotation(an_annotation("classes", {"classes": ["cyst"]}, exclusive=True))
    assert (one.change.column, one.change.after, one.change.change) == ("triage", "cyst", "labelled")
    some = of_annotation(an_annotation("classes", {"classes": ["cyst"]}))
    assert {one.change.column: one.change.after for one in some} == {"nodule": False, "cyst": True}
    (drawn,) = of_annotation(an_annotation("masks", {"drawing": "d1"}))
    assert drawn.mask == MaskOf(drawings={"nodule": "d1", "cyst": "d1"})
    box = {"label": "cyst", "start": [0, 1, 2], "stop": [1, 3, 4]}
    (boxed,) = of_annotation(an_annotation("boxes", {"boxes": [box]}))
    assert boxed.change.boxes == (("cyst", (0, 1, 2), (1, 3, 4)),)


@pytest.mark.parametrize("asks", ["classes", "masks", "boxes"])
def test_who_can_not_tell_labels_nothing(asks):
    found = of_annotation(an_annotation(asks, {}, unsure=True))
    assert {one.change.change for one in found} == {"undecided"}


def test_statements_say_what_is_right_and_can_take_it_away():
    said = of_statement(StatementOf(WHERE, ADA, "c@1", TWO, {"diagnosis": "normal"}))
    assert [(one.change.kind, one.change.after, one.change.change) for one in said] == [("class", "normal", "labelled")]
    said = of_statement(StatementOf(WHERE, ADA, "c@1", SEVERAL, {"nodule": 1, "effusion": None}))
    assert [(one.change.after, one.is_label) for one in said] == [(True, True), (None, False)]
    (odd,) = of_statement(StatementOf(WHERE, ADA, "c@1", SEVERAL, {"nodule": "perhaps"}))
    assert not odd.is_label
    (mask,) = of_statement(StatementOf(WHERE, ADA, "o@1", MASK, {"mask": 3}))
    assert not mask.is_label
