"""Checks of texts and sequences: what each finds, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from diascope.checks.duplicates import CHECK as DUPLICATES
from diascope.checks.empty_text import CHECK as EMPTY
from diascope.checks.leaking_text import CHECK as LEAKING
from diascope.checks.missing_by_class import CHECK as MISSING
from diascope.checks.repeated_text import CHECK as REPEATED
from diascope.checks.sequence_letters import CHECK as LETTERS
from diascope.core.case import Case, FileRef, Target
from diascope.planning.survey import Survey, take_survey
from diascope.testing.factories import CLASSES, SEVERAL


def a_survey(folder: Path, texts: list[str], target: Target | None = CLASSES, **changes: object) -> Survey:
    """One text file a case, of a patient each; labels in turn."""
    cases = []
    for number, text in enumerate(texts):
        (folder / f"{number}.txt").write_text(text or " ", encoding="utf-8")
        ref = FileRef(format="text", paths=(f"{number}.txt",), kind="text")
        plain = {"id": f"c{number}", "patient": f"p{number}", "inputs": {"text": ref}}
        cases.append(Case.model_validate({**plain, "targets": {"label": "ab"[number % 2]}, **changes}))
    return take_survey(cases, folder, target, workers=1)


def sequences(folder: Path, letters: list[str]) -> Survey:
    (folder / "s.fasta").write_text("".join(f">c{number}\n{one}\n" for number, one in enumerate(letters)))
    refs = [FileRef(format="fasta", paths=("s.fasta",), item=f"c{n}", kind="sequence") for n in range(len(letters))]
    cases = [Case(id=f"c{n}", patient=f"p{n}", inputs={"sequence": ref}) for n, ref in enumerate(refs)]
    return take_survey(cases, folder, None, workers=1)


def test_texts_without_a_word_are_left_out(tmp_path: Path) -> None:
    survey = a_survey(tmp_path, ["No effusion.", "-- .", "Clear lungs."])
    (problem,) = EMPTY.look(survey)
    assert problem.exclude == ("c1",)
    assert problem.severity == "warn"


@pytest.mark.parametrize(
    "spoilt", ["Befund: LungenÃ¶dem", "the patientâ€™s lungs", "锟斤拷锟斤拷未见", "lung\ufffdedema"]
)
def test_letters_of_a_wrong_encoding_are_found(spoilt: str, tmp_path: Path) -> None:
    (problem,) = EMPTY.look(a_survey(tmp_path, ["No effusion.", spoilt]))
    assert problem.cases == ("c1",)
    assert problem.exclude == ()
    assert "UTF-8" in problem.detail


def test_plain_accents_are_no_spoilt_letters(tmp_path: Path) -> None:
    assert EMPTY.look(a_survey(tmp_path, ["Über Ödeme, Âge, São Paulo", "双肺未见异常"])) == []


def test_a_template_stays_and_is_kept_on_one_side(tmp_path: Path) -> None:
    survey = a_survey(tmp_path, ["Normal chest.", "A mass.", "Normal  chest.\n", "Other."])
    (problem,) = REPEATED.look(survey)
    assert problem.groups == (("c0", "c2"),)
    assert problem.exclude == ()
    assert problem.severity == "note"
    assert DUPLICATES.look(survey) == []


def test_the_same_words_under_two_labels_are_named(tmp_path: Path) -> None:
    problems = REPEATED.look(a_survey(tmp_path, ["Normal chest.", "Normal chest.", "A mass."]))
    assert [one.severity for one in problems] == ["note", "warn"]
    assert problems[1].cases == ("c0", "c1")


def test_two_texts_of_one_patient_may_agree(tmp_path: Path) -> None:
    texts = ["Normal chest.", "A mass.", "Normal chest."]
    assert REPEATED.look(a_survey(tmp_path, texts, patient="one")) == []


def test_a_template_across_a_given_split_is_a_warning(tmp_path: Path) -> None:
    survey = a_survey(tmp_path, ["Normal chest.", "A mass.", "Normal chest."])
    cases = tuple(case.model_copy(update={"split": "test" if case.id == "c0" else "train"}) for case in survey.cases)
    (problem,) = REPEATED.look(Survey(survey.root, cases, survey.target, survey.facts, {}))
    assert problem.severity == "warn"
    assert problem.groups == ()


def headed(number: int, line: str) -> str:
    return f"Exam: chest film\n{line}\nThe lungs of case {number} are clear."


def test_a_line_that_states_the_label_is_refused(tmp_path: Path) -> None:
    words = {"a": "Pneumonia", "b": "normal"}
    survey = a_survey(tmp_path, [headed(n, f"Final diagnosis: {words['ab'[n % 2]]}") for n in range(30)])
    (problem,) = LEAKING.look(survey)
    assert problem.severity == "refuse"
    assert "final diagnosis" in problem.title


@pytest.mark.parametrize("line", ["Ward: {n}", "Side: {half}", "Reader: same"])
def test_other_lines_give_nothing_away(line: str, tmp_path: Path) -> None:
    texts = [headed(n, line.format(n=n, half="left" if n % 4 < 2 else "right")) for n in range(40)]
    assert LEAKING.look(a_survey(tmp_path, texts)) == []


def test_ambiguous_letters_are_counted(tmp_path: Path) -> None:
    clear = "ACGTACGTACGTACGTACGTACGTACGT"
    (note,) = LETTERS.look(sequences(tmp_path, [clear, "N" + clear[1:], clear]))
    assert (note.severity, note.cases) == ("note", ("c1",))
    (warning,) = LETTERS.look(sequences(tmp_path, [clear, "N" * 10 + clear[10:], clear]))
    assert (warning.severity, warning.cases) == ("warn", ("c1",))


def test_one_of_another_length_among_aligned_ones_is_named(tmp_path: Path) -> None:
    aligned = ["ACGTTGCAAC"] * 19
    (problem,) = LETTERS.look(sequences(tmp_path, [*aligned, "ACGTTGC"]))
    assert problem.cases == ("c19",)
    assert LETTERS.look(sequences(tmp_path, ["ACGT" * n for n in range(1, 9)])) == []


def partly_missing(lacking: list[int], counts: list[int], labels: bool = False) -> Survey:
    """A survey in which so many cases of each class (or without and with the first label) lack the signal."""
    cases = []
    for place, (without, count) in enumerate(zip(lacking, counts, strict=True)):
        for number in range(count):
            inputs = {"text": FileRef(format="text", paths=("t.txt",), kind="text")}
            if number >= without:
                inputs["signal"] = FileRef(format="wfdb", paths=("s.hea",), kind="signal")
            targets = {"a": place, "b": number % 2} if labels else {"label": "ab"[place]}
            cases.append(Case(id=f"{place}-{number}", patient=f"{place}-{number}", inputs=inputs, targets=targets))
    return Survey(Path(), tuple(cases), SEVERAL if labels else CLASSES, {}, {})


@pytest.mark.parametrize(
    ("lacking", "counts", "labels"),
    [([40, 0], [40, 40], False), ([30, 24], [30, 40], False), ([0, 3], [90, 3], False), ([10, 12], [90, 12], True)],
    ids=["all and none", "all and most", "a rare class", "a label of several"],
)
def test_an_input_that_every_case_of_one_class_lacks_is_refused(
    lacking: list[int], counts: list[int], labels: bool
) -> None:
    (problem,) = MISSING.look(partly_missing(lacking, counts, labels))
    assert problem.severity == "refuse"
    assert "'signal' is missing for every case of " in problem.title


@pytest.mark.parametrize(
    ("lacking", "counts", "labels"),
    [([20, 15], [40, 40], False), ([95, 3], [100, 3], False), ([40, 5], [90, 5], True), ([9, 9], [9, 9], False)],
    ids=["some of both", "hardly anybody has it", "few of a label", "nobody has it"],
)
def test_an_input_that_some_of_all_classes_lack_is_not(lacking: list[int], counts: list[int], labels: bool) -> None:
    assert MISSING.look(partly_missing(lacking, counts, labels)) == []
