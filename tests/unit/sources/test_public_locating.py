"""Public sets by name: from the name to a place that a source can read."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diascope import cli
from diascope.core import registry
from diascope.core.errors import BadUsage, DiascopeError, Tampered, UnknownName
from diascope.sources import SourceOptions, recognise
from diascope.sources.publicsets import download, locating
from diascope.sources.publicsets.catalogue import PublicSet, catalogue
from diascope.sources.publicsets.locating import cache_folder, fetch, located

NOWHERE = "http://127.0.0.1:9"
"""The port for throwing things away: nobody answers there."""


class Quiet(SimpleHTTPRequestHandler):
    asked: list[str]

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Address of a server of a folder, and what it was asked; it understands no ranges."""
    handler = type("Asked", (Quiet,), {"asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", handler.asked
        server.shutdown()


@pytest.fixture(autouse=True)
def _nothing_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIASCOPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DIASCOPE_MIRROR", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(download, "WAITS", ())
    monkeypatch.chdir(tmp_path)


def an_npz(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    arrays: dict[str, Any] = {}
    for part in ("train", "val", "test"):
        arrays[f"{part}_images"] = np.random.default_rng(len(part)).integers(0, 255, (20, 8, 8), np.uint8)
        arrays[f"{part}_labels"] = np.arange(20)[:, None] % 2
    np.savez(folder / "tinymnist.npz", **arrays)
    return folder / "tinymnist.npz"


def a_task(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    content = {"modality": {"0": "CT"}, "labels": {"0": "background", "1": "a"}, "training": []}
    content["training"] = [{"image": "./imagesTr/a.nii.gz", "label": "./labelsTr/a.nii.gz"}]
    with tarfile.open(folder / "Task99_Tiny.tar", "w") as archive:
        for name, text in {
            "dataset.json": json.dumps(content),
            "imagesTr/a.nii.gz": "",
            "labelsTr/a.nii.gz": "",
        }.items():
            member = tarfile.TarInfo(f"Task99_Tiny/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return folder / "Task99_Tiny.tar"


def an_entry(file: Path, base: str = NOWHERE, **changes: Any) -> PublicSet:
    archive = file.suffix == ".tar"
    facts: dict[str, Any] = {
        "name": "msd/tiny" if archive else "medmnist/tinymnist",
        "url": f"{base}/{file.name}?download=1",
        "md5": hashlib.md5(file.read_bytes()).hexdigest(),
        "md5_stated": "this test",
        "folder": "Task99_Tiny" if archive else None,
        "layout": "decathlon" if archive else "medmnist",
        "licence": "CC0-1.0",
        "licence_stated": "this test",
        "citation": "nobody",
    }
    return PublicSet(**{**facts, **changes})


def test_the_catalogue_is_sound() -> None:
    sets = catalogue()
    assert len([name for name in sets if name.startswith("medmnist/")]) == 18
    assert len([name for name in sets if name.startswith("msd/")]) == 10
    assert len({one.md5 for one in sets.values()}) == len({one.url for one in sets.values()}) == 28
    assert all(re.fullmatch("[0-9a-f]{32}", one.md5) for one in sets.values())
    assert {one.layout for one in sets.values()} <= set(registry.names("sources"))
    assert all(one.url.startswith("https://") and one.file.endswith((".npz", ".tar")) for one in sets.values())
    assert sets["medmnist/dermamnist"].licence == "CC-BY-NC-4.0"
    assert sets["msd/liver"].folder == "Task03_Liver"


@pytest.mark.parametrize(("make", "layout"), [(an_npz, "medmnist"), (a_task, "decathlon")])
def test_a_set_is_fetched_once_and_read_by_the_source_of_its_layout(make, layout: str, tmp_path: Path) -> None:
    file = make(tmp_path / "served")
    with serving(file.parent) as (base, asked):
        entry = an_entry(file, base)
        found = fetch(entry)
        assert fetch(entry) == found
    assert asked == [f"/{file.name}?download=1"]
    assert recognise(str(found)) == layout
    folder = cache_folder() / entry.name
    assert PublicSet.read(folder / "set.json") == entry
    assert sorted(path.name for path in folder.iterdir()) == sorted({".lock", "set.json", found.name})


def test_the_licence_is_shown_and_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = an_npz(tmp_path / "served")
    entry = an_entry(file, labels=("good", "bad"))
    monkeypatch.setattr(locating, "catalogue", lambda: {entry.name: entry})
    monkeypatch.setenv("DIASCOPE_MIRROR", str(file.parent))
    told: list[Mapping[str, Any]] = []
    place = located(entry.name, told.append)
    assert "licence CC0-1.0" in told[0]["message"]
    assert place.notes == (
        "medmnist/tinymnist: licence CC0-1.0 (stated at this test)",
        "medmnist/tinymnist: cite nobody",
        "medmnist/tinymnist: its labels are 0 good, 1 bad",
    )


def test_the_classes_of_a_set_are_named(tmp_path: Path) -> None:
    file = an_npz(tmp_path / "served")
    unnamed = an_entry(file)
    (cache_folder() / unnamed.name).mkdir(parents=True)
    (cache_folder() / unnamed.name / file.name).write_bytes(file.read_bytes())
    fetch(unnamed)
    found = fetch(an_entry(file, labels=("good", "bad")))  # fetched before its labels were known
    (target,) = registry.get("sources", "medmnist").list(str(found), SourceOptions()).targets
    assert [label.name for label in target.labels] == ["good", "bad"]


def test_check_takes_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = an_npz(tmp_path / "served")
    entry = an_entry(file)
    monkeypatch.setattr(locating, "catalogue", lambda: {entry.name: entry})
    monkeypatch.setenv("DIASCOPE_MIRROR", str(file.parent))
    code = cli.run(["check", entry.name, "--json", "--workspace", str(tmp_path / "workspace")])
    content = json.loads(capsys.readouterr().out)
    assert code in (0, 3)
    assert (content["source"], content["cases"]) == ("medmnist", 60)
    assert content["notes"][0] == "medmnist/tinymnist: licence CC0-1.0 (stated at this test)"


def test_an_existing_path_wins_over_a_name(tmp_path: Path) -> None:
    (tmp_path / "msd" / "liver").mkdir(parents=True)
    assert located("msd/liver").location == "msd/liver"


@pytest.mark.parametrize("location", ["phantom:7", "films", "a/b/c", "/nowhere/at/all"])
def test_other_locations_are_left_as_they_are(location: str) -> None:
    assert located(location) == locating.Place(location)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("medmnist/brestmnist", "breastmnist"), ("msd/hippocampu", "hippocampus"), ("medmnits/octmnist", "octmnist")],
)
def test_an_unknown_name_is_told_the_closest(name: str, meant: str) -> None:
    with pytest.raises(UnknownName, match=rf"Did you mean '\w+/{meant}'"):
        located(name)


@pytest.mark.parametrize("place", ["tinymnist.npz", "medmnist/tinymnist/tinymnist.npz"])
@pytest.mark.parametrize("by_http", [False, True])
def test_a_mirror_serves_by_file_or_by_name(
    place: str, by_http: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, mirror = an_npz(tmp_path / "served"), tmp_path / "mirror"
    (mirror / place).parent.mkdir(parents=True)
    (mirror / place).write_bytes(file.read_bytes())
    with serving(mirror) as (base, _):
        monkeypatch.setenv("DIASCOPE_MIRROR", base if by_http else str(mirror))
        assert fetch(an_entry(file)).read_bytes() == file.read_bytes()
    assert (mirror / place).is_file()


def test_an_archive_in_a_mirror_stays_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = a_task(tmp_path / "mirror")
    monkeypatch.setenv("DIASCOPE_MIRROR", str(file.parent))
    assert (fetch(an_entry(file)) / "dataset.json").is_file()
    assert file.is_file()


def test_a_mirror_without_the_file_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = an_entry(an_npz(tmp_path / "served"))
    monkeypatch.setenv("DIASCOPE_MIRROR", str(tmp_path))
    with pytest.raises(DiascopeError, match=rf"no tinymnist.npz.*{re.escape(entry.url)} \(MD5 {entry.md5}\)"):
        fetch(entry)
    monkeypatch.setenv("DIASCOPE_MIRROR", str(tmp_path / "nothing"))
    with pytest.raises(BadUsage, match="DIASCOPE_MIRROR"):
        fetch(entry)


def test_without_a_network_it_says_which_file_to_put_where_and_takes_it_from_there(tmp_path: Path) -> None:
    file = an_npz(tmp_path / "served")
    entry = an_entry(file)
    place = cache_folder() / entry.name / entry.file
    with pytest.raises(DiascopeError, match=f"cannot fetch medmnist/tinymnist.*{re.escape(str(place))}"):
        fetch(entry)
    place.write_bytes(file.read_bytes())
    assert fetch(entry) == place


def test_the_part_of_a_killed_process_is_used(tmp_path: Path) -> None:
    file = an_npz(tmp_path / "served")
    with serving(file.parent) as (base, _):
        entry = an_entry(file, base)
        part = cache_folder() / entry.name / f"{entry.file}.part"
        part.parent.mkdir(parents=True)
        part.write_bytes(file.read_bytes()[:50])
        assert fetch(entry).read_bytes() == file.read_bytes()
    assert not part.exists()


@pytest.mark.parametrize("make", [an_npz, a_task])
def test_other_bytes_are_refused_and_set_aside(make, tmp_path: Path) -> None:
    file = make(tmp_path / "served")
    with serving(file.parent) as (base, _):
        entry = an_entry(file, base, md5="0" * 32)
        with pytest.raises(Tampered, match=r"not the published file.*set aside as .*\.wrong"):
            fetch(entry)
    folder = cache_folder() / entry.name
    assert sorted(path.name for path in folder.iterdir()) == [".lock", f"{file.name}.wrong"]


def test_other_bytes_in_a_mirror_are_refused_and_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = an_npz(tmp_path / "mirror")
    monkeypatch.setenv("DIASCOPE_MIRROR", str(file.parent))
    with pytest.raises(Tampered, match="not the published file"):
        fetch(an_entry(file, md5="0" * 32))
    assert file.is_file()


def test_two_that_want_a_set_at_once_fetch_it_once(tmp_path: Path) -> None:
    file = a_task(tmp_path / "served")
    found: list[Path] = []
    with serving(file.parent) as (base, asked):
        entry = an_entry(file, base)
        threads = [threading.Thread(target=lambda: found.append(fetch(entry))) for _ in range(4)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    assert len(asked) == 1


def test_a_set_that_was_published_anew_is_fetched_anew(tmp_path: Path) -> None:
    file = a_task(tmp_path / "served")
    with serving(file.parent) as (base, asked):
        fetch(an_entry(file, base))
        file.write_bytes(file.read_bytes() + bytes(512))
        fetch(an_entry(file, base))
    assert len(asked) == 2


def test_the_cache_lies_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_folder() == tmp_path / "cache" / "sets"
    monkeypatch.delenv("DIASCOPE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "diascope" / "sets"


def test_list_sets_shows_name_size_and_licence(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["list", "sets"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 28
    assert re.search(r"^medmnist/breastmnist +0\.6 MB +CC-BY-4\.0$", "\n".join(lines), re.M)
    assert cli.run(["list", "sets", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["name"] == "medmnist/adrenalmnist3d"
