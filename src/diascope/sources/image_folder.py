"""One folder a class: `normal/1.png`, `ill/2.png`, perhaps below `train/`, `val/`, `test/`.

Inside the class folders there may be a folder a patient, and the files may be DICOM.
"""

from __future__ import annotations

from pathlib import Path

from diascope.core import registry
from diascope.core.case import Case
from diascope.core.errors import DataRefused
from diascope.sources import Listing, SourceOptions
from diascope.sources.folders.classes import ClassFile, files_of_classes, names_of_classes
from diascope.sources.folders.dicom import holds_dicom, labelled_by_folder, names_of_dicom_classes
from diascope.sources.folders.files import case_ids, file_ref, is_declared, reason, refuse_mixed
from diascope.sources.folders.rivals import refuse_rival
from diascope.sources.tables.beside import rows_beside
from diascope.sources.tables.describe import describe
from diascope.sources.tables.targets import category

TARGET_NAME = "label"
"""The target that the names of the folders are."""


class ImageFolder:
    """Class folders, with an optional level of splits above and an `index.csv` or `metadata.csv` beside."""

    def recognises(self, location: str) -> str | None:
        return reason(location, _why)

    def list(self, location: str, options: SourceOptions) -> Listing:
        """List the images of every class folder.

        Raises:
            DataRefused: When there are none, when kinds are mixed, or table and folders contradict each other.
            BadUsage: When a table beside the folders has a label of its own and the user chose neither.
            UnknownName: When a column that the user named does not exist.
        """
        root = Path(location)
        files, notes = files_of_classes(root)
        if not files:
            return _of_dicom(location, options)
        refuse_mixed((file.path for file in files), root)
        of_path = {file.path: file for file in files}
        cases = [_case(case, of_path[path]) for case, path in case_ids(of_path).items()]
        rows, table_notes = rows_beside(root, cases)
        if options.target is None:
            refuse_rival(root, cases, TARGET_NAME, rows)
        target = category(TARGET_NAME, (file.label for file in files))
        described = describe(cases, options, rows, (target,))
        return Listing(
            root=root,
            cases=described.cases,
            targets=described.targets,
            notes=(*notes, *table_notes, *described.notes),
        )


def _case(name: str, file: ClassFile) -> Case:
    return Case(
        id=name,
        patient=file.patient or name,
        patient_known=file.patient is not None,
        inputs={"image": file_ref(file.path)},
        targets={TARGET_NAME: file.label},
        split=file.split,
    )


def _why(root: Path) -> str | None:
    if not root.is_dir() or is_declared(root):
        return None
    classes = names_of_classes(root)
    kind = ""
    if not classes:
        classes, kind = names_of_dicom_classes(root), " of DICOM files"
    if not classes:
        return None
    return f"one folder{kind} a class: {', '.join(classes[:5])}{', ...' if len(classes) > 5 else ''}"


def _of_dicom(location: str, options: SourceOptions) -> Listing:
    """The series that the rules for DICOM trees choose, labelled by the folder that they lie in."""
    root = Path(location)
    if not holds_dicom(root):
        raise DataRefused("no image lies in a class folder", given=root, todo="Put each class into its own folder")
    inner = options.model_copy(update={"target": None}) if options.target == TARGET_NAME else options
    tree: Listing = registry.get("sources", "dicom_tree").list(location, inner)
    if any(target.name == TARGET_NAME for target in tree.targets):
        raise DataRefused(
            f"the table beside the class folders has a column {TARGET_NAME!r}, too",
            given=root,
            todo="Choose the table with --source dicom_tree, or rename the column",
        )
    cases, notes = labelled_by_folder(tree.cases, tree.root, TARGET_NAME)
    if not cases:
        raise DataRefused("no image lies in a class folder", given=root, todo="Put each class into its own folder")
    target = category(TARGET_NAME, (str(case.targets[TARGET_NAME]) for case in cases))
    targets = sorted((target, *tree.targets), key=lambda one: one.name != (options.target or TARGET_NAME))
    return Listing(tree.root, tuple(cases), tuple(targets), (*notes, *tree.notes), tree.problems)


SOURCE = ImageFolder()
