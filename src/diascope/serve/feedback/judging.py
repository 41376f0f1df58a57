"""What one answer says about the labels of its series. Where it does not say what is right, no label is made up.

Source of each rule: the words of the buttons that readers press. *Accept*: what the release said is right. *Correct*:
it is right but for what was corrected. *Reject*, *can't tell*: what was said is not to be learnt; what is right
follows only where there is one other possibility.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

from diascope.core.feedback import Change, Kind, LabelChange, Value
from diascope.core.finding import Finding
from diascope.core.presence import presence
from diascope.serve.feedback.answers import KINDS, AnnotationOf, ReadingOf, StatementOf, Where, Who

Boxes = tuple[tuple[str, tuple[int, int, int], tuple[int, int, int]], ...]
UNSURE = "the reader could not tell"


@dataclass(frozen=True)
class MaskOf:
    """How the mask of a label change is made.

    Args:
        result: Id of the result whose mask is the beginning; "" is an empty one.
        drawings: Name to the id of the drawing that shows where it is.
        gone: Names that are not there.
    """

    result: str = ""
    drawings: Mapping[str, str] = field(default_factory=dict)
    gone: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Judged:
    """A label change, and what it takes to write it.

    Args:
        change: The record, without its file.
        series: Id of the row.
        at: Seconds since 1970.
        mask: None where it has none.
        asked: Whether a release or a labelling asks for this label of every case; what was added beyond is told, and
            makes no column: nobody looked for it elsewhere.
    """

    change: LabelChange
    series: int
    at: float
    mask: MaskOf | None = None
    asked: bool = True

    @property
    def is_label(self) -> bool:
        """Whether it says what is right."""
        return self.change.change != "undecided"


def of_reading(one: ReadingOf) -> list[Judged]:
    """What a reading says."""
    kind: Kind = "presence" if one.target is None else KINDS.get(one.target.kind, "none")
    how = {"class": _class, "presence": _presence, "number": _number, "mask": _mask, "boxes": _boxes, "none": _none}
    return [*how[kind](one), *_beyond(one)]


def of_annotation(one: AnnotationOf) -> list[Judged]:
    """What an answer on the label pages says."""
    how = {"classes": _labelled_classes, "masks": _labelled_mask, "boxes": _labelled_boxes}
    return list(how[one.asks](one))


def of_statement(one: StatementOf) -> list[Judged]:
    """What a statement says; a value of None takes a label away: nothing of it is learnt."""
    made = _Maker(one.where, one.who, "statement", release=one.release)
    kind: Kind = KINDS.get(one.target.kind, "none") if one.target is not None else "presence"
    return [_stated(made, name, kind, value) for name, value in one.labels.items()]


def _stated(made: _Maker, name: str, kind: Kind, value: Value) -> Judged:
    if value is None:
        return made(name, kind, reason="taken away")
    if kind in ("mask", "boxes", "none"):
        return made(name, kind, reason="a value does not say where")
    if kind == "presence":
        there = presence(value)
        if there not in (0, 1):
            return made(name, kind, reason=f"{value!r} does not say whether it is there")
        value = bool(there)
    return made(name, kind, "labelled", after=value)


@dataclass(frozen=True)
class _Maker:
    """Makes the changes of one answer."""

    where: Where
    who: Who
    origin: Literal["reading", "annotation", "statement"]
    verdict: str = ""
    release: str = ""
    why: str = ""

    def __call__(
        self, column: str, kind: Kind, change: Change = "undecided", mask: MaskOf | None = None, **said: Any
    ) -> Judged:
        """A change; `said` are further fields of the record."""
        said = {"verdict": self.verdict, "reason": self.why, "release": self.release, **said}
        at = datetime.fromtimestamp(self.who.at, UTC).isoformat(timespec="seconds")
        named = {"case": self.where.case, "patient": self.where.patient, "column": column, "kind": kind}
        source = {"origin": self.origin, "of": self.who.id, "author": self.who.author, "at": at, "change": change}
        return Judged(LabelChange.model_validate({**named, **source, **said}), self.where.series, self.who.at, mask)

    def value(self, column: str, kind: Kind, before: Value, after: Value, reason: str = "") -> Judged:
        """A label that is one value; None is not known."""
        if after is None:
            return self(column, kind, before=before, reason=reason or "the reader did not say what is right")
        return self(column, kind, "confirmed" if before == after else "changed", before=before, after=after)


def _maker(one: ReadingOf) -> _Maker:
    return _Maker(one.where, one.who, "reading", one.verdict, one.release, one.reason)


def _column(one: ReadingOf) -> str:
    return one.target.columns[0] if one.target is not None and one.target.columns else "label"


def _class(one: ReadingOf) -> Iterator[Judged]:
    said = next((each.concept for each in one.findings if each.status == "present"), None)
    after, why = _right_class(one, said)
    yield _maker(one).value(_column(one), "class", said, after, why)


def _right_class(one: ReadingOf, said: str | None) -> tuple[str | None, str]:
    """The class that is right, or why it is not known."""
    names = one.names
    if one.verdict == "unsure":
        return None, UNSURE
    if one.verdict == "accept":
        return said, "the release gave no answer"
    if one.verdict == "reject":
        if one.reason in ("wrong_place", "wrong_size"):
            return said, ""
        others = [name for name in names if name != said]
        wrong = one.reason in ("false_finding", "wrong_class") and said is not None and len(others) == 1
        return (others[0], "") if wrong else (None, one.reason)
    present, absent = _statuses(one)
    if len(present) == 1:
        return present[0], ""
    if present:
        return None, "several classes were said to hold"
    if said is not None and said not in absent:
        return said, ""  # something else of it was corrected
    left = [name for name in names if name not in absent]
    return (left[0], "") if len(left) == 1 else (None, "which of the other classes holds was not said")


def _statuses(one: ReadingOf) -> tuple[list[str], set[str]]:
    """Names that the reader says are there, and are not."""
    present = [name for name, said in one.amended.items() if said.get("status") == "present"]
    present += [each["concept"] for each in one.added if each.get("concept") in one.names]
    absent = {name for name, said in one.amended.items() if said.get("status") == "absent"}
    return list(dict.fromkeys(present)), absent


def _presence(one: ReadingOf) -> Iterator[Judged]:
    made = _maker(one)
    said = {each.concept: each.status == "present" for each in one.findings if each.status in ("present", "absent")}
    right, why = _right_presences(one, said)
    for name in one.names:
        yield made.value(name, "presence", said.get(name), right.get(name), why)


def _right_presences(one: ReadingOf, said: Mapping[str, bool]) -> tuple[Mapping[str, bool], str]:
    """Name to whether it is there, of those of which it is known; and why the others are not."""
    if one.verdict == "unsure":
        return {}, UNSURE
    called = [name for name, there in said.items() if there]
    if one.verdict == "reject":
        if one.reason in ("wrong_place", "wrong_size"):
            return dict.fromkeys(called, True), one.reason
        alone = one.reason == "false_finding" and len(called) == 1
        return ({called[0]: False} if alone else {}), one.reason
    present, absent = _statuses(one) if one.verdict == "amend" else (_statuses(one)[0], set())
    return {**said, **dict.fromkeys(absent, False), **dict.fromkeys(present, True)}, "the release gave no answer"


def _number(one: ReadingOf) -> Iterator[Judged]:
    finding = next((each for each in one.findings if each.status == "measured"), None)
    measure = next(iter(finding.measures.values()), None) if finding is not None else None
    before = None if measure is None else measure.value
    after, why = (before, "") if one.verdict == "accept" else (None, UNSURE if one.verdict == "unsure" else one.reason)
    if one.verdict == "amend" and finding is not None and measure is not None:
        said = one.amended.get(finding.concept, {})
        if said.get("value") is not None and said.get("unit") != measure.unit:
            why = f"it was corrected in another unit: {said.get('unit')}, not {measure.unit}"
        else:
            after = said.get("value", before)
    yield _maker(one).value(_column(one), "number", before, after, why)


def _mask(one: ReadingOf) -> Iterator[Judged]:
    made = _maker(one)
    said = ", ".join(each.concept for each in one.findings if each.status == "present") or None
    mask, why = _right_mask(one)
    if mask is None:
        yield made(_column(one), "mask", before=said, reason=why)
        return
    same = not mask.drawings and not mask.gone
    yield made(_column(one), "mask", "confirmed" if same else "changed", mask, before=said)


def _right_mask(one: ReadingOf) -> tuple[MaskOf | None, str]:
    """How the right mask is made, or why that is not known."""
    if one.verdict in ("unsure", "reject"):
        return None, UNSURE if one.verdict == "unsure" else one.reason
    if not one.findings or all(each.status == "abstained" for each in one.findings):
        return None, "the release gave no answer"
    said = {each.concept: each.status for each in one.findings}
    drawings, gone = {}, set()
    for name, right in one.amended.items():
        if right.get("drawing"):
            drawings[name] = right["drawing"]
        elif right.get("status") == "absent":
            gone.add(name)
        elif right.get("status") != "present" or said.get(name) != "present":
            return None, f"{name}: it was not drawn where it is"
    for missed in _known_added(one):
        if not missed.get("drawing"):
            return None, f"{missed['concept']}: it was not drawn where it is"
        drawings[missed["concept"]] = missed["drawing"]
    return MaskOf(one.result, drawings, frozenset(gone)), ""


def _known_added(one: ReadingOf) -> list[Mapping[str, Any]]:
    return [each for each in one.added if each.get("concept") in one.names]


def _boxes(one: ReadingOf) -> Iterator[Judged]:
    made = _maker(one)
    said = _boxes_said(one.findings)
    before = ", ".join(dict.fromkeys(name for name, _, _ in said)) or None
    right, why = _right_boxes(one, said)
    if right is None:
        yield made(_column(one), "boxes", before=before, reason=why)
        return
    yield made(_column(one), "boxes", "confirmed" if right == said else "changed", before=before, boxes=right)


def _boxes_said(findings: Sequence[Finding]) -> Boxes:
    there = [each for each in findings if each.status == "present" and each.place is not None]
    return tuple((each.concept, each.place.start, each.place.stop) for each in there if each.place is not None)


def _right_boxes(one: ReadingOf, said: Boxes) -> tuple[Boxes | None, str]:
    """The boxes that are right, or why they are not known."""
    if one.verdict in ("unsure", "reject"):
        return None, UNSURE if one.verdict == "unsure" else one.reason
    found = [each for each in said if each[0] not in one.amended]
    for name, right in one.amended.items():
        if right.get("boxes"):
            found += [(name, _corner(each["start"]), _corner(each["stop"])) for each in right["boxes"]]
        elif right.get("status") == "present":
            kept = [each for each in said if each[0] == name]
            if not kept:
                return None, f"{name}: no box says where it is"
            found += kept
        elif right.get("status") != "absent":
            return None, f"{name}: no box says where it is"
    for missed in _known_added(one):
        place = missed.get("place")
        if not place:
            return None, f"{missed['concept']}: no box says where it is"
        found.append((missed["concept"], _corner(place["start"]), _corner(place["stop"])))
    return tuple(found), ""


def _corner(given: Sequence[int]) -> tuple[int, int, int]:
    z, y, x = (int(each) for each in given)
    return z, y, x


def _none(one: ReadingOf) -> Iterator[Judged]:
    kind = "" if one.target is None else one.target.kind
    yield _maker(one)(_column(one), "none", reason=f"a reading does not say what is right of a target of kind {kind!r}")


def _beyond(one: ReadingOf) -> Iterator[Judged]:
    """What the reader found that the release does not look for."""
    made = _maker(one)
    for missed in one.added:
        if missed.get("concept") not in one.names:
            drawing = missed.get("drawing")
            mask = MaskOf(drawings={missed["concept"]: drawing}) if drawing else None
            yield replace(made(missed["concept"], "presence", "labelled", mask, after=True), asked=False)


def _of_labels(one: AnnotationOf) -> _Maker:
    return _Maker(one.where, one.who, "annotation")


def _labelled_classes(one: AnnotationOf) -> Iterator[Judged]:
    made, chosen = _of_labels(one), list(one.answer.get("classes", ()))
    if one.exclusive:
        if one.unsure or len(chosen) != 1:
            yield made(one.labelling, "class", reason=UNSURE if one.unsure else "not one class was chosen")
        else:
            yield made(one.labelling, "class", "labelled", after=chosen[0])
        return
    for name in one.labels:
        if one.unsure:
            yield made(name, "presence", reason=UNSURE)
        else:
            yield made(name, "presence", "labelled", after=name in chosen)


def _labelled_mask(one: AnnotationOf) -> Iterator[Judged]:
    made, drawing = _of_labels(one), one.answer.get("drawing")
    if one.unsure:
        yield made(one.labelling, "mask", reason=UNSURE)
        return
    drawings = dict.fromkeys(one.labels, str(drawing)) if drawing else {}
    yield made(one.labelling, "mask", "labelled", MaskOf(drawings=drawings))


def _labelled_boxes(one: AnnotationOf) -> Iterator[Judged]:
    made = _of_labels(one)
    if one.unsure:
        yield made(one.labelling, "boxes", reason=UNSURE)
        return
    found = tuple((each["label"], _corner(each["start"]), _corner(each["stop"])) for each in one.answer["boxes"])
    yield made(one.labelling, "boxes", "labelled", boxes=found)
