from __future__ import annotations

from pathlib import Path

import pytest

from diascope.core import registry
from diascope.formats.tables.words import MISSING
from diascope.sources import SourceOptions
from diascope.sources.folders.pairs import IMAGE_FOLDERS, MASK_FOLDERS
from diascope.sources.folders.splits import SPLIT_NAMES, split_of
from diascope.sources.tables import columns
from diascope.sources.tables.columns import roles_of
from diascope.sources.tables.targets import NEGATIVE, category, class_name, kind_of, positive_of, scalar_of

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "layouts.md"
RULES = {
    "patient": columns.PATIENT,
    "lesion": columns.LESION,
    "group": columns.GROUP,
    "site": columns.SITE,
    "split": columns.SPLIT,
    "case": columns.CASE,
    "synthetic": columns.SYNTHETIC,
    "made": columns.MADE,
    "not made": columns.NOT_MADE,
    "target": columns.TARGET,
    "covariate": columns.COVARIATE,
    "identity": columns.IDENTITY,
    "missing": tuple(filter(None, MISSING)),
    "negative": NEGATIVE,
    "images": tuple(IMAGE_FOLDERS),
    "masks": tuple(MASK_FOLDERS),
    **{f"split {split}": names for split, names in SPLIT_NAMES.items()},
}


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_documented(rule: str) -> None:
    listed = ", ".join(f"`{name}`" for name in RULES[rule])
    assert listed in PAGE.read_text(encoding="utf-8")


def test_every_layout_has_a_section() -> None:
    page = PAGE.read_text(encoding="utf-8")
    folders = set(registry.names("sources")) - {"phantom"}
    assert {name for name in folders if f"\n## {name}\n" in page} == folders


@pytest.mark.parametrize(
    ("names", "patient"),
    [
        (("id", "Patient ID", "subject"), "Patient ID"),
        (("subject", "patient_key"), "patient_key"),
        (("PatientID",), "PatientID"),
        (("lesion_id", "age"), "lesion_id"),
        (("inpatient",), None),
    ],
)
def test_the_patient_column(names: tuple[str, ...], patient: str | None) -> None:
    assert roles_of(names, SourceOptions()).patient == patient


def test_the_user_is_right() -> None:
    roles = roles_of(("patient", "family", "ward", "site"), SourceOptions(patient="family", site="ward"))
    assert (roles.patient, roles.site, roles.why_patient) == ("family", "ward", "patient: column 'family', as asked")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["a", "b", "a", None], "category"),
        (["0", "1", "1.0"], "category"),
        ([str(number) for number in range(11)], "number"),
        (["0.5", "1"], "number"),
        ([f"text {number}" for number in range(21)], "text"),
        ([None, None], "empty"),
        (["nan", "inf"], "category"),
    ],
)
def test_kinds_of_columns(values: list[str | None], kind: str) -> None:
    assert kind_of(values) == kind


@pytest.mark.parametrize(
    ("names", "positive"),
    [
        (["NORMAL", "PNEUMONIA"], "PNEUMONIA"),
        (["0", "1"], "1"),
        (["benign", "malignant"], "malignant"),
        (["No Finding", "Nodule"], "Nodule"),
        (["ckd", "notckd"], "ckd"),
        (["Demented", "Nondemented"], "Demented"),
        (["no-recurrence-events", "recurrence-events"], "recurrence-events"),
        (["复发", "未复发"], "复发"),
        (["B", "M"], "M"),
        (["F", "M"], None),
        (["N", "Y"], "Y"),
        (["alive", "died"], "died"),
        (["left", "right"], None),
        (["benign", "malignant", "normal"], None),
        (["benign", "normal"], None),
    ],
)
def test_the_finding_of_two_classes(names: list[str], positive: str | None) -> None:
    assert positive_of(names) == positive


def test_numbers_are_ordered_by_value_and_texts_by_name() -> None:
    assert [label.name for label in category("x", ["10", "9", None, "b", "a", "9"]).labels] == ["9", "10", "a", "b"]


def test_cells() -> None:
    assert [scalar_of(cell) for cell in ("12", "-3", "1.50", "1e3", "x", None)] == [12, -3, 1.5, 1000.0, "x", None]
    assert [class_name(cell) for cell in ("1.0", "1.5", "01", "v1.0", None)] == ["1", "1.5", "01", "v1.0", None]


def test_names_of_splits() -> None:
    assert [split_of(name) for name in ("Train", "held-out", "VAL", "validation set", "tests")] == [
        "train",
        "test",
        "val",
        "val",
        None,
    ]
