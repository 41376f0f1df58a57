"""Spans of a text: what cannot be meant is found, and of those that cross the longest stays."""

import pytest
from pydantic import ValidationError

from diascope.core.case import Case
from diascope.core.spans import Spans


def spans(*found: tuple[int, int, str], length: int = 20) -> Spans:
    return Spans(length=length, places=tuple((a, b) for a, b, _ in found), labels=tuple(c for _, _, c in found))


def test_each_fault_is_found_once() -> None:
    marked = spans((3, 3, "a"), (5, 4, "a"), (18, 22, "a"), (-1, 2, "a"), (6, 9, "a"), (6, 9, "a"), (6, 9, "b"))
    assert marked.empty() == (0, 1)
    assert marked.outside() == (2, 3)
    assert marked.twice() == (5,)
    assert marked.crossed() == (6,)
    assert marked.usable().all == ((6, 9, "a"),)


def test_the_longest_of_crossing_spans_is_kept_then_the_first() -> None:
    nested = spans((2, 4, "part"), (0, 10, "whole"), (12, 15, "left"), (14, 17, "right"))
    assert nested.usable().all == ((0, 10, "whole"), (12, 15, "left"))


def test_neighbours_do_not_cross() -> None:
    assert spans((0, 3, "a"), (3, 6, "a")).crossed() == ()


def test_a_label_for_each_span_is_needed() -> None:
    with pytest.raises(ValidationError, match="1 spans, 2 labels"):
        Spans(length=5, places=((0, 1),), labels=("a", "b"))


def test_a_case_keeps_them_through_a_file() -> None:
    case = Case(id="a", patient="a", inputs={}, targets={"entities": Spans.of(9, [(4, 6, "药物"), (0, 2, "手术")])})
    back = Case.from_json(case.to_json())
    assert back == case
    assert back.targets["entities"].all == ((0, 2, "手术"), (4, 6, "药物"))
