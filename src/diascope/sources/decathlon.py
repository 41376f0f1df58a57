"""The Medical Segmentation Decathlon: `dataset.json` lists images and labels; channels are a fourth axis."""

from __future__ import annotations

from pathlib import Path

from diascope.core.case import Case, FileRef, TableRef
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
from diascope.sources.folders.files import file_ref, reason, stem_of
from diascope.sources.folders.labels import TARGET_NAME, declared_target
from diascope.sources.tables.beside import rows_beside
from diascope.sources.tables.describe import describe


class Decathlon:
    """One NIfTI a case, however many channels."""

    def recognises(self, location: str) -> str | None:
        return reason(location, _why)

    def list(self, location: str, options: SourceOptions) -> Listing:
        """List the cases of `training`; those of `test` have no labels and are left out.

        Raises:
            UnreadableFile: When `dataset.json` is broken.
            DataRefused: When two cases have one name.
            UnknownName: When a column that the user named does not exist.
        """
        root = Path(location)
        content = read_declared(root)
        channels = channels_of(content, root)
        cases: dict[str, Case] = {}
        for path, label in listed(content, root):
            case = _case(path, label, channels)
            if case.id in cases:
                raise DataRefused(f"two cases of {NAME} have one name", given=case.id, todo="Keep one of them")
            cases[case.id] = case
        rows, notes = rows_beside(root, list(cases.values()))
        described = describe(list(cases.values()), options, rows, (declared_target(content, root),))
        unlabelled = content.get("test")
        if isinstance(unlabelled, list) and unlabelled:
            notes.append(f"{len(unlabelled)} test images have no labels: left out")
        return Listing(
            root=root,
            cases=described.cases,
            targets=described.targets,
            notes=(*notes, *described.notes),
            licence=licence_of(content),
        )


def _why(root: Path) -> str | None:
    if not (root / NAME).is_file():
        return None
    try:
        return None if is_nnunet(root) else f"{NAME} lists {len(listed(read_declared(root), root))} images and labels"
    except UnreadableFile as error:
        return f"{NAME}, which is broken: {error.reason}"  # so that `list` says why, instead of "no layout"


def _case(path: str, label: str, channels: tuple[str, ...]) -> Case:
    name = stem_of(path).rsplit("/", 1)[-1]
    several = len(channels) > 1
    inputs: dict[str, FileRef | TableRef] = {
        name: file_ref(path, f"channel:{index}" if several else None, modality_of(channel))
        for index, (name, channel) in enumerate(zip(input_names(channels), channels, strict=True))
    }
    return Case(id=name, patient=name, patient_known=False, inputs=inputs, targets={TARGET_NAME: file_ref(label)})


SOURCE = Decathlon()
