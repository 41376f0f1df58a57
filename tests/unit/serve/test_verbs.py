"""Verbs of the command line as jobs: what may be said, where paths lead (B5), and whose what was made is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
import typer.main
from sqlalchemy import select

from diascope.cli import app
from diascope.core.errors import BadUsage, DiascopeError, UnknownName
from diascope.serve import nouns, verbs
from diascope.serve.database import tables
from diascope.serve.service import Service
from diascope.testing.reading import work_off
from diascope.testing.service import a_service
from diascope.testing.web import OTHER, OWN, Site, a_site

NO_JOBS = {"release", "list", "serve", "worker", "audit"}
"""Signing and lists are answered at once; the rest is the service itself, and what keeps it."""
OURS = {"workspace", "json", "quiet", "devices", "out", "help"}
"""Options that are the service's to choose."""
LEFT = {("adopt", "trust"), ("adopt", "read")}
"""`--trust` lets a file run its code: that is for whoever has the machine."""
HERE = {"train": {"seed"}, "predict": {"seed"}, "radiomics": {"seed"}, "longitudinal": {"seed"}, "search": {"seed"}}
"""Options that say nothing there: there is no randomness, or it is the plan's."""


def commands() -> dict[str, click.Command]:
    found = typer.main.get_command(app)
    return dict(found.commands)  # type: ignore[attr-defined]


def test_every_verb_of_the_command_line_can_be_asked_for_or_is_the_services() -> None:
    known = {name for name, one in commands().items() if not one.hidden}
    of_service = {name for name in known if name not in verbs.VERBS}
    assert known >= verbs.VERBS.keys()
    assert of_service >= NO_JOBS
    assert of_service - NO_JOBS <= {"backup", "restore", "keys", "move", "upgrade", "feedback"}


@pytest.mark.parametrize("name", verbs.VERBS)
def test_the_options_are_those_of_the_command_line(name: str) -> None:
    options = {
        option.lstrip("-")
        for one in commands()[name].params
        if isinstance(one, click.Option) or not hasattr(one, "human_readable_name") or one.param_type_name == "option"
        for option in one.opts
        if option.startswith("--")
    }
    mine = set(verbs.VERBS[name].options)
    assert mine - options == set()
    assert (
        options - mine - OURS - HERE.get(name, set()) - {one for verb, one in LEFT if verb == name} - {"seed"} == set()
    )


def a_source(folder: Path) -> Service:
    data = folder / "data"
    (data / "inside").mkdir(parents=True)
    (data / "inside" / "rows.csv").write_text("a\n")
    (folder / "secret.csv").write_text("secret\n")
    (data / "link.csv").symlink_to(folder / "secret.csv")
    (data / "up").symlink_to(folder)
    (data / "loop").symlink_to(data / "loop")
    sources = {"data": {"folder": data}, "theirs": {"folder": data, "projects": [OTHER]}}
    return a_service(folder / "workspace", sources=sources)


WRITTEN = """
../secret.csv inside/../../secret.csv /etc/passwd //etc/passwd ..\\secret.csv inside\\..\\..\\secret.csv ~/x ~root
link.csv up/secret.csv up loop loop/x . .. ./inside inside/./rows.csv inside//rows.csv inside/ /inside C:\\x c:/x
con: %2e%2e/secret.csv ..%2fsecret.csv inside/rows.csv\x00.png file:///etc/passwd https://example.org/x
no-such-file ..;/secret.csv ．．/secret.csv ‥/secret.csv inside/rows.csv/../../../secret.csv
"""
PATHS = WRITTEN.split()


@pytest.mark.parametrize(
    "path", [*PATHS, "x" * 5000, "a/" * 3000 + "b", "inside/rows.csv\n", "../" * 40 + "etc/passwd"]
)
def test_no_path_leaves_its_source(path: str, tmp_path: Path) -> None:
    """B5: traversal, absolute paths, NUL, percent signs, backslashes, drives, links, loops, long names, addresses."""
    with pytest.raises(BadUsage):
        verbs.place_in(a_source(tmp_path), OWN, "data", path)


def test_a_place_in_a_source_is_found(tmp_path: Path) -> None:
    service = a_source(tmp_path)
    assert verbs.place_in(service, OWN, "data", "inside/rows.csv").read_text() == "a\n"
    assert verbs.place_in(service, OWN, "data", "") == (tmp_path / "data").resolve()
    assert verbs.place_in(service, OTHER, "theirs", "inside").is_dir()
    for source in ("theirs", "nowhere", "../data", str(tmp_path)):
        with pytest.raises(UnknownName):
            verbs.place_in(service, OWN, source, "inside")


@pytest.mark.parametrize(
    "options",
    [
        {"workspace": "/tmp"}, {"out": "/tmp"}, {"devices": 4}, {"json": True}, {"w": "/tmp"},
        {"set": {"weights": "x"}},
        {"set": {"plan.weights": {"file": "x"}}}, {"set": {"model_options": {"file": "/etc/passwd"}}},
        {"set": {"x": ["..\\y"]}}, {"read": ["a,--workspace=/tmp"]},
    ],
)  # fmt: skip
def test_options_that_are_the_services_and_files_are_refused(options: dict[str, Any], tmp_path: Path) -> None:
    """B5: neither another workspace nor a file of the machine can be named."""
    site = a_site(tmp_path)
    (tmp_path / "data").mkdir()
    with pytest.raises(BadUsage):
        _words(site, options)


def _words(site: Site, options: dict[str, Any]) -> list[str]:
    payload = verbs.checked("fit", [{"source": "data"}], options)
    return verbs.command(payload, site.service, OWN)


def test_a_value_is_never_taken_for_an_option(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    (tmp_path / "data").mkdir()
    words = _words(site, {"target": "--workspace=/tmp", "without": ["-w", "x"]})
    assert "--target=--workspace=/tmp" in words
    assert [one for one in words[: words.index("--")] if not one.startswith("--")] == ["fit"]
    assert words[-2:] == ["--", str((tmp_path / "data").resolve())]


@pytest.mark.parametrize("name", ["../secret", "..", "/etc/passwd", "", ".hidden", "a/b", "x\x00", "films@1/../../x"])
def test_names_of_nouns_are_compared_and_never_joined(name: str, tmp_path: Path) -> None:
    """B5: names of releases and plans."""
    site = a_site(tmp_path)
    (tmp_path / "releases" / ".hidden").mkdir()
    with pytest.raises(DiascopeError):
        nouns.path_of(site.service.workspace, "releases", name)


@pytest.mark.slow
def test_what_was_made_belongs_to_the_project_also_when_the_job_failed(tmp_path: Path) -> None:
    """What is there before is the first project's; while a job is making something, it is nobody's."""
    site = a_site(tmp_path)
    service = site.service
    (tmp_path / "data").mkdir()
    (service.workspace.plans / "by-hand.json").write_text("{}")
    payload = verbs.checked("check", [{"source": "data", "path": ""}], {})
    job = service.database.change(lambda at: service.queue.put(at, nouns.JOB, payload, project=OTHER, by="user:li"))
    claimed = service.queue.claim("a worker")
    assert claimed is not None
    assert nouns.listed(service, "plans") == []
    service.queue.give_back(claimed)
    work_off(service)
    service.clock.forward(1000)  # type: ignore[attr-defined]
    work_off(service)
    with service.database.reading() as connection:
        state = connection.execute(select(tables.jobs.c.state).where(tables.jobs.c.id == job)).scalar()
    assert state == "failed"  # the folder is empty
    (mine,) = nouns.listed(service, "plans")
    assert (mine.project, mine.by) == (OWN, nouns.COMMAND_LINE)
    (service.workspace.plans / "made.json").write_text("{}")
    service.database.change(lambda at: nouns.claim(at, service, OTHER, "user:li"))
    assert nouns.read(service, "plans", "made.json").project == OTHER
