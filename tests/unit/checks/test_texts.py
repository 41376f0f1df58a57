"""Checks of texts with spans: what is left out and why, rare types, texts in the wrong encoding, copies."""

from collections import Counter
from pathlib import Path

from diascope.core import registry
from diascope.core.case import Case, FileRef, Label, Target
from diascope.core.problem import Problem
from diascope.core.spans import Spans
from diascope.kinds import Look
from diascope.planning.survey import CaseFacts, Survey

TARGET = Target(
    name="entities",
    kind="spans",
    columns=("entities",),
    labels=(Label(name="drug", value=1), Label(name="part", value=2), Label(name="rare", value=3)),
)
USUAL = "The patient took aspirin for a pain in the chest."


def a_survey(marked: list[Spans | None], texts: list[str] | None = None) -> Survey:
    texts = texts or [USUAL] * len(marked)
    cases, facts = [], {}
    for number, (spans, text) in enumerate(zip(marked, texts, strict=True)):
        ref = FileRef(format="json_lines", paths=("notes.jsonl",), item=str(number + 1), kind="text")
        case = Case(id=f"c{number}", patient=f"p{number}", inputs={"text": ref}, targets={"entities": spans})
        seen = {"language": "en", "letters": dict(Counter(text)), "empty": False}
        facts[case.id] = CaseFacts({}, {}, 0.0, {"text": Look(str(hash(text)), "", len(text), seen)})
        cases.append(case)
    return Survey(Path(), tuple(cases), TARGET, facts, {})


def usual(count: int = 25) -> list[Spans | None]:
    found = [(17, 24, "drug"), (43, 48, "part")]
    return [Spans.of(len(USUAL), [*found, *[(0, 3, "rare")] * (number < 3)]) for number in range(count)]


def look(check: str, survey: Survey) -> list[Problem]:
    return registry.get("checks", check).look(survey)


def test_sound_spans_are_counted_and_rare_types_told() -> None:
    counts, rare = look("spans", a_survey(usual()))
    assert counts.severity == rare.severity == "note"
    assert counts.title == "drug 25, part 25, rare 3 spans"
    assert rare.title == "1 type marked in fewer than 20 texts: rare 3"


def test_each_fault_is_told_with_its_texts_and_what_was_done() -> None:
    wrong = Spans.of(
        len(USUAL), [(17, 24, "drug"), (40, 60, "part"), (5, 5, "part"), (15, 26, "part"), (17, 24, "drug")]
    )
    found = {problem.title: problem for problem in look("spans", a_survey([*usual(), wrong]))}
    assert found["1 span outside of its text, in 1 text"].cases == ("c25",)
    assert "c25 (40 to 60). It is left out" in found["1 span outside of its text, in 1 text"].detail
    assert found["1 span of no character, in 1 text"].severity == "warn"
    assert found["1 span marked twice, in 1 text"].severity == "note"
    assert "the longest is kept" in found["1 span on top of a longer one, in 1 text"].detail
    assert all(not problem.exclude for problem in found.values())


def test_spans_of_another_text_are_left_out_with_it() -> None:
    (problem, *_) = look("spans", a_survey([*usual(), Spans.of(12, [(1, 4, "drug")])]))
    assert problem.title == "1 text of another length than the one that was marked"
    assert problem.exclude == ("c25",)


def test_a_type_of_one_text_and_texts_without_spans() -> None:
    lone = [Spans.of(len(USUAL), [(17, 24, "drug")]) for _ in range(25)]
    titles = [problem.title for problem in look("spans", a_survey([*lone, Spans.of(len(USUAL), []), None]))]
    assert "1 text without a span" in titles
    assert "part, rare: marked in no text" in titles


def test_texts_in_the_wrong_encoding_are_left_out() -> None:
    chinese = "患者因上腹部疼痛三天入院，口服阿司匹林治疗后好转出院。"
    wrong, lost = chinese.encode().decode("latin-1"), chinese[:20] + "\N{REPLACEMENT CHARACTER}" * 5
    texts = [chinese, wrong, lost, "Fieber über 39 °C, Übelkeit, Müdigkeit, süßlicher Geruch für längere Zeit."]
    problems = look("text_encoding", a_survey([None] * 4, texts))
    assert [(problem.title, problem.exclude) for problem in problems] == [
        ("1 of 4 cases (25.0 %) with lost characters", ("c2",)),
        ("1 of 4 cases (25.0 %) read in another encoding than they were written in", ("c1",)),
    ]
    assert look("text_encoding", a_survey([None] * 2, [wrong] * 2))[0].severity == "refuse"


def test_the_same_text_on_both_sides_of_a_split_is_kept_on_one() -> None:
    survey = a_survey(usual(4), [USUAL, USUAL, "Another note of the same kind.", "And a third one, which differs."])
    parts = ["train", "test", "train", "test"]
    cases = [case.model_copy(update={"split": part}) for case, part in zip(survey.cases, parts, strict=True)]
    cases[1] = cases[1].model_copy(update={"targets": cases[0].targets})
    (problem,) = look("duplicates", Survey(survey.root, tuple(cases), TARGET, survey.facts, {}))
    assert problem.exclude == ("c0",)
    assert "across splits or patients" in problem.title


def test_the_same_text_marked_in_two_ways_is_left_out() -> None:
    survey = a_survey([*usual(1), Spans.of(len(USUAL), [(43, 48, "part")])])
    (problem,) = look("duplicates", survey)
    assert problem.exclude == ("c0", "c1")
