"""Data sets from outside (B3, B5): what is taken, what never is, and that nothing half-written is seen."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from diascope.core.errors import BadUsage, DataRefused, DiascopeError
from diascope.serve import nouns, verbs
from diascope.serve.access.refusals import Missing
from diascope.serve.incoming import unpacking, uploading
from diascope.serve.incoming.unpacking import Bounds, unpack
from diascope.serve.settings import read_settings
from diascope.testing.training_calls import OCTETS, a_zip, an_upload
from diascope.testing.web import OTHER, OWN, Browser, Site, a_site

ROOM = Bounds(bytes=10_000_000, keep_free=0)


def unpacked(folder: Path, content: bytes, bounds: Bounds = ROOM) -> list[str]:
    """What is there afterwards."""
    (folder / "x.zip").write_bytes(content)
    (folder / "out").mkdir()
    unpack(folder / "x.zip", folder / "out", bounds)
    return sorted(one.relative_to(folder / "out").as_posix() for one in (folder / "out").rglob("*") if one.is_file())


def sent(who: Browser, content: bytes, name: str = "films.zip", **more: str) -> tuple[int, dict[str, Any]]:
    headers = {"Content-Type": OCTETS, **more}
    answer = who.post("/uploads", params={"name": name, "project": OWN}, content=content, headers=headers)
    return answer.status_code, answer.json()


def left(site: Site) -> list[str]:
    folder = site.service.workspace.root / "uploads"
    return sorted(one.name for one in folder.iterdir()) if folder.is_dir() else []


def test_an_archive_is_unpacked_and_can_be_asked_for(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    who = site.someone("researcher")
    packed = a_zip({"films/a/1.png": b"1", "films/b/2.png": b"2", "films/index.csv": b"", "__MACOSX/x": b""})
    status, made = sent(who, packed)
    assert status == 201
    assert made["path"] == made["name"]
    root = verbs.place_in(site.service, OWN, "uploads", made["path"])
    assert {one.relative_to(root).as_posix() for one in root.rglob("*.png")} == {"a/1.png", "b/2.png"}
    assert [one["name"] for one in who.get("/uploads").json()["items"]] == [made["name"]]
    checked = who.post("/datasets/check", json={"source": "uploads", "path": f"{made['name']}/a", "project": OWN})
    assert checked.status_code == 202
    assert who.send("DELETE", f"/uploads/{made['name']}").status_code == 204
    assert left(site) == []


def test_a_table_is_kept_as_it_is(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    status, made = sent(site.someone("steward"), b"a,b\n1,2\n", "../Fälle 3.csv")
    assert status == 201
    assert made["path"] == f"{made['name']}/Fälle-3.csv"
    assert verbs.place_in(site.service, OWN, "uploads", made["path"]).read_bytes() == b"a,b\n1,2\n"


def test_an_upload_is_of_its_project(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    theirs = an_upload(site, OTHER)
    with pytest.raises(Missing):
        verbs.place_in(site.service, OWN, "uploads", theirs)
    with pytest.raises(BadUsage, match="which of the uploads"):
        verbs.place_in(site.service, OWN, "uploads", "")
    assert verbs.place_in(site.service, OTHER, "uploads", f"{theirs}/a").is_dir()
    for path in (f"{theirs}/../{theirs}", "..", ".", f".{theirs}", f"{theirs}/a/../../../keys.json"):
        with pytest.raises(DiascopeError):
            verbs.place_in(site.service, OTHER, "uploads", path)


def test_a_link_in_an_upload_leads_nowhere(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    mine = an_upload(site, OWN)
    (tmp_path / "uploads" / mine / "up").symlink_to(tmp_path)
    with pytest.raises(BadUsage, match="out of the source"):
        verbs.place_in(site.service, OWN, "uploads", f"{mine}/up/keys.json")


ODD = ["../x", "a/../../x", "/etc/x", "a//x", "./x", "a/./x", "..\\x", "C:/x", "a\nb", "~root/x"]


@pytest.mark.parametrize("name", [*ODD, "a/" * 40 + "x", "x" * 300])
def test_no_name_leads_elsewhere(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match="a name that can't be kept"):
        unpacked(tmp_path, a_zip({"good.png": b"", name: b"x"}))
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices_are_refused(kind: int, tmp_path: Path) -> None:
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        entry = zipfile.ZipInfo("a")
        entry.external_attr = (kind | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(DataRefused, match="links or devices"):
        unpacked(tmp_path, content.getvalue())
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("names", [("a", "a"), ("a", "a/b"), ("a/b", "a")])
def test_the_same_name_twice_is_refused(names: tuple[str, str], tmp_path: Path) -> None:
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, "1")
    with pytest.raises(DataRefused, match="same name"):
        unpacked(tmp_path, content.getvalue())


def test_bombs_are_refused_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = a_zip({f"{one}": bytes(1_000_000) for one in range(8)})
    with pytest.raises(DataRefused, match="too large when it is unpacked"):
        unpacked(tmp_path, bomb, Bounds(bytes=7_000_000, keep_free=0))
    monkeypatch.setattr(unpacking, "RATIO_FROM", 1_000_000)
    (tmp_path / "ratio").mkdir()
    with pytest.raises(DataRefused, match="many times its size"):
        unpacked(tmp_path / "ratio", bomb)
    assert list((tmp_path / "out").iterdir()) == list((tmp_path / "ratio" / "out").iterdir()) == []


def test_an_archive_that_lies_about_its_sizes_is_refused(tmp_path: Path) -> None:
    """What it gives beyond what it said is not written."""
    good = a_zip({"a": bytes(5_000_000)})
    at = good.rfind(b"PK\x01\x02")
    lying = good[: at + 24] + struct.pack("<I", 10) + good[at + 28 :]
    with pytest.raises(DataRefused, match="no sound zip"):
        unpacked(tmp_path, lying)
    assert all(one.stat().st_size <= 10 for one in (tmp_path / "out").iterdir())


def test_too_many_entries_are_refused_before_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "MOST_ENTRIES", 5)
    with pytest.raises(DataRefused, match="too many files"):
        unpacked(tmp_path, a_zip({str(one): b"" for one in range(6)}))
    assert len(unpacked_again(tmp_path)) == 5


def unpacked_again(folder: Path) -> list[str]:
    (folder / "again").mkdir()
    return unpacked(folder / "again", a_zip({str(one): b"" for one in range(5)}))


def test_names_of_chinese_windows_are_read(tmp_path: Path) -> None:
    """Tables name the files: `良性/1.png` is to be found under that name."""
    content = a_zip({"AAAA/1.png": b"", "b/2.png": b""}).replace(b"AAAA", "良性".encode("gb18030"))
    assert unpacked(tmp_path, content) == ["b/2.png", "良性/1.png"]


def test_an_archive_in_an_archive_stays_a_file(tmp_path: Path) -> None:
    assert unpacked(tmp_path, a_zip({"in.zip": a_zip({"../x": b""}), "a.csv": b""})) == ["a.csv", "in.zip"]


@pytest.mark.parametrize(
    ("content", "name", "status"),
    [
        (b"no zip", "x.zip", 422),
        (b"", "x.zip", 422),
        (b"", "x.csv", 422),
        (b"x", "x.exe", 422),
        (a_zip({}), "x.zip", 422),
        (a_zip({"a.txt": b"x" * 1000})[:-30], "x.zip", 422),
        (a_zip({"../a": b"x"}), "x.zip", 422),
        (b"x" * 2_000_001, "x.csv", 413),
    ],
    ids=("no zip", "empty zip", "empty table", "program", "nothing in it", "cut off", "leads out", "too large"),
)
def test_what_is_refused_leaves_nothing(content: bytes, name: str, status: int, tmp_path: Path) -> None:
    site = a_site(tmp_path, largest_upload_mb=2)
    found, said = sent(site.someone("researcher"), content, name)
    assert (found, left(site)) == (status, [])
    assert said["error"]["wrong"]


def test_the_same_key_makes_one(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    who = site.someone("researcher")
    key = {"Idempotency-Key": "1"}
    first, again = (sent(who, b"a\n1\n", "rows.csv", **key) for _ in range(2))
    assert first == again
    assert len(left(site)) == 1
    assert sent(who, b"a\n1\n", "other.csv", **key)[0] == 409


def test_a_crash_leaves_nothing_for_long(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    whole = an_upload(site, OWN)
    half = tmp_path / "uploads" / ".films-1"
    (half / "a").mkdir(parents=True)
    (tmp_path / "uploads" / ".films-1.arriving").touch()
    assert nouns.names(site.service.workspace, "uploads") == [whole]
    assert uploading.sweep(site.service, 60) == 0, "it may still be written"
    for one in (half, tmp_path / "uploads" / ".films-1.arriving"):
        os.utime(one, (0, 0))
    assert uploading.sweep(site.service, 60) == 2
    assert left(site) == [whole]


def test_no_setting_takes_the_place_of_uploads(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('[sources.uploads]\nfolder = "/tmp"\n')
    with pytest.raises(BadUsage, match="every workspace has a source of this name"):
        read_settings(tmp_path, {})
