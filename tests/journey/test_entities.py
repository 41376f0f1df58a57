"""Entities go the whole way: invented notes in two languages, records, tags; trained, reported, read again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diascope import cli
from diascope.core.finding import Findings

DISEASES = ("肺炎", "高血压", "糖尿病", "冠心病", "胃炎", "肝硬化")
PARTS = ("肺", "胃", "肝", "左肺上叶", "心脏", "腹部")
DRUGS = ("阿司匹林", "奥美拉唑", "头孢曲松", "胰岛素")
ENGLISH = {"drug": ("aspirin", "insulin", "low dose heparin"), "part": ("left lung", "liver", "chest")}


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    capsys.readouterr()
    assert cli.run([*map(str, arguments), "--json", "--quiet"]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out or "{}")


def put(parts: list[tuple[str, str]]) -> tuple[str, list[tuple[int, int, str]]]:
    """Words with a label, or none, one after the other."""
    text, spans = "", []
    for words, label in parts:
        if label:
            spans.append((len(text), len(text) + len(words), label))
        text += words
    return text, spans


def a_note(seed: int) -> tuple[str, list[tuple[int, int, str]]]:
    rng = np.random.default_rng(seed)
    pick = [str(rng.choice(some)) for some in (DISEASES, PARTS, PARTS, DRUGS, DISEASES)]
    sentences = [
        [("患者因", ""), (pick[0], "疾病"), (f"入院{seed}天。", "")],
        [("查体：", ""), (pick[1], "部位"), ("压痛，", ""), (pick[2], "部位"), ("未见异常。", "")],
        [("给予", ""), (pick[3], "药物"), ("口服，好转；", "")],
        [("既往", ""), (pick[4], "疾病"), ("病史，否认过敏。", "")],
    ]
    chosen = rng.permutation(4)[: int(rng.integers(2, 5))]
    return put([part for number in chosen for part in sentences[number]])


def an_english_note(seed: int) -> list[tuple[str, str]]:
    """Words with their tags."""
    rng = np.random.default_rng(seed)
    drug, part = str(rng.choice(ENGLISH["drug"])), str(rng.choice(ENGLISH["part"]))
    words = [(one, "O") for one in f"On day {seed} she took".split()]
    for phrase, label, rest in ((drug, "drug", "for pain in the"), (part, "part", "and went home .")):
        words += [(one, f"{'I' if n else 'B'}-{label}") for n, one in enumerate(phrase.split())]
        words += [(one, "O") for one in rest.split()]
    return words


def records(path: Path, count: int, first: int = 0, marked: bool = True) -> Path:
    lines = []
    for number in range(first, first + count):
        text, spans = a_note(number)
        entities = [{"label_type": label, "start_pos": a, "end_pos": b} for a, b, label in spans]
        told = {"entities": entities} if marked else {}
        lines.append({"originalText": text, **told, "patient": f"p{number}", "hospital": "AB"[number % 2]})
    path.write_text("\n".join(json.dumps(one, ensure_ascii=False) for one in lines), encoding="utf-8-sig")
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a candidate that was trained on records of JSON."""
    folder = tmp_path_factory.mktemp("entities")
    (folder / "notes").mkdir()
    records(folder / "notes" / "train.jsonl", 130)
    records(folder / "notes" / "test.jsonl", 30, first=500)
    arguments = ("fit", folder / "notes", "--workspace", folder / "space", "--minutes", "1", "--set", "steps=15")
    assert cli.run([*map(str, arguments), "--quiet"]) == 0
    return folder


def release_of(folder: Path) -> Path:
    return next((folder / "space" / "releases").glob("*@*"))


def test_it_learns_and_is_measured_strictly_and_relaxed(trained: Path) -> None:
    evaluation = json.loads((release_of(trained) / "evaluation.json").read_text(encoding="utf-8"))
    assert evaluation["cases"] == 30
    metrics = evaluation["metrics"]
    assert metrics["f1"]["value"] > 0.9
    assert metrics["f1"]["low"] is not None or "do not vary" in metrics["f1"]["note"]
    assert {"relaxed_f1/药物", "macro_f1", "precision/疾病", "ece"} <= set(metrics)
    assert {group["covariate"] for group in evaluation["subgroups"]} == {"site"}


def test_the_report_shows_texts_with_their_spans(trained: Path) -> None:
    page = next((trained / "space" / "reports").glob("*.html")).read_text(encoding="utf-8")
    assert "Which type was said for which" in page
    assert 'class="said s' in page


def test_records_that_nobody_marked_are_read_to_the_last_character(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = [a_note(number) for number in range(900, 1200)]
    long, spans = put([part for text, marked in texts for part in _parts(text, marked)])
    assert len(long) > 4096
    new = trained / "new.jsonl"
    new.write_text(json.dumps({"originalText": long}, ensure_ascii=False), encoding="utf-8")
    run(capsys, "predict", release_of(trained), new, "--out", trained / "said")
    found = Findings.read(next((trained / "said").rglob("findings.json")))
    said = {(one.span.start, one.span.stop, one.concept) for one in found.findings if one.span}
    assert all(long[one.span.start : one.span.stop] == one.span.text for one in found.findings if one.span)
    assert len(said & set(spans)) > 0.9 * len(spans)
    assert max(stop for _, stop, _ in said) > len(long) - 100
    assert not [note for note in found.notes if "only the first" in note]


def test_a_release_is_measured_on_other_notes(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = records(trained / "other.jsonl", 25, first=2000)
    found = run(capsys, "evaluate", release_of(trained), other, "--workspace", trained / "space")
    assert found["evaluation"]["metrics"]["f1"]["value"] > 0.9


@pytest.mark.slow
def test_tagged_words_are_learnt_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = ["".join(f"{word} {tag}\n" for word, tag in an_english_note(number)) for number in range(105)]
    (tmp_path / "notes.conll").write_text("\n".join(blocks), encoding="utf-8")
    space = ("--workspace", tmp_path / "space", "--minutes", "1", "--set", "steps=15", "--set", "batch=16")
    made = run(capsys, "fit", tmp_path / "notes.conll", *space, "--lang", "zh-CN")
    assert made["evaluation"]["metrics"]["f1"]["value"] > 0.9
    page = next((tmp_path / "space" / "reports").glob("*.html")).read_text(encoding="utf-8")
    for words in ("各类型的判断对照", "宏平均 F1", "文本：最差", "真实: drug"):
        assert words in page


def test_faults_of_the_marks_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = records(tmp_path / "notes.jsonl", 24)
    text, _ = a_note(77)
    wrong = [{"label_type": "药物", "start_pos": len(text) - 1, "end_pos": len(text) + 3}]
    lines = path.read_text(encoding="utf-8-sig") + "\n" + json.dumps({"originalText": text, "entities": wrong})
    path.write_text(lines, encoding="utf-8")
    found = run(capsys, "check", path, "--workspace", tmp_path / "space")
    assert "1 span outside of its text, in 1 text" in [problem["title"] for problem in found["problems"]]


def _parts(text: str, spans: list[tuple[int, int, str]]) -> list[tuple[str, str]]:
    found, place = [], 0
    for start, stop, label in sorted(spans):
        found += [(text[place:start], ""), (text[start:stop], label)]
        place = stop
    return [*found, (text[place:], "")]
