"""Full-text search: what is found, in two languages, and what is shown of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from diascope.core.errors import BadUsage, Tampered
from diascope.store.text_index import Hit, build, find
from diascope.store.text_query import LONG, indexed, parsed, places, snippet

TEXTS = {
    "a": "Small left pleural effusion. No pneumothorax.",
    "b": "The pleura is thickened; effusions on both sides.",
    "c": "双侧胸腔少量积液，左肺下叶见CT值约35HU结节。",
    "d": "右侧胸腔。积 液样密度未见。",
    "e": "Cardiomegaly. Übersicht: Ödem, naïve T-cell",
    "f": "CARDIOMEGALY with PLEURAL-EFFUSION",
}


def searched(folder: Path, query: str, most: int = 10) -> tuple[int, list[Hit]]:
    path = folder / "index.sqlite"
    if not path.exists():
        assert build(path, ((case, "text", text) for case, text in TEXTS.items())) == len(TEXTS)
    return find(path, parsed(query), most)


@pytest.mark.parametrize(
    ("query", "cases"),
    [
        ("effusion", "af"),
        ("EFFUSION", "af"),
        ("effus*", "abf"),
        ('"pleural effusion"', "af"),
        ("pleural effusion", "af"),
        ('"effusion pleural"', ""),
        ("pleural -pneumothorax", "f"),
        ('effusion -"left pleural"', "f"),
        ("pneumothorax OR cardiomegaly", "aef"),
        ("pneumothorax | cardiomegaly", "aef"),
        ("effusion pneumothorax OR cardiomegaly", "af"),
        ("effusion AND pneumothorax", "a"),
        ("odem ubersicht", "e"),
        ("naive", "e"),
        ("T-cell", "e"),
        ("积液", "c"),
        ("胸腔", "cd"),
        ("胸腔 积液", "c"),
        ("胸腔积液", ""),
        ("液", "cd"),
        ("CT值", "c"),
        ("值约35", "c"),
        ("35HU结节", "c"),
        ("胸腔 -结节", "d"),
        ("ＣＴ值", "c"),
        ("nothing", ""),
        ('"', None),
        ("", None),
        ("-effusion", None),
        ("OR effusion", None),
        ("effusion OR", None),
        ("... !", None),
    ],
)
def test_a_query_finds(query: str, cases: str | None, tmp_path: Path) -> None:
    if cases is None:
        with pytest.raises(BadUsage):
            searched(tmp_path, query)
        return
    total, hits = searched(tmp_path, query)
    assert sorted(hit.case for hit in hits) == sorted(cases)
    assert total == len(cases)


@pytest.mark.parametrize("text", ["双侧胸腔少量积液，左肺下叶见CT值约35HU结节。", "心影增大"])
def test_every_part_of_a_chinese_text_is_found(text: str, tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    build(path, [("x", "text", text), ("y", "text", "无异常")])
    for run in (text[start:end] for start in range(len(text)) for end in range(start + 1, len(text) + 1)):
        if run.isalnum() and not run.isascii() and not any(one.isascii() for one in (run[0], run[-1])):
            assert find(path, parsed(run), 1)[0] >= 1, run


def test_what_was_found_is_marked_in_the_text(tmp_path: Path) -> None:
    for query, marked in (
        ("odem", ["Ödem"]),
        ("effus*", ["effusions"]),
        ('"pleural effusion" left', ["left pleural effusion"]),
        ("积液 结节", ["积液", "结节"]),
        ("t-cell", ["T-cell"]),
    ):
        _, hits = searched(tmp_path, query)
        words = [hit.snippet[start:end] for hit in hits for start, end in hit.marks]
        if query == '"pleural effusion" left':
            assert words[:2] == ["left", "pleural effusion"]
        else:
            assert marked[0] in words


def test_a_word_is_not_marked_inside_another() -> None:
    assert places("massive mass", parsed("mass")) == [(8, 12)]
    assert places("CT片", parsed("CT")) == [(0, 2)]
    assert places("effusion effusion", parsed("effusion -mass")) == [(0, 8), (9, 17)]


def test_a_long_text_is_cut_around_what_was_found() -> None:
    text = "word " * 200 + "effusion here\nand there " + "tail " * 200
    part, marks = snippet(text, places(text, parsed("effusion")))
    assert len(part) <= LONG + 4
    assert part.startswith("… ")
    assert part.endswith(" …")
    assert "\n" not in part
    assert [part[start:end] for start, end in marks] == ["effusion"]


def test_chinese_runs_are_pairs_and_a_last_character() -> None:
    assert indexed("见积液，CT").split() == ["见积", "积液", "液", "CT"]


def test_the_best_come_first_and_no_more_than_asked(tmp_path: Path) -> None:
    path = tmp_path / "i.sqlite"
    build(path, ((f"c{n}", "text", "effusion " * (n % 3 + 1) + "words " * 9) for n in range(30)))
    total, hits = find(path, parsed("effusion"), 4)
    assert total == 30
    assert len(hits) == 4
    assert all(hit.snippet.count("effusion") == 3 for hit in hits)


def test_a_broken_index_says_that_it_can_be_made_again(tmp_path: Path) -> None:
    path = tmp_path / "i.sqlite"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(Tampered, match="cannot use the index"):
        find(path, parsed("x"), 1)


def test_an_index_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    def texts() -> object:
        yield ("a", "text", "one")
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        build(tmp_path / "i.sqlite", texts())  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
