"""Captions: what is true of a case and what was said, however many columns and findings there are."""

from __future__ import annotations

import pytest

from diascope.core.case import FileRef
from diascope.core.finding import Finding, Measure
from diascope.reports.galleries import said_in_words, truth_in_words
from diascope.testing import a_case

MASK = FileRef(format="nifti", paths=("mask.nii",))


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        ({"dx": "mel"}, "mel"),
        ({"grade": 0}, "0"),
        ({"time": 12.5, "event": 0}, "time 12.5, event 0"),
        ({"mass": 1, "nodule": 0, "hernia": "uncertain"}, "mass, hernia (uncertain)"),
        ({"mass": 0, "nodule": None, "hernia": 0}, "none of them"),
        ({"mass": None, "nodule": None, "hernia": None}, ""),
        ({"mask": MASK}, ""),
        ({}, ""),
    ],
)
def test_what_is_true(targets: dict[str, object], words: str) -> None:
    assert truth_in_words(a_case(targets={**targets, "other": 3}), tuple(targets)) == words


def test_of_many_findings_the_most_probable_are_named() -> None:
    def finding(number: int) -> Finding:
        return Finding(concept=f"f{number}", status="absent", measures={"probability": Measure(value=number / 10)})

    silent = Finding(concept="rare", status="abstained", reason="not available, because ...")
    assert said_in_words([finding(2), silent, finding(9)]) == "f2 0.20, f9 0.90"
    assert (
        said_in_words([finding(number) for number in range(9)])
        == "f8 0.80, f7 0.70, f6 0.60, f5 0.50, f4 0.40, f3 0.30"
    )
