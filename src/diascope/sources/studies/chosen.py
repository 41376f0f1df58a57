"""Which series of each study are read, as which inputs, and why: for a whole tree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from diascope.core.errors import DataRefused
from diascope.formats.dicomio.headers import Instance, Series
from diascope.privacy.pseudonym import pseudonym
from diascope.sources.studies.choosing import Choice, choose, in_words
from diascope.sources.studies.inputs import SideBySide, side_by_side
from diascope.sources.studies.labels import mask_of
from diascope.sources.studies.regions import Drawn

ONLY = "image"
"""Name of the input where there is one."""

MOST_NAMED = 3
"""Ambiguous studies that an error lists."""


@dataclass(frozen=True)
class Chosen:
    """One case to be.

    Args:
        inputs: Name to series; the first gives the grid.
        drawn: The SEG or RTSTRUCT that labels one of them, with that series; None where there is none.
        kind: What the id is made of: `study`, `series` or `image`.
    """

    inputs: Mapping[str, Series]
    drawn: Drawn | None
    kind: str

    @property
    def series(self) -> Series:
        """The first input: for what all share."""
        return next(iter(self.inputs.values()))

    @property
    def id(self) -> str:
        """A pseudonym."""
        first = self.series.first
        value = {"study": first.study_uid, "series": first.series_uid + self.series.part, "image": first.sop_uid}
        return pseudonym(value[self.kind] or str(first.path), self.kind)


def one_input(part: Series, masks: Sequence[Instance], kind: str) -> Chosen:
    """A case of one series."""
    mask = mask_of(part, masks)
    return Chosen({ONLY: part}, None if mask is None else (mask, part), kind)


def of_studies(parts: Sequence[Series], masks: Sequence[Instance]) -> tuple[list[Chosen], list[str]]:
    """Choose the series of every study.

    Args:
        parts: All image series of a tree.
        masks: All SEG and RTSTRUCT objects of the tree.

    Returns:
        The cases, and what was chosen of what and why.

    Raises:
        DataRefused: When the rules do not decide; names the studies and the candidates.
    """
    studies: dict[str, list[Series]] = {}
    for part in parts:
        studies.setdefault(pseudonym(part.first.study_uid or part.uid, "study"), []).append(part)
    labelled = frozenset(part.uid for part in parts if mask_of(part, masks) is not None)
    several = side_by_side(studies, labelled)
    if several.names:
        return _side_by_side(studies, several, masks)
    modality = _main_modality(studies)
    choices = {study: choose(candidates, labelled, modality) for study, candidates in studies.items()}
    _refuse_unclear(choices)
    chosen = [
        one_input(part, masks, "study" if len(choice.chosen) == 1 else "image")
        for choice in choices.values()
        for part in choice.chosen
    ]
    return chosen, [*several.notes, *_notes(choices)]


def _side_by_side(
    studies: Mapping[str, Sequence[Series]], several: SideBySide, masks: Sequence[Instance]
) -> tuple[list[Chosen], list[str]]:
    notes = list(several.notes)
    for name in several.names:
        choices = {study: inputs[name] for study, inputs in several.choices.items()}
        _refuse_unclear(choices)
        notes += [f"{name}: {note}" for note in _notes(choices)]
    study, parts = next(iter(studies.items()))
    notes.append(f"candidates in {study}: {', '.join(map(in_words, parts))}")
    chosen = []
    for study, inputs in several.choices.items():
        picked = {name: inputs[name].chosen[0] for name in several.names}
        drawn = [(mask, part) for part in picked.values() if (mask := mask_of(part, masks)) is not None]
        if len({mask.path for mask, _ in drawn}) > 1:
            raise DataRefused(
                f"in {study} several inputs have a SEG or RTSTRUCT of their own",
                given=", ".join(mask.path.name for mask, _ in drawn),
                todo="Keep one of them: the labels of a case lie on one input",
            )
        chosen.append(Chosen(picked, drawn[0] if drawn else None, "study"))
    return chosen, notes


def _main_modality(studies: Mapping[str, Sequence[Series]]) -> str | None:
    """The modality that the most studies have, None where two are equally frequent."""
    counts = Counter(code for parts in studies.values() for code in {part.first.modality for part in parts})
    ranked = counts.most_common(2)
    return None if len(ranked) > 1 and ranked[0][1] == ranked[1][1] else ranked[0][0]


def _refuse_unclear(choices: Mapping[str, Choice]) -> None:
    unclear = [(study, choice) for study, choice in choices.items() if not choice.clear]
    if unclear:
        listed = "; ".join(
            f"{study}: {' or '.join(in_words(one) for one in choice.chosen)}" for study, choice in unclear[:MOST_NAMED]
        )
        more = f"; and {len(unclear) - MOST_NAMED} more" if len(unclear) > MOST_NAMED else ""
        raise DataRefused(
            f"in {len(unclear)} of {len(choices)} studies no rule says which series to read: {listed}{more}",
            todo="Write a table keyed by SeriesInstanceUID, or keep one series a study",
        )


def _notes(choices: Mapping[str, Choice]) -> list[str]:
    """One note for each way in which a series was chosen, with the candidates of the first study."""
    ways: dict[tuple[str, bool], list[str]] = {}
    for study, choice in choices.items():
        ways.setdefault((choice.reason, len(choice.candidates) > 1), []).append(study)
    notes = []
    for (why, several), found in ways.items():
        first = choices[found[0]]
        if several:
            notes.append(
                f"{len(found)} studies: {in_words(first.chosen[0])} was chosen ({why}) "
                f"of {', '.join(first.candidates)} (in {found[0]})"
            )
        else:
            notes.append(f"{len(found)} studies have one series")
    return notes
