"""Text files: each encoding that can be told, and those that cannot."""

from pathlib import Path

import pytest

from diascope.core.case import FileRef
from diascope.core.errors import UnreadableFile
from diascope.formats import read_input
from diascope.formats.tables.encoding import decoded

CHINESE = "双肺纹理清晰，未见明显实变影。心影大小正常，两侧肋膈角锐利。"
GERMAN = "Über der Lunge kein Befund. Ödeme beider Füße, 37,5 °C."


def a_text(folder: Path, raw: bytes) -> object:
    (folder / "a.txt").write_bytes(raw)
    return read_input(FileRef(format="text", paths=("a.txt",), kind="text"), folder)


@pytest.mark.parametrize(
    ("words", "codec", "language"),
    [
        ("No effusion.", "utf-8", "en"),
        (CHINESE, "utf-8", "zh"),
        (CHINESE, "utf-8-sig", "zh"),
        (CHINESE, "utf-16", "zh"),
        (CHINESE, "gb18030", "zh"),
        (CHINESE + " CT 2019-03-04", "gbk", "zh"),
        (GERMAN, "utf-8", "en"),
        (GERMAN, "latin-1", "en"),
    ],
)
def test_every_encoding_gives_the_same_text(words: str, codec: str, language: str, tmp_path: Path) -> None:
    text = a_text(tmp_path, words.encode(codec))
    assert (text.text, text.language) == (words, language)


@pytest.mark.parametrize(
    ("words", "codec"),
    [
        ("肺部正常，心臟不大，無胸腔積液。雙側肋膈角銳利。", "big5"),
        ("Пациент жалуется на боль в груди", "cp1251"),
        ("肺は清明です。心拡大なし。", "shift_jis"),
        ("폐에 이상 없음. 심장 크기 정상", "euc_kr"),
        (CHINESE, "utf-16-le"),
    ],
)
def test_an_encoding_that_cannot_be_told_is_no_guess(words: str, codec: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"encoding|control characters") as caught:
        a_text(tmp_path, words.encode(codec))
    assert "UTF-8" in caught.value.todo


def test_utf8_that_was_cut_names_the_place() -> None:
    raw = CHINESE.encode()
    with pytest.raises(UnreadableFile, match=f"broken UTF-8 at byte {len(raw) - 3}"):
        decoded(Path("a.txt"), raw[:-1])


@pytest.mark.parametrize("raw", [b"", b" \n\t\n"])
def test_an_empty_file_is_no_text(raw: bytes, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="empty"):
        a_text(tmp_path, raw)


def test_line_ends_are_all_alike(tmp_path: Path) -> None:
    assert a_text(tmp_path, b"one\r\ntwo\rthree\n").text == "one\ntwo\nthree"
