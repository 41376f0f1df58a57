"""Archives that must not be trusted."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from diascope.core.errors import Tampered
from diascope.engine.progress import silent
from diascope.sources.publicsets.unpack import unpack


def a_tar(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def a_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(("name", "pack"), [("x.tar", a_tar), ("x.zip", a_zip)])
def test_the_wanted_folder_appears_and_nothing_else(name, pack, tmp_path: Path) -> None:
    members = {"Task/a/b.txt": b"b", "Task/a/._b.txt": b"mac", "._Task": b"mac", "other/c": b"c"}
    (tmp_path / "here").mkdir()
    unpack(pack(tmp_path / name, members), tmp_path / "here", "Task", silent)
    found = [str(path.relative_to(tmp_path / "here")) for path in (tmp_path / "here").rglob("*") if path.is_file()]
    assert found == ["Task/a/b.txt"]


@pytest.mark.parametrize(("name", "pack"), [("x.tar", a_tar), ("x.zip", a_zip)])
@pytest.mark.parametrize("evil", ["../evil", "Task/../../evil", "Task/../../../evil"])
def test_a_member_that_leads_outside_is_refused(name, pack, evil: str, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "here"
    folder.mkdir(parents=True)
    with pytest.raises(Tampered, match="outside"):
        unpack(pack(tmp_path / name, {"Task/a": b"a", evil: b"evil"}), folder, "Task", silent)
    assert not list(tmp_path.rglob("evil"))
    assert list(folder.iterdir()) == []


def test_a_link_that_leads_outside_is_refused(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        link = tarfile.TarInfo("Task/link")
        link.type, link.linkname = tarfile.SYMTYPE, "../../../secret"
        archive.addfile(link)
    with pytest.raises(Tampered, match="outside"):
        unpack(tmp_path / "x.tar", tmp_path / "here", "Task", silent)


@pytest.mark.parametrize("name", ["x.tar.gz", "x.zip"])
def test_a_bomb_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    members = {"Task/a": bytes(3_000_000), "Task/b": bytes(3_000_000)}
    path = tmp_path / name
    archive = a_tar(path, members, "w:gz") if name.endswith("gz") else a_zip(path, members)
    with pytest.raises(Tampered, match="20 times"):
        unpack(archive, tmp_path / "here", "Task", silent)
    assert list((tmp_path / "here").iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 half a zip"])
def test_what_is_no_archive_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(content)
    with pytest.raises(Tampered, match=r"cannot unpack|holds no folder"):
        unpack(tmp_path / "x.tar", tmp_path, "Task", silent)


def test_an_archive_without_the_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Tampered, match="no folder Task"):
        unpack(a_tar(tmp_path / "x.tar", {"Other/a": b"a"}), tmp_path, "Task", silent)
