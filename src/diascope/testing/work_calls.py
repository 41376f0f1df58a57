"""Samples of the requests about studies, results, readings, and the nouns of the workspace."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any

from sqlalchemy import select, update

from diascope.core.record import canonical_json
from diascope.serve.database import tables
from diascope.serve.identities import Identity
from diascope.testing.calls import SAMPLES, Call, a_job, a_peer, a_study, row, sample
from diascope.testing.releases import a_release
from diascope.testing.web import Browser, Site

API = "/api/v1"
FINDING = {"concept": "nodule", "status": "absent", "measures": {}, "rule": "probability >= 0.5", "reason": ""}


def a_result(site: Site, project: str, **more: Any) -> str:
    """A result about a new study of a project; its id."""
    uid, made, now = a_study(site, project), secrets.token_hex(16), site.service.clock()
    with site.service.database.reading() as connection:
        of = connection.execute(
            select(tables.series.c.id, tables.series.c.study_id)
            .join(tables.studies, tables.studies.c.id == tables.series.c.study_id)
            .where(tables.studies.c.uid == uid)
        ).one()
    values = {"revision": 1, "release": "lung@1", "seal": "", "state": "answered", "findings": {"findings": [FINDING]}}
    values |= {"completed": now, "answered": now, **more}
    row(site, tables.results, id=made, study_id=of.study_id, series_id=of.id, **values)
    return made


def a_reading(site: Site, project: str, reader: str = "") -> str:
    """A reading of a new result; its id."""
    made = secrets.token_hex(16)
    values = {"reader": reader or "nobody", "verdict": "accept", "shown": {}, "at": site.service.clock()}
    row(site, tables.readings, id=made, result_id=a_result(site, project), **values)
    return made


def a_feedback(site: Site, project: str) -> str:
    """A label change; its id."""
    made = secrets.token_hex(16)
    of = {"reading_id": a_reading(site, project), "labels": {"nodule": True}, "author": "nobody"}
    row(site, tables.feedback, id=made, at=site.service.clock(), **of)
    return made


def a_noun(site: Site, kind: str, project: str) -> str:
    """Something in the workspace that belongs to a project; its name."""
    made = f"{kind}-{secrets.token_hex(6)}"
    files: dict[str, dict[str, Any]] = {
        "datasets": {"dataset.json": {"name": made, "cases": []}, "fingerprint.json": {"cases": 0}},
        "runs": {"run.json": {"name": made}, "log.jsonl": {"step": 1}},
        "encoders": {"encoder.json": {"name": made}},
        "exports": {"features.csv": {"a": 1}},
        "feedback": {"feedback.json": {"name": made, "changes": []}},
        "releases": {
            "release.json": {"name": made}, "evaluation.json": {"metrics": {}}, "model-card.md": {"a": "card"},
        },
    }  # fmt: skip
    folder = site.service.workspace.root / kind
    if kind in files:
        made += "@1" if kind in ("datasets", "releases", "encoders") else ""
        for name, content in files[kind].items():
            (folder / made).mkdir(parents=True, exist_ok=True)
            (folder / made / name).write_text(json.dumps(content), encoding="utf-8")
    elif kind == "plans":
        made += ".json"
        (folder / made).write_text(json.dumps(A_PLAN), encoding="utf-8")
    else:
        made += ".html" if kind == "reports" else ".json"
        (folder / made).write_text(canonical_json({"metrics": {}}), encoding="utf-8")
    now = site.service.clock()
    row(site, tables.nouns, kind=kind, name=made, project_id=project, by="user:test", created=now)
    return made


def a_signed(site: Site, signed: bool = True) -> str:
    """A release of which there is an index, and nothing that can be read with."""
    name = a_noun(site, "releases", "default")
    bare = name.removesuffix("@1")
    index = {**A_RELEASE, "name": bare, "signed_by": "Dr. Test" if signed else None}
    folder = site.service.workspace.releases / name
    (folder / "release.json").write_text(json.dumps(index), encoding="utf-8")
    (site.service.workspace.reports / f"{name}.html").write_text("<p>a report</p>", encoding="utf-8")
    return name


TARGET = {"name": "label", "kind": "category", "columns": ["label"], "labels": [{"name": "a", "value": 0}]}
A_PLAN = {
    "schema_version": 1, "dataset": "films@1", "task": "any", "target": TARGET, "seed": 0,
    "choices": {"batch": {"value": 4, "kind": "rule", "reason": "it fits"}},
}  # fmt: skip
A_RELEASE = {
    "schema_version": 1, "name": "films", "version": "1", "task": "any", "target": TARGET, "dataset": "films@1",
    "plan_hash": "0", "backend": "torch", "precision": "fp32", "decision": {}, "gate": {"rules": []}, "members": [],
    "hashes": {}, "seal": "0",
}  # fmt: skip


def _of(method: str, path: str, made: Callable[[Site, str], str], body: Any = None) -> None:
    """The sample of a route with one name in its address."""
    head, _, rest = path.partition("{")
    tail = rest.partition("}")[2]
    SAMPLES[method, f"{API}{path}"] = lambda site, project, who: Call(f"{head}{made(site, project)}{tail}", body)


def _list(path: str, made: Callable[[Site, str], str]) -> None:
    SAMPLES["GET", f"{API}{path}"] = lambda site, project, who: Call(
        path, query={"limit": "1000"}, own=made(site, project)
    )


def _noun(kind: str) -> Callable[[Site, str], str]:
    return lambda site, project: a_noun(site, kind, project)


def _asked(path: str, body: Callable[[Site, str], dict[str, Any]]) -> None:
    """The sample of a route that asks for a verb."""

    def made(site: Site, project: str, who: Browser) -> Call:
        (site.service.workspace.root / "data").mkdir(exist_ok=True)
        (site.service.workspace.root / "data" / "model.json").touch()
        return Call(path, {"project": project, **body(site, project)})

    SAMPLES["POST", f"{API}{path}"] = made


_list("/studies", lambda site, project: a_study(site, project))
_of("GET", "/studies/{study}", lambda site, project: a_study(site, project))
_of("GET", "/studies/{study}/identity", lambda site, project: a_study(site, project))
_of("DELETE", "/studies/{study}", lambda site, project: a_study(site, project))
_list("/findings", a_result)
_of("GET", "/findings/{result}", a_result)
_list("/readings", a_reading)
_of("GET", "/readings/{reading}", a_reading)
_list("/feedback", a_feedback)
for kind in ("datasets", "plans", "runs", "encoders", "evaluations", "reports", "exports"):
    one = kind.removesuffix("s")
    _list(f"/{kind}", _noun(kind))
    _of("GET", f"/{kind}/{{{one}}}", _noun(kind))
    _of("DELETE", f"/{kind}/{{{one}}}", _noun(kind))
_of("GET", "/runs/{run}/log", _noun("runs"))
_of("PATCH", "/plans/{plan}", _noun("plans"), {"settings": {"batch": 8}})
SAMPLES["GET", f"{API}/sources"] = lambda site, project, who: Call("/sources", own=f"data-of-{project}")
SAMPLES["GET", f"{API}/plugins"] = lambda site, project, who: Call("/plugins")
SAMPLES["GET", f"{API}/releases"] = lambda site, project, who: Call("/releases")
for tail in ("", "/card", "/report", "/files"):
    _of("GET", f"/releases/{{release}}{tail}", lambda site, project: a_signed(site))
_of("POST", "/releases/{release}/serve", lambda site, project: a_signed(site))
_of("POST", "/releases/{release}/withdraw", lambda site, project: a_signed(site), {"reason": "another scanner"})

DATA: dict[str, Any] = {"source": "data"}
_asked("/gathered", lambda site, project: {"release": "lung@1"})
_list("/gathered", _noun("feedback"))
_of("GET", "/gathered/{gathered}", _noun("feedback"))
_of("DELETE", "/gathered/{gathered}", _noun("feedback"))
_asked("/datasets/check", lambda site, project: DATA)
_asked("/datasets/radiomics", lambda site, project: DATA)
_asked("/datasets/longitudinal", lambda site, project: DATA)
_asked("/datasets/search", lambda site, project: {**DATA, "query": "effusion"})
_asked("/datasets/synthesize", lambda site, project: {"release": a_signed(site)})
_asked("/plans", lambda site, project: DATA)
_asked("/runs/pretrain", lambda site, project: DATA)
_asked("/releases", lambda site, project: DATA)
_asked("/releases/adopt", lambda site, project: {**DATA, "manifest_source": "data", "manifest": "model.json"})
_asked("/evaluations", lambda site, project: {**DATA, "release": a_signed(site)})
_asked("/evaluations/compare", lambda site, project: {**DATA, "one": a_signed(site), "other": a_signed(site)})
_asked("/predictions/files", lambda site, project: {**DATA, "release": a_signed(site)})
_asked("/predictions/explanations", lambda site, project: {**DATA, "release": a_signed(site)})


@sample("POST", "/api/v1/releases/{release}/export")
def _export_release(site: Site, project: str, who: Browser) -> Call:
    return Call(f"/releases/{a_signed(site)}/export", {"to": "onnx"})


@sample("POST", "/api/v1/releases/{release}/sign")
def _sign_release(site: Site, project: str, who: Browser) -> Call:
    name = f"films-{secrets.token_hex(4)}"
    a_release(site.service.workspace.releases / f"{name}@1", name=name)
    return Call(f"/releases/{name}@1/sign", {})


@sample("POST", "/api/v1/runs")
def _train(site: Site, project: str, who: Browser) -> Call:
    return Call("/runs", {"plan": a_noun(site, "plans", project)})


@sample("POST", "/api/v1/studies/search")
def _search(site: Site, project: str, who: Browser) -> Call:
    name = f"Zhang^{secrets.token_hex(6)}"
    person = Identity(name=name, number=secrets.token_hex(4))
    study = a_study(site, project, site.service.identities.pseudonym(person))
    site.service.identities.keep(study, person)
    return Call("/studies/search", {"name": name}, own=study)


@sample("POST", "/api/v1/studies/{study}/move")
def _move(site: Site, project: str, who: Browser) -> Call:
    return Call(f"/studies/{a_study(site, project)}/move", {"project": project})


@sample("POST", "/api/v1/studies/{study}/send")
def _send_study(site: Site, project: str, who: Browser) -> Call:
    return Call(f"/studies/{a_study(site, project)}/send", {"peer": a_peer(site, project)})


@sample("POST", "/api/v1/studies/export")
def _export_studies(site: Site, project: str, who: Browser) -> Call:
    return Call("/studies/export", {"studies": [a_study(site, project)]})


@sample("GET", "/api/v1/studies/exports/{job}")
def _read_exported(site: Site, project: str, who: Browser) -> Call:
    made = a_job(site, project, "done", kind="export", result={"studies": 1})
    folder = site.service.root / "exports"
    folder.mkdir(exist_ok=True)
    (folder / f"{made}.zip").write_bytes(b"PK")
    return Call(f"/studies/exports/{made}")


@sample("POST", "/api/v1/findings/{result}/send")
def _send_again(site: Site, project: str, who: Browser) -> Call:
    peer = a_peer(site, project)
    return Call(f"/findings/{a_result(site, project)}/send", {"peer": peer, "kinds": ["oru"]})


@sample("POST", "/api/v1/readings")
def _write_reading(site: Site, project: str, who: Browser) -> Call:
    return Call("/readings", {"result": a_result(site, project), "verdict": "accept", "shown": {"answer": "first"}})


@sample("POST", "/api/v1/feedback")
def _write_feedback(site: Site, project: str, who: Browser) -> Call:
    return Call("/feedback", {"reading": a_reading(site, project), "labels": {"nodule": True}})


@sample("POST", "/api/v1/predictions")
def _predict(site: Site, project: str, who: Browser) -> Call:
    study, now = a_study(site, project), site.service.clock()
    mine = tables.series.c.uid == f"{study}.1"
    done = update(tables.series).where(mine).values(completed=now, revision=1, due=None)
    site.service.database.change(lambda connection: connection.execute(done))
    return Call("/predictions", {"release": a_signed(site), "study": study})
