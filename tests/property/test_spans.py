"""Laws of spans and tags: what is usable goes to tags and back unchanged, and every path of tags is one of spans."""

import itertools

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from diascope.core.case import Case, Label, Target
from diascope.core.spans import Spans
from diascope.tasks.entities import TASK, _listed
from diascope.tasks.spans.network import FIRST, LABEL
from diascope.tasks.spans.tags import may_begin, may_end, may_follow, spans_of, tags_of

NAMES = ("a", "b", "c")
TARGET = Target(
    name="entities",
    kind="spans",
    columns=("entities",),
    labels=tuple(Label(name=name, value=number) for number, name in enumerate(NAMES, start=1)),
)


@st.composite
def marked(draw: st.DrawFn) -> Spans:
    length = draw(st.integers(1, 30))
    place = st.integers(-2, length + 2)
    return Spans.of(length, draw(st.lists(st.tuples(place, place, st.sampled_from(NAMES)), max_size=12)))


@given(marked())
def test_what_is_usable_lies_in_the_text_and_apart(spans: Spans) -> None:
    usable = spans.usable()
    assert usable.usable() == usable
    assert set(usable.all) <= set(spans.all)
    ends = [end for start, stop, _ in usable.all for end in (start, stop)]
    assert ends == sorted(ends)
    assert all(0 <= start < stop <= spans.length for start, stop, _ in usable.all)


@given(marked())
def test_spans_go_to_tags_and_back(spans: Spans) -> None:
    case = Case(id="c", patient="c", inputs={}, targets={"entities": spans})
    encoded = TASK.encode(case, {}, TARGET)
    tags = tags_of(torch.from_numpy(encoded[LABEL])[None], torch.from_numpy(encoded[FIRST])[None])[0].tolist()
    wanted = [(start, stop, NAMES.index(name) + 1) for start, stop, name in spans.usable().all]
    assert spans_of(tags) == wanted
    assert [tuple(one) for one in _listed(encoded)] == wanted
    allowed = may_follow(len(NAMES))
    assert all(allowed[a, b] for a, b in itertools.pairwise(tags))
    assert may_begin(len(NAMES))[tags[0]]
    assert may_end(len(NAMES))[tags[-1]]


@given(st.lists(st.integers(0, 12), min_size=1, max_size=20))
def test_tags_that_may_follow_each_other_are_those_of_spans(tags: list[int]) -> None:
    sound = may_begin(3)[tags[0]] and may_end(3)[tags[-1]]
    sound = sound and all(may_follow(3)[a, b] for a, b in itertools.pairwise(tags))
    label, first = np.zeros((1, len(tags)), np.uint8), np.zeros((1, len(tags)), bool)
    for start, stop, value in spans_of(tags) if sound else []:
        label[0, start:stop], first[0, start] = value, True
    if sound:
        assert tags_of(torch.from_numpy(label), torch.from_numpy(first))[0].tolist() == tags
