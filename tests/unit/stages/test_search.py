"""search: where the texts come from, what is kept, and what is not."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from diascope import cli
from diascope.core.case import Case, Dataset, FileRef, Target
from diascope.core.errors import DataRefused, UnknownName
from diascope.sources import Request
from diascope.stages.search import search
from diascope.store.workspace import Workspace

REPORT = "Findings are those of a small pleural effusion, number {n}."


def a_folder(root: Path, count: int = 6) -> Path:
    root.mkdir(parents=True)
    lines = ["name,mrn,report,label", *(f"Doe {n},77{n},{REPORT.format(n=n)},{n % 2}" for n in range(count))]
    (root / "reports.csv").write_text("\n".join(lines).replace("effusion, number", "effusion number"))
    return root / "reports.csv"


def test_a_place_is_searched_and_its_index_is_used_again(tmp_path: Path) -> None:
    told: list[Any] = []
    space, request = Workspace(tmp_path / "space"), Request(location=str(a_folder(tmp_path / "data")))
    found = search(space, request, "effusion", 2, told.append)
    assert (found.texts, found.total, len(found.hits)) == (6, 6, 2)
    assert any(one["event"] == "phase" for one in told)
    told.clear()
    assert search(space, request, "effusion", 2, told.append) == found
    assert told == []


def test_other_bytes_make_another_index(tmp_path: Path) -> None:
    table = a_folder(tmp_path / "data")
    space, request = Workspace(tmp_path / "space"), Request(location=str(table))
    assert search(space, request, "effusion").total == 6
    table.write_text(table.read_text().replace("effusion number 3", "pneumothorax number 3"))
    assert search(space, request, "effusion").total == 5


def test_an_index_holds_nobody(tmp_path: Path) -> None:
    space = Workspace(tmp_path / "space")
    search(space, Request(location=str(a_folder(tmp_path / "data"))), "effusion")
    (index,) = (space.cache / "search").iterdir()
    content = index.read_bytes()
    assert b"Doe" not in content
    assert b"770" not in content
    with sqlite3.connect(index) as database:
        assert [row[0] for row in database.execute('SELECT "case" FROM reports')] == [f"row-{n}" for n in range(1, 7)]


def test_a_data_set_is_found_by_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    cases = []
    for number, text in enumerate(("effusion", "mass")):
        (folder / f"{number}.txt").write_text(text)
        ref = FileRef(format="text", paths=(f"{number}.txt",), kind="text")
        cases.append(Case(id=f"c{number}", patient="p", inputs={"report": ref}))
    target = Target(name="label", kind="category", columns=("label",))
    dataset = Dataset(
        name="set", source="x", root=str(folder), task="classification", target=target, cases=tuple(cases)
    )
    space = Workspace(tmp_path / "space")
    dataset.write(space.datasets / "set@abc" / "dataset.json")
    found = search(space, Request(location="set"), "mass")
    assert [(hit.case, hit.input) for hit in found.hits] == [("c1", "report")]
    with pytest.raises(UnknownName):
        search(space, Request(location="another"), "mass")


def test_a_text_that_cannot_be_read_is_named_and_the_others_are_searched(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "good.txt").write_text("A pleural effusion is seen here.")
    (folder / "bad.txt").write_bytes("肺は清明です。心拡大なし。".encode("shift_jis"))
    (folder / "labels.csv").write_text("file,label\ngood,1\nbad,0\n")
    request = Request(location=str(folder), source="text_files")
    found = search(Workspace(tmp_path / "space"), request, "effusion")
    assert (found.texts, found.total) == (1, 1)
    assert "encoding" in found.unreadable["bad"]


def test_data_without_texts_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("age,label\n" + "\n".join(f"{n},{n % 2}" for n in range(30)))
    with pytest.raises(DataRefused, match="holds no texts"):
        search(Workspace(tmp_path / "space"), Request(location=str(tmp_path / "t.csv")), "x")


def test_the_command_prints_and_marks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = str(a_folder(tmp_path / "data"))
    space = ["--workspace", str(tmp_path / "space"), "--quiet"]
    assert cli.run(["search", table, "effusion", "--most", "1", *space]) == 0
    said = capsys.readouterr().out
    assert "small pleural effusion" in said
    assert "6 of 6 reports, the best 1 are shown" in said
    assert cli.run(["search", table, "effusion", *space, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    hit = found["hits"][0]
    assert [hit["snippet"][start:end] for start, end in hit["marks"]] == ["effusion"]
    assert cli.run(["search", table, '"effusion', *space]) == 2
