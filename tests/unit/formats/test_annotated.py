"""Texts with marked spans: records of JSON, tagged tokens, standoff files; what is broken names the place."""

import json
from pathlib import Path

import pytest

from diascope.core import registry
from diascope.core.errors import UnreadableFile
from diascope.formats.annotated import bio, brat, json_lines
from diascope.formats.annotated.notes import Note, notes_of

CCKS = {
    "originalText": "口服阿司匹林。",
    "entities": [{"label_type": "药物", "start_pos": 2, "end_pos": 6, "overlap": 0}],
}


def records(folder: Path, *lines: object, name: str = "notes.jsonl", encoding: str = "utf-8") -> tuple[Note, ...]:
    path = folder / name
    path.write_text("\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines), encoding=encoding)
    return notes_of(path, json_lines.parsed)


def marked(note: Note) -> list[tuple[str, str]]:
    return [(note.text[start:stop], label) for start, stop, label in note.spans or ()]


def tagged(folder: Path, text: str) -> tuple[Note, ...]:
    path = folder / "notes.bio"
    path.write_text(text, encoding="utf-8")
    return notes_of(path, bio.parsed)


def standoff(folder: Path, text: str, listed: str | None) -> Note:
    (folder / "a.txt").write_bytes(text.encode())
    if listed is not None:
        (folder / "a.ann").write_bytes(listed.encode())
    (note,) = notes_of(folder / "a.txt", brat.parsed)
    return note


@pytest.mark.parametrize(
    "record",
    [
        CCKS,
        {"text": "口服阿司匹林。", "label": [[2, 6, "药物"]]},
        {"text": "口服阿司匹林。", "spans": [{"start": 2, "end": 6, "label": "药物", "text": "阿司匹林"}]},
        {"text": "口服阿司匹林。", "entities": [{"start_idx": 2, "end_idx": 5, "type": "药物", "entity": "阿司匹林"}]},
        {"content": "口服阿司匹林。", "annotations": [{"start_offset": 2, "end_offset": 6, "category": "药物"}]},
    ],
    ids=["ccks", "doccano", "prodigy", "cmeee, ends inclusive", "offsets"],
)
def test_the_fields_of_several_tools(record: object, tmp_path: Path) -> None:
    (note,) = records(tmp_path, record)
    assert marked(note) == [("阿司匹林", "药物")]
    assert note.remarks == ()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "gb18030"])
def test_a_mark_or_another_encoding_moves_no_place(encoding: str, tmp_path: Path) -> None:
    long = {"originalText": "患者因上腹部疼痛三天入院，口服阿司匹林治疗后好转出院。", "entities": []}
    lines = [json.dumps(one, ensure_ascii=False) for one in (CCKS, long, CCKS)]
    first, _, last = records(tmp_path, *lines, encoding=encoding)
    assert marked(first) == marked(last) == [("阿司匹林", "药物")]


def test_a_list_of_records_and_what_else_they_say(tmp_path: Path) -> None:
    listed = json.dumps([{**CCKS, "patient": "p7", "age": 61, "tags": [1]}, {"text": "无。"}])
    first, second = records(tmp_path, listed, name="notes.json")
    assert first.fields == {"patient": "p7", "age": "61"}
    assert second.spans is None


def test_words_that_stand_elsewhere_are_remarked(tmp_path: Path) -> None:
    wrong = {"text": "口服阿司匹林。", "spans": [{"start": 1, "end": 5, "label": "药物", "text": "阿司匹林"}]}
    (note,) = records(tmp_path, wrong)
    assert "quotes '阿司匹林' at 1, where the text has '服阿司匹'" in note.remarks[0]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{not json", "line 2 is no JSON"),
        ("[1]", "record 2 is no object"),
        ('{"entities": []}', "record 2 has no text"),
        ('{"text": "a", "entities": [{"start": 0}]}', "record 2 has a span without start, end and label"),
        ('{"text": "a", "entities": [[0, 1.5, "x"]]}', "record 2 has a span without"),
        ('{"text": "a\\u0000b", "entities": []}', "zero characters"),
        ('{"text": "a\\ud83d b", "entities": []}', "halves of surrogate pairs"),
    ],
)
def test_a_broken_record_is_named(line: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=words):
        records(tmp_path, CCKS, line)


def test_characters_and_words_make_texts(tmp_path: Path) -> None:
    chinese, other = tagged(tmp_path, "口 O\n服 O\n阿 B-药物\n司 I-药物\nCT S-检查\n\n\n无 O\n。 O\n")
    assert chinese.text == "口服阿司CT"
    assert marked(chinese) == [("阿司", "药物"), ("CT", "检查")]
    assert other.text == "无。"
    (english,) = tagged(tmp_path, "-DOCSTART- -X- O\n\nTook VBD O\nlow JJ B-drug\ndose NN I-drug\naspirin NN B-drug\n")
    assert english.text == "Took low dose aspirin"
    assert marked(english) == [("low dose", "drug"), ("aspirin", "drug")]


@pytest.mark.parametrize(
    ("tags", "wanted", "stray"),
    [
        (["B-a", "E-a", "S-b", "O"], [(0, 2, "a"), (2, 3, "b")], False),
        (["B-a", "M-a", "E-a", "O"], [(0, 3, "a")], False),
        (["B-a", "L-a", "U-b", "O"], [(0, 2, "a"), (2, 3, "b")], False),
        (["B-a", "B-a", "I-a", "I-b"], [(0, 1, "a"), (1, 3, "a"), (3, 4, "b")], True),
        (["I-a", "I-a", "O", "B_b"], [(0, 2, "a"), (3, 4, "b")], True),
    ],
    ids=["BIOES", "BMES", "BILOU", "neighbours", "IOB1"],
)
def test_every_scheme_of_tags(tags: list[str], wanted: list[tuple[int, int, str]], stray: bool, tmp_path: Path) -> None:
    (note,) = tagged(tmp_path, "".join(f"{letter}\t{tag}\n" for letter, tag in zip("甲乙丙丁", tags, strict=True)))
    assert list(note.spans or ()) == wanted
    assert bool(note.remarks) == stray


def test_a_line_without_a_tag_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="line 2 has no tag: 'aspirin'"):
        tagged(tmp_path, "Took O\naspirin\n")


def test_standoff_counts_line_ends_as_the_file_has_them(tmp_path: Path) -> None:
    note = standoff(tmp_path, "Line\r\nTook aspirin.\n", "T1\tdrug 11 18\taspirin\n#1\tNote T1\tx\nR1\tof Arg1:T1\n")
    assert marked(note) == [("aspirin", "drug")]
    assert note.remarks == ()


def test_a_span_with_a_gap_and_one_that_quotes_otherwise_are_remarked(tmp_path: Path) -> None:
    note = standoff(tmp_path, "left and right lung", "T1\tpart 0 4;15 19\tleft lung\nT2\tpart 9 14\tlungs\n")
    assert marked(note)[0] == ("left and right lung", "part")
    assert "has a gap" in note.remarks[0]
    assert "quotes 'lungs', the text has 'right'" in note.remarks[1]


def test_a_text_alone_says_nothing_of_spans_until_its_file_comes(tmp_path: Path) -> None:
    assert standoff(tmp_path, "Took aspirin.", None).spans is None
    assert marked(standoff(tmp_path, "Took aspirin.", "T1\tdrug 5 12\taspirin")) == [("aspirin", "drug")]
    with pytest.raises(UnreadableFile, match="line 1 marks no place"):
        standoff(tmp_path, "Took aspirin.", "T1 drug 5 12 aspirin")


@pytest.mark.parametrize("form", ["json_lines", "bio", "brat"])
def test_a_format_gives_the_text_that_an_item_names(form: str, tmp_path: Path) -> None:
    contents = {
        "json_lines": "\n".join(json.dumps({"text": f"note {n}", "entities": []}) for n in "12"),
        "bio": "note O\n1 B-n\n\nnote O\n2 B-n\n",
        "brat": "note 1",
    }
    path = tmp_path / f"a{registry.get('formats', form).suffixes[0]}"
    path.write_text(contents[form], encoding="utf-8")
    text = registry.get("formats", form).read([path], "1")
    assert (text.text, text.language) == ("note 1", "en")
    for item in ("3", "0", None, "x"):
        with pytest.raises(UnreadableFile, match="there is no item"):
            registry.get("formats", form).read([path], item)
