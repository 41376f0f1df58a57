"""Which column means what: every rule that goes by a column's name, as data.

Names are compared in lower case with everything but letters (Chinese ones as well) and digits as `_` (`Patient ID` is
`patient_id`). Of several columns the one whose name comes first in the list is taken. `docs/how-to/layouts.md` shows
these lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from diascope.core.errors import UnknownName
from diascope.sources import SourceOptions

PATIENT = (
    *("patient", "patient_id", "patientid", "patient_key", "patient_code", "patient_number", "patient_uid"),
    *("subject", "subject_id", "subjectid", "subject_key", "participant", "participant_id", "person", "person_id"),
    *("pid", "pat_id", "患者", "患者编号", "患者id", "病人编号", "病人id", "病历号", "住院号"),
)
"""Columns that hold the patient."""

LESION = ("lesion", "lesion_id", "lesionid")
"""Stands in for the patient where no column holds one: the pictures of one lesion stay together."""

GROUP = (*LESION, "study", "study_id", "exam", "exam_id", "studyinstanceuid", "visit_id")
"""Columns whose cases must not straddle a split either."""

SITE = (
    *("site", "site_id", "hospital", "hospital_id", "institution", "institution_name"),
    *("center", "centre", "center_id", "centre_id", "clinic", "医院", "中心"),
)
"""Columns that hold the site."""

SPLIT = ("split", "subset", "partition")
"""Columns that hold train, val or test."""

SYNTHETIC = ("synthetic",)
"""Columns that mark what a program made, as `diascope synthesize` writes them."""

MADE, NOT_MADE = ("yes", "true", "1", "1.0", "y"), ("no", "false", "0", "0.0", "n")
"""Cells of such a column; an empty one says that it is real."""

CASE = ("case", "case_id")
"""Columns that name the case in a manifest."""

SURVIVAL = "time_to_event"
"""What a time and an event column make together: the name of the target."""

TIME = (
    *("time", "survival_time", "survival_months", "survival_days", "os_time", "os_months", "os_days", "os", "duration"),
    *("followup", "follow_up", "followup_time", "follow_up_time", "follow_up_months", "futime", "survtime", "lenfol"),
    *("time_to_event", "tte", "pfs_months", "pfs_days", "rfs_months", "dfs_months", "rfstime"),
    *("survival_in_days", "survival_in_months", "survival_in_years", "生存时间", "随访时间"),
)
"""Columns that hold the time to an event, or to the end of follow-up."""

EVENT = (
    *("event", "status", "os_status", "os_event", "vital_status", "death", "dead", "died", "deceased", "fustat"),
    *("censored_event", "cens", "fstat", "pfs_status", "rfs_status", "dfs_status", "event_observed"),
    *("是否死亡", "死亡", "生存状态"),
)
"""Columns that say whether the event was seen."""

SEEN = (
    "1",
    "1.0",
    "true",
    "yes",
    "y",
    "dead",
    "deceased",
    "died",
    "event",
    "1:deceased",
    "relapsed",
    "progressed",
    "是",
    "死亡",
)
"""Cells of such a column that say it was."""
NOT_SEEN = ("0", "0.0", "false", "no", "n", "alive", "living", "censored", "0:living", "none", "否", "存活", "删失")

FINDINGS, ALL_FINDINGS = "findings", "all_findings"
"""What several columns that each say whether something is present make together: the name of the target; the second
where a column has the first."""

SAYS_PRESENT = ("1", "1.0", "yes", "y", "true", "t", "present", "positive", "pos", "是", "有", "阳性")
"""Cells of such a column, compared in lower case."""
SAYS_ABSENT = ("0", "0.0", "no", "n", "false", "f", "absent", "negative", "neg", "否", "无", "阴性")
SAYS_UNCERTAIN = ("-1", "-1.0", "uncertain", "u", "unsure", "possible", "equivocal", "不确定", "可疑")

TARGET = (
    SURVIVAL,
    *("label", "labels", "target", "class", "class_name", "category"),
    *("diagnosis", "dx", "finding", "outcome", "grade", "y", "标签", "类别", "诊断", "结局"),
)
"""Columns that are the target where the user names none; other columns with few values come after them."""

MASK = ("mask",)
"""What layouts call a target of masks: after a column that is named like a target."""

COVARIATE = (
    *("age", "age_years", "age_approx", "patient_age", "sex", "gender", "patient_sex", "ethnicity", "race"),
    *("height", "weight", "bmi", "smoker", "smoking", "year", "年龄", "性别", "身高", "体重"),
    *("manufacturer", "model", "device", "scanner", "camera", "vendor", "field_strength", "kernel", "slice_thickness"),
    *("view", "view_position", "laterality", "side", "eye", "projection", "modality", "protocol", "sequence"),
    *("localization", "localisation", "location", "body_site", "body_part", "anatomical_site", "anatom_site_general"),
    "anatomy",
)
"""Columns that describe a case and are a target only when the user says so."""

IDENTITY = (
    *("name", "patient_name", "patientname", "first_name", "last_name", "surname", "birth_date", "birthdate"),
    *("date_of_birth", "dob", "patientbirthdate", "mrn", "medical_record_number", "address", "phone", "email", "ssn"),
    *("accession", "accession_number", "accessionnumber"),
    *("姓名", "出生日期", "身份证号", "电话", "手机号", "地址", "住址"),
)
"""Columns that are never copied: they say who the patient is."""


def plain(name: str) -> str:
    """A column's name as the rules compare it."""
    return re.sub(r"[^a-z0-9\u4e00-\u9fff]+", "_", name.strip().lower()).strip("_")


def first_of(columns: Iterable[str], names: tuple[str, ...]) -> str | None:
    """The column whose plain name comes first in `names`, None where none is in it."""
    known: dict[str, str] = {}
    for column in columns:
        known.setdefault(plain(column), column)
    return next((known[name] for name in names if name in known), None)


def likeliest(targets: Iterable[str]) -> str | None:
    """The target that is meant where the user names none: the one whose name comes first; None for other names."""
    return first_of(targets, (*TARGET, *MASK))


@dataclass(frozen=True)
class Roles:
    """The columns that say where a case belongs, and why they were taken."""

    patient: str | None = None
    group: str | None = None
    site: str | None = None
    split: str | None = None
    synthetic: str | None = None
    why_patient: str = ""
    notes: tuple[str, ...] = ()

    @property
    def group_joins(self) -> bool:
        """Whether a group may join patients: a lesion is one thing, visit 1 is every patient's."""
        return self.group is not None and plain(self.group) in LESION

    @property
    def columns(self) -> frozenset[str]:
        """Every column that was taken."""
        taken = (self.patient, self.group, self.site, self.split, self.synthetic)
        return frozenset(name for name in taken if name is not None)


def roles_of(columns: tuple[str, ...], options: SourceOptions) -> Roles:
    """Which columns hold the patient, the group, the site and the split.

    Raises:
        UnknownName: When the user named a column that is not there; names those that are.
    """
    for asked in (options.patient, options.site):
        if asked is not None and asked not in columns:
            raise UnknownName("column", asked, columns, todo="Only a table beside the images has columns")
    patient, why = _patient(columns, options)
    site = options.site or first_of(columns, SITE)
    split, synthetic = first_of(columns, SPLIT), first_of(columns, SYNTHETIC)
    group = first_of((name for name in columns if name != patient), GROUP)
    notes = []
    for what, column in (("site", site), ("split", split), ("group that stays together", group)):
        if column is not None:
            notes.append(f"{what}: column {column!r}")
    return Roles(patient, group, site, split, synthetic, why, tuple(notes))


def _patient(columns: tuple[str, ...], options: SourceOptions) -> tuple[str | None, str]:
    if options.patient is not None:
        return options.patient, f"patient: column {options.patient!r}, as asked"
    by_name = first_of(columns, PATIENT)
    if by_name is not None:
        return by_name, f"patient: column {by_name!r}, by its name"
    lesion = first_of(columns, LESION)
    if lesion is not None:
        return lesion, (
            f"patient: no column names the patient, so {lesion!r} was taken: pictures of one lesion stay together, "
            "two lesions of one patient may not"
        )
    return None, "no column names the patient: every case counts as its own patient"
