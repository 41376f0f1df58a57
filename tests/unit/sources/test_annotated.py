"""Annotated texts as data sets: parts by the names of files, patients and sites from the records, codes of types."""

import json
from pathlib import Path

import pytest

from diascope import formats
from diascope.core import registry
from diascope.core.errors import DataRefused, UnreadableFile
from diascope.formats.annotated.bio import parsed
from diascope.sources import Listing, SourceOptions, recognise


def record(text: str, *spans: tuple[int, int, str], **fields: object) -> str:
    listed = [{"start": start, "end": end, "label": label} for start, end, label in spans]
    return json.dumps({"text": text, "entities": listed, **fields}, ensure_ascii=False)


def listing(folder: Path, source: str = "entity_records", **options: object) -> Listing:
    assert recognise(str(folder)) == source
    return registry.get("sources", source).list(str(folder), SourceOptions(**options))


def test_files_called_as_parts_are_parts_where_one_is_to_test_on(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# data")
    for name in ("subtask1_training_part1.txt", "subtask1_training_part2.txt"):
        (tmp_path / name).write_text(record("口服阿司匹林", (2, 6, "药物")), encoding="utf-8-sig")
    assert {case.split for case in listing(tmp_path).cases} == {None}
    (tmp_path / "subtask1_test_set_with_answer.json").write_text(record("无", (0, 1, "药物")), encoding="utf-8")
    found = listing(tmp_path)
    assert [case.split for case in found.cases] == ["test", "train", "train"]
    assert any("subtask1_training_part1.txt 1 (train)" in note for note in found.notes)
    assert found.cases[1].targets["entities"].all == ((2, 6, "药物"),)


def test_records_say_patient_site_and_covariates(tmp_path: Path) -> None:
    lines = [record("Took aspirin", (5, 12, "drug"), patient_id=f"p{n // 2}", hospital="AB"[n % 2]) for n in range(4)]
    (tmp_path / "notes.jsonl").write_text("\n".join(lines), encoding="utf-8")
    found = listing(tmp_path)
    assert [case.patient for case in found.cases] == ["p0", "p0", "p1", "p1"]
    assert [case.site for case in found.cases] == ["A", "B", "A", "B"]
    assert all(case.patient_known for case in found.cases)


def test_types_are_labels_with_codes_where_they_are_known(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        record("左肺癌 X", (0, 2, "解剖部位"), (0, 3, "疾病和诊断"), (4, 5, "own")), encoding="utf-8"
    )
    (target,) = listing(tmp_path).targets
    assert (target.name, target.kind) == ("entities", "spans")
    assert {label.name: label.code for label in target.labels} == {
        "解剖部位": "SCT:442083009",
        "疾病和诊断": "SCT:64572001",
        "own": None,
    }
    assert [label.value for label in target.labels] == [1, 2, 3]


def test_a_text_of_which_nothing_is_said_has_no_label(tmp_path: Path) -> None:
    lines = [record("Took aspirin", (5, 12, "drug")), json.dumps({"text": "Took nothing"}), record("Took nothing")]
    (tmp_path / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    targets = [case.targets["entities"] for case in listing(tmp_path).cases]
    assert targets[1] is None
    assert targets[2].places == ()


def test_texts_in_which_nothing_is_marked_have_no_target(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(record("Took nothing"), encoding="utf-8")
    found = listing(tmp_path)
    assert (len(found.cases), found.targets) == (1, ())
    assert "nothing is marked in any of the texts" in found.notes


def test_records_without_spans_are_listed_but_not_recognised(tmp_path: Path) -> None:
    (tmp_path / "new.jsonl").write_text(json.dumps({"text": "Took aspirin", "patient": "p1"}), encoding="utf-8")
    source = registry.get("sources", "entity_records")
    assert source.recognises(str(tmp_path)) is None
    (case,) = source.list(str(tmp_path), SourceOptions()).cases
    assert (case.patient, case.inputs["text"].item) == ("p1", "1")
    (tmp_path / "new.jsonl").write_text(json.dumps({"no": "text"}), encoding="utf-8")
    with pytest.raises(DataRefused, match="no annotated text"):
        source.list(str(tmp_path), SourceOptions())


def test_parts_of_tagged_tokens(tmp_path: Path) -> None:
    for name in ("train.bio", "dev.bio", "test.bio"):
        (tmp_path / name).write_text("口 O\n服 O\n药 B-药物\n\n无 O\n药 B-药物\n", encoding="utf-8")
    found = listing(tmp_path, "bio")
    assert [(case.id, case.split) for case in found.cases][:3] == [
        ("dev-1", "val"),
        ("dev-2", "val"),
        ("test-1", "test"),
    ]
    assert len(found.cases) == 6


@pytest.mark.parametrize(("name", "between"), [("notes.txt", " "), ("notes.tsv", "\t")])
def test_one_file_of_tagged_tokens_is_no_table_of_two_columns(name: str, between: str, tmp_path: Path) -> None:
    text = "口 O\n服 O\n阿 B-药物\n司 I-药物\n\n无 O\n".replace(" ", between)
    (tmp_path / name).write_text(text, encoding="utf-8-sig")
    assert recognise(str(tmp_path / name)) == "bio"


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ('Sentence #,Word,POS,Tag\nS 1,Fever,NN,B-s\n,and,CC,O\nS 2,"dry, hacking",JJ,B-s\n,cough,NN,I-s\n', 2),
        ('patient_id,doc_id,token,ner_tag\np1,1,Fever,B-s\np1,1,and,O\np1,2,"dry, hacking",B-s\np1,2,cough,I-s\n', 2),
        ("Fever,B-s\nand,O\n\ndry,B-s\ncough,I-s\n", 2),
        ("word;tag\nFever;B-s\nand;O\n;\ndry;B-s\ncough;I-s\n", 2),
    ],
)
def test_a_csv_of_tagged_tokens_is_no_table(content: str, texts: int, tmp_path: Path) -> None:
    (tmp_path / "notes.csv").write_text(content)
    assert recognise(str(tmp_path / "notes.csv")) == "bio"
    found = listing(tmp_path / "notes.csv", "bio")
    assert [len(case.targets["entities"].places) for case in found.cases] == [1] * texts
    assert [target.name for target in found.targets] == ["entities"]
    last = formats.read_input(found.cases[-1].inputs["text"], tmp_path).text
    assert last in ("dry cough", "dry, hacking cough")
    patients = {case.patient for case in found.cases}
    assert patients == ({"p1"} if "patient" in content else {case.id for case in found.cases})


def test_a_row_without_a_tag_is_refused_by_its_line(tmp_path: Path) -> None:
    (tmp_path / "notes.csv").write_text("word,tag\nFever,B-s\nand,\n")
    with pytest.raises(UnreadableFile, match="line 3 has no tag"):
        parsed(tmp_path / "notes.csv", (tmp_path / "notes.csv").read_text())


def test_classes_that_look_like_tags_make_no_tagged_tokens(tmp_path: Path) -> None:
    (tmp_path / "cells.csv").write_text("text,label\nlarge round nucleus,B-cell\nsmall dark nucleus,T-cell\n")
    assert recognise(str(tmp_path / "cells.csv")) != "bio"


def test_folders_of_standoff_files(tmp_path: Path) -> None:
    for name in ("train/a", "train/b", "test/c"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.txt").write_text("Took aspirin.", encoding="utf-8")
        (tmp_path / f"{name}.ann").write_text("T1\tdrug 5 12\taspirin", encoding="utf-8")
    found = listing(tmp_path, "brat")
    assert {case.id: case.split for case in found.cases} == {"train/a": "train", "train/b": "train", "test/c": "test"}


@pytest.mark.parametrize("content", ["Dear colleague,\nI saw O and A", '{"a": 1}\n', "1 2 3\n4 5 6\n", ""])
def test_other_texts_are_nobodys(content: str, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text(content, encoding="utf-8")
    for name in ("entity_records", "bio", "brat"):
        assert registry.get("sources", name).recognises(str(tmp_path)) is None
