"""Which series of a study are inputs side by side: CT and PET, or the sequences of an MR.

The rule: where **every** study has a usable series (no localiser, report or capture; slices with a place) of each of
several modalities, each modality is an input, called by it; where every study has the **same** set of several MR
sequences (`sequences.py`), each is an input, called by it. All series of a study share one frame of reference. Within
an input, the series is chosen by the rules of `choosing.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from diascope.core.errors import DataRefused
from diascope.formats.dicomio.headers import Series
from diascope.modalities import of_dicom_code
from diascope.sources.studies.choosing import PROJECTIONS, Choice, choose, in_words, is_aid, plane_of
from diascope.sources.studies.sequences import sequence_of

Groups = Mapping[str, Sequence[Series]]
"""Name of an input to the series of one study that could be it."""

MANY = 0.5
"""From this share of the studies on, a modality that some lack is worth a note."""

CHOOSE = "Or name one series a study in a table keyed by SeriesInstanceUID, or list the images in a CSV manifest"


@dataclass(frozen=True)
class SideBySide:
    """The inputs of every study.

    Args:
        names: In the order of the inputs; the first gives the grid.
        choices: Study to input to the series that was chosen.
        notes: What the user should know.
    """

    names: tuple[str, ...] = ()
    choices: Mapping[str, Mapping[str, Choice]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def side_by_side(studies: Mapping[str, Sequence[Series]], labelled: frozenset[str]) -> SideBySide:
    """Find the inputs that every study has.

    Args:
        studies: Study to all of its series. The key is shown in errors: a pseudonym.
        labelled: UIDs of series that a SEG or RTSTRUCT refers to.

    Returns:
        No names where one series a study is meant.

    Raises:
        DataRefused: When MR sequences differ between studies, or the series of a study share no frame of reference,
            and no label says which series is meant.
    """
    usable = {study: [one for one in parts if _is_usable(one)] for study, parts in studies.items()}
    by_modality = {study: _by_modality(parts) for study, parts in usable.items()}
    notes = _lacking(by_modality)
    groups = _with_sequences(by_modality, labelled)
    names = _in_all(groups)
    if len(names) > 1:
        names, words = _in_one_frame(groups, names, labelled)
        notes += words
    if len(names) < 2:
        return SideBySide(notes=tuple(notes))
    names = _ordered(groups, names, labelled)
    choices = {study: _chosen(found, names, labelled) for study, found in groups.items()}
    listed = f"{', '.join(names[:-1])} and {names[-1]}"
    notes.append(
        f"{len(studies)} studies: every one has {listed} in one frame of reference: each is an input, "
        f"on the grid of {names[0]}"
    )
    return SideBySide(names, choices, tuple(notes))


def _is_usable(series: Series) -> bool:
    return not is_aid(series) and bool(plane_of(series)) and series.first.modality not in PROJECTIONS


def _by_modality(parts: Iterable[Series]) -> dict[str, list[Series]]:
    groups: dict[str, list[Series]] = {}
    for one in parts:
        name = of_dicom_code(one.first.modality)
        if name != "unknown":
            groups.setdefault(name, []).append(one)
    return groups


def _in_all(groups: Mapping[str, Groups]) -> tuple[str, ...]:
    found = [set(one) for one in groups.values()]
    return tuple(sorted(set.intersection(*found))) if found else ()


def _lacking(groups: Mapping[str, Groups]) -> list[str]:
    """A note for each modality that many studies have, but not all."""
    counts = {name: sum(name in one for one in groups.values()) for one in groups.values() for name in one}
    return [
        f"{name} is in {count} of {len(groups)} studies: no input of its own, because every study must have it"
        for name, count in sorted(counts.items())
        if len(counts) > 1 and MANY * len(groups) <= count < len(groups)
    ]


def _with_sequences(groups: Mapping[str, Groups], labelled: frozenset[str]) -> Mapping[str, Groups]:
    """The groups with `mr` parted into sequences, where every study has the same ones.

    Raises:
        DataRefused: When they differ, and no label says which is meant.
    """
    if "mr" not in _in_all(groups):
        return groups
    parted = {study: _by_sequence(one["mr"]) for study, one in groups.items()}
    sets = {study: tuple(sorted(one)) for study, one in parted.items()}
    nameless = any(one.uid in labelled and not sequence_of(one) for found in groups.values() for one in found["mr"])
    if max(map(len, sets.values())) < 2 or nameless:
        return groups  # one sequence; or the one that is labelled has no name and would be lost
    if len(set(sets.values())) == 1:
        return {
            study: {**{name: parts for name, parts in one.items() if name != "mr"}, **parted[study]}
            for study, one in groups.items()
        }
    if all(any(part.uid in labelled for part in one["mr"]) for one in groups.values()):
        return groups
    kinds: dict[tuple[str, ...], list[str]] = {}
    for study, found in sets.items():
        kinds.setdefault(found, []).append(study)
    ranked = sorted(kinds.items(), key=lambda pair: -len(pair[1]))
    raise DataRefused(
        "the MR sequences differ between the studies, so that no rule says which are inputs",
        given="; ".join(_difference(found, named, groups) for found, named in ranked),
        todo=f"Keep the same sequences in every study. {CHOOSE}",
    )


def _difference(names: tuple[str, ...], studies: Sequence[str], groups: Mapping[str, Groups]) -> str:
    candidates = ", ".join(in_words(one) for one in groups[studies[0]]["mr"])
    words = ", ".join(names) or "none that is known"
    return f"{words} in {len(studies)} studies, such as {studies[0]} ({candidates})"


def _by_sequence(parts: Iterable[Series]) -> dict[str, list[Series]]:
    found: dict[str, list[Series]] = {}
    for one in parts:
        name = sequence_of(one)
        if name:
            found.setdefault(name, []).append(one)
    return found


def _frames(found: Groups, labelled: frozenset[str]) -> set[str]:
    """Frames of reference of a study that count: that of its labelled series, else every known one."""
    parts = [one for group in found.values() for one in group]
    with_label = [one for one in parts if one.uid in labelled]
    return {frame for one in with_label or parts if (frame := one.first.frame_of_reference)}


def _lies_in(group: Iterable[Series], frame: str) -> bool:
    return any(one.first.frame_of_reference == frame for one in group)


def _shared_frames(found: Groups, names: Iterable[str], labelled: frozenset[str]) -> set[str]:
    """Frames of reference in which a study has all of these inputs."""
    names = tuple(names)
    return {frame for frame in _frames(found, labelled) if all(_lies_in(found[name], frame) for name in names)}


def _in_one_frame(
    groups: Mapping[str, Groups], names: tuple[str, ...], labelled: frozenset[str]
) -> tuple[tuple[str, ...], list[str]]:
    """The inputs that lie in one frame of reference in every study.

    Raises:
        DataRefused: When not all do, and no label says which series is meant.
    """
    if not (apart := _apart(groups, names, labelled)):
        return names, []
    anchored = any(one.uid in labelled for found in groups.values() for parts in found.values() for one in parts)
    kept = tuple(name for name in names if anchored and not _apart(groups, [name], labelled))
    if not kept or _apart(groups, kept, labelled):
        shown = ", ".join(in_words(one) for parts in groups[apart[0]].values() for one in parts)
        raise DataRefused(
            f"in {len(apart)} of {len(groups)} studies {' and '.join(names)} share no frame of reference, "
            "so that their millimetres cannot be compared",
            given=f"{apart[0]}: {shown}",
            todo=f"Register them first, or keep one of them. {CHOOSE}",
        )
    others = [name for name in names if name not in kept]
    return kept, [f"no input, because not in the frame of reference of what is labelled: {', '.join(others)}"]


def _apart(groups: Mapping[str, Groups], names: Iterable[str], labelled: frozenset[str]) -> list[str]:
    """Studies in which these inputs share no frame of reference (that of the label, where there is one)."""
    return [study for study, found in groups.items() if not _shared_frames(found, names, labelled)]


def _ordered(groups: Mapping[str, Groups], names: Sequence[str], labelled: frozenset[str]) -> tuple[str, ...]:
    """What most labels were drawn on comes first and gives the grid; then the smallest voxels."""

    def labels(name: str) -> int:
        return sum(one.uid in labelled for found in groups.values() for one in found[name])

    def voxel(name: str) -> float:
        return median(min(_voxel(one) for one in found[name]) for found in groups.values())

    return tuple(sorted(names, key=lambda name: (-labels(name), voxel(name), name)))


def _voxel(series: Series) -> float:
    """Cubic millimetres of a voxel as the header says them."""
    first = series.first
    row, column = first.spacing or (1.0, 1.0)
    return row * column * (first.slice_thickness or 1.0)


def _chosen(found: Groups, names: Sequence[str], labelled: frozenset[str]) -> dict[str, Choice]:
    """One series an input; all of them in the frame of reference of the first."""
    frames = _shared_frames(found, names, labelled)
    choices: dict[str, Choice] = {}
    for name in names:
        parts = [one for one in found[name] if one.first.frame_of_reference in frames]
        choices[name] = choose(parts, labelled, None)
        frames &= {one.first.frame_of_reference or "" for one in choices[name].chosen}
    return choices


__all__ = ["SideBySide", "side_by_side"]
