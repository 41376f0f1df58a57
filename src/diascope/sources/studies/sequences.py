"""Which MR sequence a series is: a declared rule on the words of its description, else of its protocol's name."""

from __future__ import annotations

import re

from diascope.formats.dicomio.headers import Series

SEQUENCES: tuple[tuple[str, str], ...] = (
    ("adc", r"\badc|apparent.?diff"),
    ("dwi", r"\bdwi|diffusion|\bdiff\b|\btrace|\bb ?\d{2,4}\b"),
    ("swi", r"\bswi|\bswan\b|susceptib|venobold"),
    ("perfusion", r"perf|\bdsc\b|\bdce\b"),
    ("mra", r"\bmra|angio|\btof\b"),
    ("t1", r"t1(?!\d)|mprage|mp.?rage|bravo\b"),
    ("flair", r"flair|dark.?fluid"),
    ("stir", r"\bstir|\btirm\b"),
    ("t2star", r"t2\s?\*|t2.?star|\bhemo\b|\bhaemo\b"),
    ("t2", r"t2(?!\d)"),
    ("pd", r"\bpd|proton.?dens"),
)
"""Name to the words that mean it, `_` and `-` read as blanks; the first that is found counts (a T1 FLAIR is a T1)."""

CONTRAST = re.compile(r"(?<![a-z])(gd|ce|km|post|c ?\+)(?![a-z])|\bgad|contrast|\+ ?c\b|t1w? ?c\b")
"""Words for a contrast agent: they make `t1` `t1ce`."""

WITHOUT = re.compile(r"\bpre\b|\bnon? ?contrast|without|\bnativ|\bw ?o\b")
"""Words that say that there was none."""

FAT = re.compile(r"(?<![a-z])fs\b|fat.?sat|fat.?sup|\bspair\b|\bspir\b")
"""Words for suppressed fat: they add `fs`."""

WITH_VARIANTS = ("t1", "t2", "pd")
"""Sequences that are often taken both with and without suppressed fat."""


def sequence_of(series: Series) -> str:
    """`t1`, `t1ce`, `t2`, `t2fs`, `flair`, `dwi`, `adc`, ...; empty where the words do not say, or it is no MR.

    The vocabulary is closed, so that no word of a header gets into the name of an input.
    """
    if series.first.modality != "MR":
        return ""
    return _named(series.first.series_description) or _named(series.first.protocol)


def _named(text: str) -> str:
    words = re.sub(r"[_\-,;/()]+", " ", text.lower())
    name = next((name for name, pattern in SEQUENCES if re.search(pattern, words)), "")
    if name == "t1" and CONTRAST.search(words) and not WITHOUT.search(words):
        name = "t1ce"
    return name + "fs" if name.startswith(WITH_VARIANTS) and name != "t2star" and FAT.search(words) else name
