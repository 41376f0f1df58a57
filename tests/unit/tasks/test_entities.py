"""The task of entities: what is encoded, chosen, scored and said."""

from typing import Any

import numpy as np
import pytest
import torch

from diascope.core.case import Case, Label, Target
from diascope.core.figure import Passages
from diascope.core.plan import Choice, Fingerprint, InputFacts, Plan
from diascope.core.spans import Spans
from diascope.engine.batch import Example, Output, Row
from diascope.evidence.intervals import measures
from diascope.tasks.entities import TASK
from diascope.tasks.spans.tags import tag_count, tags_of

TEXT = "口服阿司匹林，左肺见结节。"
TARGET = Target(
    name="entities",
    kind="spans",
    columns=("entities",),
    labels=(Label(name="药物", value=1, code="SCT:410942007"), Label(name="部位", value=2)),
)
TRUTH = Spans.of(len(TEXT), [(2, 6, "药物"), (7, 9, "部位")])


def a_plan(rule: dict[str, Any] | None = None) -> Plan:
    fields = {
        "readings": {"text": {"kind": "text", "length": 16, "whole": True}},
        "operating_point": rule or {"name": "f1"},
        "dropout": 0.0,
    }
    choices = {name: Choice(value=value, kind="fixed", reason="") for name, value in fields.items()}
    return Plan(dataset="d", task="entities", target=TARGET, seed=0, choices=choices)


def a_case(spans: Spans | None = TRUTH, number: int = 0) -> Case:
    return Case(id=f"c{number}", patient=f"p{number}", inputs={}, targets={"entities": spans})


def an_example(case: Case, text: str = TEXT) -> Example:
    codes = np.zeros(max(16, len(text)), np.int32)
    codes[: len(text)] = [ord(one) for one in text]
    return Example(case, {"text": codes}, {})


def an_output(spans: Spans, sure: float = 8.0) -> Output:
    """Scores that speak for the tags of these spans, and for nothing else where there are none."""
    case = a_case(spans)
    encoded = TASK.encode(case, {}, TARGET)
    tags = tags_of(torch.from_numpy(encoded["label"])[None], torch.from_numpy(encoded["first"])[None])[0].numpy()
    count = tag_count(2)
    values = np.zeros((count, 16 + count), np.float32)
    values[0, len(tags) : 16] = sure
    values[tags, np.arange(len(tags))] = sure
    return Output(values)


def a_row(number: int = 0, said: Spans = TRUTH, true: Spans = TRUTH, sure: float = 8.0) -> Row:
    case = a_case(true, number)
    return TASK.observe(an_output(said, sure), an_example(case), TASK.encode(case, {}, TARGET), a_plan())


def decided(rows: list[Row], plan: Plan | None = None) -> tuple[list[Row], dict[str, Any]]:
    plan = plan or a_plan()
    decision = TASK.fit_decision(rows, plan)
    return [TASK.decide(row, decision, plan) for row in rows], decision


def test_it_claims_spans_with_types_alone() -> None:
    other = Target(name="y", kind="category", columns=("y",), labels=TARGET.labels)
    assert TASK.claim([other, TARGET, TARGET.model_copy(update={"labels": ()})]) == (TARGET,)


def test_texts_that_nobody_marked_are_left_out_and_too_many_types_refused() -> None:
    (problem,) = TASK.problems([a_case(), a_case(None, 1), a_case(Spans.of(5, []), 2)], TARGET)
    assert problem.exclude == ("c1",)
    many = TARGET.model_copy(update={"labels": tuple(Label(name=str(n), value=n) for n in range(1, 62))})
    assert TASK.problems([a_case()], many)[0].severity == "refuse"


def test_splits_are_balanced_by_the_types_that_a_text_holds() -> None:
    assert TASK.stratum(a_case(), TARGET) == "药物 + 部位"
    assert TASK.stratum(a_case(Spans.of(5, [(0, 2, "药物")])), TARGET) == "药物 alone"
    assert TASK.stratum(a_case(Spans.of(5, [])), TARGET) == "no span"


@pytest.mark.parametrize(("language", "longest", "window"), [("zh", 900, 128), ("en", 900, 256), ("zh", 50, 56)])
def test_texts_are_read_whole_through_a_window(language: str, longest: int, window: int) -> None:
    details = {"alphabet": [65, 66], "language": language}
    facts = InputFacts.without_space("text", 1, dimensions=1, sizes=(9, 9, 40, 50, longest), details=details)
    found = Fingerprint(
        dataset="d", cases=1, patients=1, inputs={"note": facts}, strata={}, bytes_decoded=0, seconds_per_case=0.0
    )
    choices = TASK.choices(found, TARGET)
    reading = choices["readings"].value["note"]
    assert (reading["length"], reading["whole"]) == (window, True)
    assert choices["patch"].value == [1, 1, window]


@pytest.mark.parametrize(("cases", "passes"), [(800, 40), (100, 120), (10, 200)])
def test_few_texts_are_gone_through_more_often(cases: int, passes: int) -> None:
    details = {"alphabet": [65], "language": "zh"}
    facts = InputFacts.without_space("text", 1, dimensions=1, sizes=(9, 99, 400, 800, 1600), details=details)
    found = Fingerprint(
        **{"dataset": "d", "cases": cases, "patients": cases, "inputs": {"note": facts}, "strata": {"a": cases}},
        bytes_decoded=0,
        seconds_per_case=0.0,
    )
    assert TASK.choices(found, TARGET)["passes"].value == passes


def test_crossing_spans_are_encoded_as_those_that_are_kept() -> None:
    crossing = Spans.of(len(TEXT), [(2, 6, "药物"), (5, 9, "部位"), (7, 9, "部位")])
    encoded = TASK.encode(a_case(crossing), {}, TARGET)
    assert encoded["label"].tolist() == [0, 0, 1, 1, 1, 1, 0, 2, 2, 0, 0, 0, 0]
    assert np.flatnonzero(encoded["first"]).tolist() == [2, 7]
    assert TASK.encode(a_case(None), {}, TARGET) == {}


def test_what_is_observed_is_the_text_its_truth_and_candidates() -> None:
    row = a_row()
    assert row["text"] == TEXT
    assert row["truth"] == [[2, 6, 1], [7, 9, 2]]
    assert [one[:3] for one in row["candidates"][:2]] == [[2, 6, 1], [7, 9, 2]]
    assert all(one[3] > 0.9 for one in row["candidates"][:2])


def test_a_perfect_answer_scores_perfectly() -> None:
    rows, decision = decided([a_row(number) for number in range(30)])
    scores = TASK.score(rows, a_plan())
    found = measures(scores.statistics, [row["patient"] for row in rows])
    for name in ("f1", "macro_f1", "relaxed_f1", "precision", "recall", "f1/药物", "relaxed_macro_f1"):
        assert found[name].value == 1.0
    assert found["ece"].value < 0.2
    assert set(scores.headline) <= set(found)
    assert scores.per_case.tolist() == [1.0] * 30
    assert 0 < decision["point"]["threshold"] < 1


def test_wrong_ends_count_as_relaxed_hits_and_other_types_as_none() -> None:
    rows, _ = decided(
        [a_row(said=Spans.of(len(TEXT), [(1, 6, "药物"), (7, 9, "药物")]))], a_plan({"name": "best_path"})
    )
    index = np.arange(1)
    found = {one.name: one.of(index) for one in TASK.score(rows, a_plan()).statistics}
    assert found["f1"] == 0
    assert found["relaxed_recall"] == 0.5
    assert found["relaxed_precision"] == 0.5
    assert found["relaxed_recall/部位"] == 0
    assert np.isnan(found["precision/部位"])


def test_nothing_to_calibrate_on_leaves_the_model_as_it_is() -> None:
    empty = Spans.of(len(TEXT), [])
    rows, decision = decided([a_row(said=empty, true=empty, sure=50.0)])
    assert (decision["offset"], decision["temperature"], decision["spans"]) == (0.0, 1.0, 0)
    assert decision["point"]["sound"] is False
    assert rows[0]["said"] == []
    assert np.isnan(TASK.score(rows, a_plan()).per_case).all()


def test_confidence_is_calibrated_to_how_often_such_a_span_is_right() -> None:
    wrong = Spans.of(len(TEXT), [(7, 9, "部位")])
    rows = [a_row(number, true=TRUTH if number % 2 else wrong, sure=6.0) for number in range(60)]
    some, decision = decided(rows)
    drugs = [one[3] for row in some for one in row["apart"] if one[2] == 1]
    assert 0.35 < np.mean(drugs) < 0.75
    assert decision["temperature"] > 1


def test_figures_hold_texts_with_truth_and_answer() -> None:
    rows, decision = decided([a_row(), a_row(1, said=Spans.of(len(TEXT), [(2, 6, "药物")])), a_row(2)])
    figures = TASK.figures(rows, a_plan(), decision)
    kinds = [figure.kind for figure in figures]
    assert kinds == ["matrix", "chart", "chart", "grid", "passages"]
    assert figures[0].counts == ((3, 0, 0), (0, 2, 1), (0, 0, 0))
    (passages,) = [figure for figure in figures if isinstance(figure, Passages)]
    assert passages.passages[0].case == "c1"  # the worst first
    assert {(mark.start, mark.stop, mark.sort) for mark in passages.passages[0].marks} == {
        (2, 6, "true"),
        (7, 9, "true"),
        (2, 6, "said"),
    }
    assert TASK.figures([], a_plan(), decision) == ()


def test_findings_name_type_place_words_and_confidence() -> None:
    _, decision = decided([a_row(number) for number in range(12)])
    only = Spans.of(len(TEXT), [(2, 6, "药物")])
    prediction = TASK.decode(an_output(only), an_example(a_case(None)), decision, a_plan())
    drug, part = prediction.findings
    assert (drug.concept, drug.code, drug.status) == ("药物", "SCT:410942007", "present")
    assert (drug.span.input, drug.span.start, drug.span.stop, drug.span.text) == ("text", 2, 6, "阿司匹林")
    assert drug.measures["confidence"].value > decision["point"]["threshold"]
    assert drug.operating_point.measure == "confidence"
    assert (part.concept, part.status, part.span) == ("部位", "absent", None)
