"""Verbs of the command line that can be asked for as jobs: what stands at their places, and which options they take.

A job names folders of the settings, releases and plans, never a path of this machine. Paths are made of the names when
the job runs, and what is made lies where the service chose. Every value is joined to its option by `=`, so that none
is ever taken for an option.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diascope.core.errors import BadUsage, UnknownName
from diascope.serve import nouns
from diascope.serve.access.refusals import Missing
from diascope.serve.nouns import path_of
from diascope.serve.service import Service
from diascope.serve.settings import WORKSPACE_SOURCES, Settings

COLUMNS = frozenset({"target", "patient", "site", "without", "read", "inputs"})
DATA = COLUMNS | {"source", "accept", "seed"}
BUDGET = frozenset({"minutes", "memory", "folds"})
JOINED = frozenset({"read", "inputs"})
"""Options whose values are written with commas."""
NAMING_FILES = frozenset({"weights"})
"""Fields of a plan that hold a path."""


@dataclass(frozen=True)
class Verb:
    """What may be said to a verb.

    Args:
        places: What stands at its places: `source`, `release`, `plan`, `file` (of a source), `text`.
        options: Names of its options.
        out: What `--out` is: a folder (`answers`), a file (`features.csv`); empty where it has none.
    """

    places: tuple[str, ...]
    options: frozenset[str]
    out: str = ""


VERBS: Mapping[str, Verb] = {
    "check": Verb(("source",), DATA | {"task", "lang"}),
    "plan": Verb(("source",), DATA | BUDGET | {"task", "set", "from"}),
    "fit": Verb(("source",), DATA | BUDGET | {"task", "set", "from", "lang"}),
    "train": Verb(("plan",), frozenset({"resume", "from", "lang"})),
    "pretrain": Verb(
        ("source",), frozenset({"source", "task", "patient", "minutes", "memory", "set", "accept", "seed"})
    ),
    "adopt": Verb(("file", "source"), DATA - {"read"} | {"task", "folds", "set", "lang"}),
    "evaluate": Verb(("release", "source"), DATA | {"lang"}),
    "compare": Verb(("release", "release", "source"), DATA),
    "predict": Verb(("release", "source"), frozenset({"backend", "memory"}), out="answers"),
    "explain": Verb(("release", "source"), frozenset({"explainer", "label", "seed"}), out="maps"),
    "synthesize": Verb(("release",), frozenset({"count", "class", "seed"}), out="images"),
    "radiomics": Verb(
        ("source",), frozenset({"source", "target", "patient", "width", "levels", "spacing"}), out="features.csv"
    ),
    "longitudinal": Verb(
        ("source",), frozenset({"target", "no-target", "patient", "date", "follow-ups", "register"}), out="followed.csv"
    ),
    "search": Verb(("source", "text"), frozenset({"most", "source", "without"})),
    "export": Verb(("release",), frozenset({"to"})),
}
"""Name to what may be said. Signing (`release`) and `list` are no jobs; `serve`, `worker`, `audit` are the service."""


def checked(verb: str, places: Sequence[Mapping[str, str]], options: Mapping[str, Any]) -> dict[str, Any]:
    """The payload of a job, after everything in it was looked at.

    Args:
        verb: Name.
        places: For each place what stands there: `{"source": name, "path": …}`, `{"release": name}`,
            `{"plan": name}`, `{"text": …}`.
        options: Name without dashes to value; what is None, False or empty is left out.

    Raises:
        UnknownName: For another verb or option.
        BadUsage: When the places are not those of the verb, or a setting names a file.
    """
    if verb not in VERBS:
        raise UnknownName("verb", verb, VERBS)
    given = {name: value for name, value in options.items() if value not in (None, False, "", (), [], {})}
    for name in given:
        if name not in VERBS[verb].options:
            raise UnknownName(f"option of {verb}", name, VERBS[verb].options)
    kinds = ["source" if kind == "file" else kind for kind in VERBS[verb].places]
    if [next(iter(one)) for one in places] != kinds:
        raise BadUsage(f"{verb} takes {', '.join(kinds)}", given=", ".join(next(iter(one)) for one in places))
    settings_name_no_files(given.get("set", {}))
    return {"verb": verb, "places": [dict(one) for one in places], "options": given}


def settings_name_no_files(settings: Mapping[str, Any]) -> None:
    """Refuse fields of a plan that would read a file of the asker's choice.

    Raises:
        BadUsage: Names the field.
    """
    for field, value in settings.items():
        name = field.removeprefix("plan.")
        if name in NAMING_FILES or any(mark in text for text in _texts(value) for mark in "/\\\0"):
            raise BadUsage("a setting names no file here", given=name[:100], todo="Start from a release with `from`")


def command(payload: Mapping[str, Any], service: Service, project: str) -> list[str]:
    """The arguments of a job's command line, with the paths that its names stand for.

    Args:
        payload: Of `checked`.
        service: With the folders of data, and the workspace where plans and releases are.
        project: That asks.

    Raises:
        BadUsage: When something that is named is not there, or not for this project.
        Missing: When there is no such upload, release or plan.
    """
    workspace = service.workspace
    verb = VERBS[checked(payload["verb"], payload["places"], payload["options"])["verb"]]
    words = [str(payload["verb"]), f"--workspace={workspace.root}", "--json"]
    words += [word for name, value in payload["options"].items() for word in _option(name, value)]
    if verb.out:
        words.append(f"--out={workspace.root / 'exports' / payload['out'] / verb.out}")
    return [*words, "--", *(_word(one, service, project) for one in payload["places"])]


def place_in(service: Service, project: str, source: str, path: str) -> Path:
    """A place in a folder of data (B5).

    Args:
        service: With the folders of its settings and of its workspace.
        project: That asks.
        source: Name of the folder.
        path: In it, with slashes; empty is the folder. In a source of the workspace the first part is what it is of.

    Raises:
        UnknownName: When there is no such folder for this project.
        Missing: When nothing of that name in the workspace belongs to this project.
        BadUsage: When the path leaves the folder, also through a link, or there is nothing.
    """
    known = sources_of(service.settings, [project])
    if source not in known:
        raise UnknownName("source", source, known, todo="An administrator adds folders to `sources` of the settings")
    parts = path.split("/") if path else []
    bad = any(part in ("", ".", "..") or part.startswith("~") for part in parts)
    if bad or any(ord(letter) < 32 or letter in "\\\x7f" for letter in path) or ":" in path:
        raise BadUsage("this is no path in the source", given=path[:200], todo="Write it as in folder/file.csv")
    if source in WORKSPACE_SOURCES:
        root, parts = _of_project(service, project, source, parts[:1]), parts[1:]
    else:
        root = service.settings.sources[source].folder.resolve()
    try:
        found = root.joinpath(*parts).resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:  # not there, a loop of links, a name that is too long
        raise BadUsage("there is no such file or folder in the source", given=path[:200]) from error
    if not found.is_relative_to(root):
        raise BadUsage("this leads out of the source", given=path[:200])
    return found


def sources_of(settings: Settings, projects: Sequence[str] | None) -> list[str]:
    """Names of the folders of data that some projects may use; None is every project."""
    known = settings.sources.items()
    named = [name for name, one in known if projects is None or not one.projects or set(one.projects) & set(projects)]
    return sorted([*named, *WORKSPACE_SOURCES])


def _of_project(service: Service, project: str, source: str, name: Sequence[str]) -> Path:
    """The folder in the workspace that a path begins with, where it is this project's."""
    if not name:
        raise BadUsage(f"the path says which of the {source} is meant", todo=f"Begin it with a name of GET /{source}")
    if nouns.read(service, WORKSPACE_SOURCES[source], name[0]).project != project:
        raise Missing(source.rstrip("s"), name[0][:100])
    return path_of(service.workspace, WORKSPACE_SOURCES[source], name[0]).resolve()


def _word(place: Mapping[str, str], service: Service, project: str) -> str:
    if "source" in place:
        return str(place_in(service, project, place["source"], place.get("path", "")))
    if "text" in place:
        return place["text"]
    kind = "releases" if "release" in place else "plans"
    return str(path_of(service.workspace, kind, next(iter(place.values()))))


def _option(name: str, value: Any) -> Iterator[str]:
    if value is True:
        yield f"--{name}"
    elif name in JOINED:
        if any("," in one for one in value):
            raise BadUsage("a name with a comma can't be given here", given=", ".join(value)[:200])
        yield f"--{name}={','.join(value)}"
    elif isinstance(value, Mapping):
        yield from (f"--{name}={field}={json.dumps(one)}" for field, one in value.items())
    elif isinstance(value, list | tuple):
        yield from (f"--{name}={one}" for one in value)
    else:
        yield f"--{name}={value}"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield str(key)
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
