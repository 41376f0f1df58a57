"""nnU-Net's raw data: `dataset.json`, `imagesTr/NAME_0000.nii.gz` (one file a channel), `labelsTr/NAME.nii.gz`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diascope.core.case import Case, FileRef, Split, TableRef
from diascope.core.errors import DataRefused, UnreadableFile
from diascope.sources import Listing, SourceOptions
from diascope.sources.folders.declared import (
    NAME,
    channels_of,
    input_names,
    is_nnunet,
    licence_of,
    listed,
    modality_of,
    read_declared,
)
from diascope.sources.folders.files import PICTURES, contents, file_ref, reason, suffix_of
from diascope.sources.folders.labels import TARGET_NAME, declared_target
from diascope.sources.tables.beside import rows_beside
from diascope.sources.tables.describe import describe

PARTS: tuple[tuple[str, str, Split], ...] = (("imagesTr", "labelsTr", "train"), ("imagesTs", "labelsTs", "test"))


class NnUnet:
    """Versions 1 and 2, with channels, regions and an ignored label."""

    def recognises(self, location: str) -> str | None:
        return reason(location, _why)

    def list(self, location: str, options: SourceOptions) -> Listing:
        """List the cases of `imagesTr`, and those of `imagesTs` where there is a `labelsTs`.

        Raises:
            UnreadableFile: When `dataset.json` is broken.
            DataRefused: When a case lacks a channel, or there are no cases.
            UnknownName: When a column that the user named does not exist.
        """
        root = Path(location)
        content = read_declared(root)
        channels = channels_of(content, root)
        found, notes = _listed(content, root) if "dataset" in content else _scanned(content, root)
        if not found:
            raise DataRefused("no images NAME_0000 lie in imagesTr", given=root, todo="See docs/how-to/layouts.md")
        joined = len(channels) > 1 and all(
            list(one.files) == [0] and suffix_of(one.files[0]) in PICTURES for one in found
        )
        if joined:
            notes.append(f"the channels {', '.join(channels)} lie in one picture")
        cases = [_case(one, channels, joined) for one in found]
        stated = content.get("numTraining")
        if stated is not None and stated != sum(one.split != "test" for one in found):
            notes.append(f"{NAME} says numTraining {stated}, and there are {len(found)} cases")
        rows, table_notes = rows_beside(root, cases)
        described = describe(cases, options, rows, (declared_target(content, root),))
        return Listing(
            root=root,
            cases=described.cases,
            targets=described.targets,
            notes=(*notes, *table_notes, *described.notes),
            licence=licence_of(content),
        )


@dataclass(frozen=True)
class _Found:
    name: str
    files: Mapping[int, str]
    label: str | None
    split: Split | None


def _why(root: Path) -> str | None:
    return is_nnunet(root) if (root / NAME).is_file() else None


def _scanned(content: Mapping[str, Any], root: Path) -> tuple[list[_Found], list[str]]:
    """Cases from the names of the files."""
    ending = content.get("file_ending") or suffix_of(listed(content, root)[0][0])
    given_test = (root / PARTS[1][1]).is_dir()
    found: list[_Found] = []
    notes: list[str] = []
    for images, labels, split in PARTS:
        if not (root / images).is_dir():
            continue
        channels = _by_case(root / images, images, ending)
        if not (root / labels).is_dir():
            notes.append(f"{len(channels)} cases of {images} have no labels: left out")
            continue
        masks = set(contents(root / labels)[1])
        alone = sorted(name for name in channels if f"{name}{ending}" not in masks)
        if alone:
            notes.append(f"{len(alone)} cases of {images} have no file in {labels}, such as {alone[0]}")
        for name, files in channels.items():
            label = f"{labels}/{name}{ending}" if f"{name}{ending}" in masks else None
            found.append(_Found(name, files, label, split if given_test else None))
    return found, notes


def _by_case(folder: Path, prefix: str, ending: str) -> dict[str, dict[int, str]]:
    """Case name to channel number to path."""
    pattern = re.compile(rf"^(?P<name>.+)_(?P<channel>\d{{4}}){re.escape(ending)}$")
    cases: dict[str, dict[int, str]] = {}
    for file in contents(folder)[1]:
        match = pattern.match(file)
        if match is not None:
            cases.setdefault(match["name"], {})[int(match["channel"])] = f"{prefix}/{file}"
    return cases


def _listed(content: Mapping[str, Any], root: Path) -> tuple[list[_Found], list[str]]:
    """Cases from the entry `dataset`, which names files anywhere (nnU-Net, documentation/dataset_format.md)."""
    entries = content["dataset"]
    if not isinstance(entries, dict):
        raise UnreadableFile(root / NAME, '"dataset" is no object')
    found = []
    for name, entry in entries.items():
        if not isinstance(entry, dict) or not isinstance(entry.get("images"), list):
            raise UnreadableFile(root / NAME, f"{name} has no list of images")
        label = entry.get("label")
        files = {index: str(path) for index, path in enumerate(entry["images"])}
        found.append(_Found(str(name), files, None if label is None else str(label), None))
    return found, []


def _case(found: _Found, channels: tuple[str, ...], joined: bool) -> Case:
    inputs: dict[str, FileRef | TableRef] = {}
    if joined:
        inputs["image"] = file_ref(found.files[0])
    else:
        missing = [f"{index:04d} ({name})" for index, name in enumerate(channels) if index not in found.files]
        if missing or len(found.files) != len(channels):
            raise DataRefused(
                f"{found.name} has {len(found.files)} channel files and {NAME} declares {len(channels)}",
                given=f"missing: {', '.join(missing) or 'none'}",
                todo="Complete the case or remove it",
            )
        for index, (name, channel) in enumerate(zip(input_names(channels), channels, strict=True)):
            inputs[name] = file_ref(found.files[index], modality=modality_of(channel))
    target = None if found.label is None else file_ref(found.label)
    return Case(
        id=found.name,
        patient=found.name,
        patient_known=False,
        inputs=inputs,
        targets={TARGET_NAME: target},
        split=found.split,
    )


SOURCE = NnUnet()
