"""The catalogue of words: complete in every language."""

from __future__ import annotations

import json
import re
from collections import Counter
from importlib.resources import files
from pathlib import Path
from string import Formatter

import pytest

import diascope.reports
from diascope.core.errors import UnknownName
from diascope.reports.words import LANGUAGES, choose


def entries(name: str) -> dict[str, str]:
    content: dict[str, str] = json.loads(files("diascope.reports").joinpath(name).read_text(encoding="utf-8"))
    return content


def blanks(text: str) -> set[str]:
    return {name.lstrip("#") for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("name", ["words.en.json", "words.zh-CN.json", "phrases.zh-CN.json"])
def test_no_entry_stands_twice(name: str) -> None:
    text = files("diascope.reports").joinpath(name).read_text(encoding="utf-8")
    counts = Counter(key for key, _ in json.loads(text, object_pairs_hook=list))
    assert [key for key, number in counts.items() if number > 1] == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_language_has_the_same_keys_and_blanks(lang: str) -> None:
    english, other = entries("words.en.json"), entries(f"words.{lang}.json")
    assert other.keys() == english.keys()
    assert {key: blanks(text) for key, text in other.items()} == {key: blanks(text) for key, text in english.items()}
    assert all(text.strip() for text in other.values())


def test_chinese_words_are_chinese() -> None:
    plain = {"interval.signed", "list.between"}
    missing = [k for k, text in entries("words.zh-CN.json").items() if not re.search("[\u4e00-\u9fff]", text)]
    assert set(missing) <= plain


def test_phrases_fill_the_blanks_they_have() -> None:
    for english, translation in entries("phrases.zh-CN.json").items():
        assert blanks(translation) <= blanks(english), english


def test_every_key_in_the_code_exists_and_every_entry_is_used() -> None:
    folder = Path(diascope.reports.__file__).parent
    code = "\n".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    known = entries("words.en.json")
    named = set(re.findall(r'words\("([^"]+)"', code))
    assert named <= known.keys()
    prefixes = {text.split("{")[0] for text in re.findall(r'words\(f"([^"]+)"', code)}
    counted = set(re.findall(r'words\.count\("([^"]+)"', code))
    for key in known.keys() - named:
        used = any(key.startswith(prefix) for prefix in prefixes) or key.rpartition(".")[0] in counted
        assert used or f'"{key}"' in code, key


def test_unknown_key_is_an_error() -> None:
    with pytest.raises(UnknownName, match="no_such_key"):
        choose("en")("no_such_key")


def test_count_knows_one() -> None:
    assert choose("en").count("patients", 1) == "1 patient"
    assert choose("en").count("patients", 1200) == "1,200 patients"
    assert choose("zh-CN").count("patients", 2) == "2 位患者"


def test_phrase_is_translated_with_its_blanks_and_parts() -> None:
    words = choose("zh-CN")
    assert words.phrase("ROC curve") == "ROC 曲线"
    assert words.phrase("worst · Dice 0.41") == "最差 · Dice 0.41"
    assert words.phrase("too few: 12 patients") == "过少：12 位患者"
    assert words.phrase("3 of 1,200 cases (0.2 %) with an empty mask") == "1,200 个病例中的 3 个（0.2%）的掩膜为空"
    assert words.phrase("few cases") == "few cases"
    assert words.phrase("borders 0.51 (0.42 to 0.60); new probe 0.5") == "边框 0.51（0.42–0.60）；new probe 0.5"
    assert words.phrase("benign 60, lesion 9, 正常 3 cases") == "benign 60, lesion 9, 正常 3 个病例"
    assert words.phrase("what nobody translated") == "what nobody translated"


def test_english_phrases_stay_as_they_were_written() -> None:
    assert choose("en").phrase("worst · Dice 0.41") == "worst · Dice 0.41"


def test_metric_titles_come_from_the_plug_ins() -> None:
    assert choose("en").metric("auroc") == "AUROC"
    assert choose("zh-CN").metric("dice/海马") == "Dice 系数 · 海马"
    assert choose("en").metric("concordance") == "Harrell's concordance"
    assert "删失" in choose("zh-CN").metric("concordance_ipcw")
    assert choose("en").metric("never_heard_of/x") == "never_heard_of · x"


def test_axis_of_a_metric_has_its_title() -> None:
    assert choose("zh-CN").label("auroc") != "auroc"
    assert choose("en").label("cases/s") == "cases/s"


def test_metric_at_the_end_of_a_title_has_its_title() -> None:
    assert choose("en").label("Validation: auroc") == "Validation: AUROC"
    assert choose("en").label("Validation: dice/left lobe") == "Validation: Dice · left lobe"
    assert choose("zh-CN").label("Validation: dice/海马") == "验证：Dice 系数 · 海马"
    assert choose("en").label("Note: auroc is high") == "Note: auroc is high"


@pytest.mark.parametrize(
    "note",
    [
        "a SEG or RTSTRUCT refers to it",
        "corrected for attenuation",
        "12 studies: every one has ct and pt in one frame of reference: each is an input, on the grid of ct",
        "pt: 12 studies: PT axial 3 mm was chosen (corrected for attenuation) of PT axial 3 mm, PT axial (in study-1)",
        "pt: 12 studies have one series",
        "1 of 2 structure sets have no region 'heart': it counts as background there",
        "2 SEG or RTSTRUCT label no series that is read",
        "2 of 40 cases (5.0 %) whose inputs lie in different frames of reference",
        "image: rgb (photo: no file says what it is, and 199 of 200 pictures are in colour)",
    ],
)
def test_notes_of_studies_and_inputs_are_translated(note: str) -> None:
    said = choose("zh-CN").phrase(note)
    assert said != note
    assert not set("{}") & set(said)
