"""The rule-based reader of reports: negation, doubt, scope, sections; English and Chinese."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from diascope.core.errors import BadUsage
from diascope.models import InputSpec
from diascope.models.rules_labeler import MODEL, ODDS
from diascope.models.words.rules import finding_of, is_nothing, mentions, said_of, vocabulary

ENGLISH = [
    ("There is a small left pleural effusion.", "effusion", "present"),
    ("No pleural effusion.", "effusion", "denied"),
    ("No focal consolidation, pneumothorax, or large pleural effusion.", "effusion", "denied"),
    ("No pneumothorax, but a small pleural effusion is seen.", "effusion", "present"),
    ("No pneumothorax. Small effusion.", "effusion", "present"),
    ("Pleural effusion is not seen.", "effusion", "denied"),
    ("A pleural effusion cannot be excluded.", "effusion", "doubted"),
    ("Cannot exclude a small effusion.", "effusion", "doubted"),
    ("The previously seen effusion has resolved.", "effusion", "denied"),
    ("No change in the left effusion.", "effusion", "present"),
    ("Blunting of the left costophrenic angle.", "effusion", "present"),
    ("Opacity which may represent pneumonia.", "pneumonia", "doubted"),
    ("Findings suspicious for pneumonia.", "pneumonia", "doubted"),
    ("Without evidence of pneumonia or edema.", "edema", "denied"),
    ("The heart is mildly enlarged.", "cardiomegaly", "present"),
    ("The heart is not enlarged.", "cardiomegaly", "denied"),
    ("Heart size is normal.", "cardiomegaly", "unsaid"),
    ("Atelectatic changes in both bases.", "atelectasis", "present"),
    ("A nodule of 1.5 cm is seen, no pneumothorax.", "nodule", "present"),
    ("Massive hepatomegaly.", "mass", "unsaid"),
]
CHINESE = [
    ("双侧胸腔见少量积液。", "effusion", "present"),
    ("双侧胸腔未见积液。", "effusion", "denied"),
    ("两肺未见实变影，左侧胸腔见少量积液。", "effusion", "present"),
    ("两肺未见结节、肿块及胸腔积液。", "effusion", "denied"),
    ("左肺上叶结节影，考虑炎症，肺炎可能。", "pneumonia", "doubted"),
    ("右下肺炎不除外。", "pneumonia", "doubted"),
    ("原右侧气胸已吸收。", "pneumothorax", "denied"),
    ("心影增大。", "cardiomegaly", "present"),
    ("无气胸。右肺见一结节。", "nodule", "present"),
    ("积液较前无明显变化。", "effusion", "present"),
]


@pytest.mark.parametrize(("text", "finding", "said"), [*ENGLISH, *CHINESE])
def test_what_a_sentence_says(text: str, finding: str, said: str) -> None:
    assert said_of(text, [finding]) == {finding: said}


def test_the_strongest_of_several_mentions_counts() -> None:
    text = "No effusion on the right. A possible effusion on the left. Small left effusion."
    assert [one.said for one in mentions(text, ["effusion"])] == ["denied", "doubted", "present"]
    assert said_of(text, ["effusion", "mass"]) == {"effusion": "present", "mass": "unsaid"}


def test_places_are_those_of_the_text() -> None:
    text = "Clear lungs.\nSmall pleural effusion and edema."
    assert [text[one.start : one.end] for one in mentions(text, ["effusion", "edema"])] == ["pleural effusion", "edema"]


@pytest.mark.parametrize("section", ["indication", "Clinical history", "Comparison", "检查目的"])
def test_sections_that_do_not_say_what_was_seen_are_skipped(section: str) -> None:
    text = f"{section}: pneumonia, effusion\n\nfindings: The lungs are clear."
    assert said_of(text, ["pneumonia"]) == {"pneumonia": "unsaid"}
    assert said_of(f"findings: pneumonia\n\n{section}: no", ["pneumonia"]) == {"pneumonia": "present"}


@pytest.mark.parametrize(
    ("name", "finding"),
    [
        *(("Effusion", "effusion"), ("Pleural_Thickening", "pleural_thickening"), ("Pleural Effusion", "effusion")),
        *(("积液", "effusion"), ("Oedema", "edema"), ("Lung Opacity", "opacity"), ("normal", None), ("urgent", None)),
    ],
)
def test_labels_are_known_by_their_names(name: str, finding: str | None) -> None:
    assert finding_of(name) == finding


def test_no_name_means_two_findings() -> None:
    names = [name.lower() for entry in vocabulary().values() for name in (*entry["names"], *entry["zh"])]
    assert sorted(names) == sorted(set(names))
    assert is_nothing("No Finding")
    assert is_nothing("normal")


def test_the_model_says_log_odds_and_learns_nothing() -> None:
    spec = InputSpec("text", 1, 1, (1, 1, 90), outputs=3, names=("Effusion", "Nodule", "normal"))
    module = MODEL.build(spec, MODEL.options(spec))
    texts = ["No effusion. Possible nodule.", "Effusion.", "Clear lungs."]
    rows = np.zeros((3, 90), np.int32)
    for row, text in zip(rows, texts, strict=True):
        row[: len(text)] = [ord(one) for one in text]
    said = module(torch.from_numpy(rows))
    wanted = [
        [ODDS["denied"], ODDS["doubted"], -ODDS["doubted"]],
        [ODDS["present"], ODDS["unsaid"], -ODDS["present"]],
        [ODDS["unsaid"], ODDS["unsaid"], -ODDS["unsaid"]],
    ]
    assert said.tolist() == wanted


def test_a_label_without_rules_is_refused_by_its_name() -> None:
    spec = InputSpec("text", 1, 1, (1, 1, 90), outputs=2, names=("Effusion", "urgent"))
    with pytest.raises(BadUsage, match="labels urgent"):
        MODEL.build(spec, {})
