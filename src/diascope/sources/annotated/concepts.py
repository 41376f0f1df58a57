"""Codes of the types of entities that data sets mark, where one is known (SNOMED CT)."""

from __future__ import annotations

from types import MappingProxyType

_CODES = {
    "SCT:64572001": ("disease", "diseases", "disorder", "diagnosis", "疾病和诊断", "疾病", "诊断"),
    "SCT:404684003": ("finding", "clinical_finding", "临床表现"),
    "SCT:418799008": ("symptom", "symptoms", "症状", "症状和体征"),
    "SCT:387713003": ("surgery", "operation", "手术"),
    "SCT:71388002": ("procedure", "procedures", "医疗程序"),
    "SCT:410942007": ("drug", "drugs", "medication", "medicine", "药物", "药品"),
    "SCT:442083009": ("anatomy", "body", "body_part", "body_site", "解剖部位", "身体部位", "身体"),
    "SCT:15220000": ("lab", "laboratory", "lab_test", "laboratory_test", "实验室检验", "检验"),
    "SCT:363679005": ("imaging", "image_examination", "影像检查"),
}
CODE_OF = MappingProxyType({name: code for code, names in _CODES.items() for name in names})
"""Name of a type, in lower case with `_` for blanks, to its code."""


def code_of(name: str) -> str | None:
    """The code of a type of entity; None where none is known."""
    return CODE_OF.get(name.strip().lower().replace(" ", "_").replace("-", "_"))
