"""Samples of the requests about laboratory results and texts beside the pictures, and a release that marks texts."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydicom.dataset import Dataset
from sqlalchemy import insert, select
from torch import Tensor, nn

from diascope.core.case import Case, Label, Target
from diascope.core.evaluation import Gate
from diascope.core.plan import Plan
from diascope.core.spans import Spans
from diascope.engine.batch import Batch
from diascope.engine.building import build_network
from diascope.serve.beside.documents import as_kept
from diascope.serve.database import tables
from diascope.serve.database.beside_tables import documents, observations
from diascope.serve.service import Service
from diascope.tasks.entities import TASK
from diascope.tasks.spans.network import span_loss
from diascope.testing.calls import SAMPLES, Call, a_study, sample
from diascope.testing.objects import a_dataset, as_bytes, uids
from diascope.testing.releases import a_plan, a_release
from diascope.testing.viewing_calls import received
from diascope.testing.web import Browser, Site

STUDY = "/studies/{study}"
MARKER = "notes@1"
"""Label of the release that marks texts."""
TEXT = "Findings: nodule in the left lung, 8 mm.\n印象：左肺结节。"
RESULT: dict[str, Any] = {
    "name": "Creatinine",
    "code": "2160-0",
    "value": 1.4,
    "unit": "mg/dL",
    "low": 0.6,
    "high": 1.2,
}
BASIC_TEXT = "1.2.840.10008.5.1.4.1.1.88.11"
WORDS = {"finding": ("nodule", "effusion", "结节", "积液"), "place": ("left lung", "heart", "左肺", "心脏")}
"""What the release has learnt to mark."""
OTHERS = ("no ", "in the ", "Findings: ", ", 8 mm. ", "，", "见", "。", "未", "\n", " and ", "normal ", "<b>", "印象：")
LENGTH = 64
_NUMBERS = itertools.count(90_000)


def a_marker(service: Service, label: str = MARKER, language: str = "", **changes: Any) -> Path:
    """A signed release of entities in the service's workspace, which marks `WORDS`.

    Args:
        service: Whose.
        label: `name@version`.
        language: That its plan states.
        **changes: Fields of `Release` to set otherwise.
    """
    name, version = label.split("@")
    decision = {"offset": 0.0, "temperature": 1.0, "rule": {"en": "fixed"}}
    decision["point"] = {
        "threshold": 0.5, "rule": {"name": "fixed", "value": 0.5}, "precision": 1.0, "recall": 1.0, "truths": 9,
    }  # fmt: skip
    plain = {"name": name, "version": version, "gate": Gate(rules=()), "signed_by": "Dr. Test", "decision": decision}
    folder = service.workspace.releases / label
    return a_release(folder, _plan(language), teach=lambda one: one.load_state_dict(_taught()), **{**plain, **changes})


def _plan(language: str = "") -> Plan:
    labels = tuple(Label(name=name, value=value) for value, name in enumerate(WORDS, 1))
    target = Target(name="words", kind="spans", columns=("words",), labels=labels)
    letters = sorted(
        {ord(letter) for one in (*OTHERS, *(w for some in WORDS.values() for w in some)) for letter in one}
    )
    reading = {"kind": "text", "length": LENGTH, "whole": True, "alphabet": letters, "language": language}
    options = {"embedding": 16, "pairs": 256, "pair": 8, "width": 32, "kernel": 3, "dilations": [1, 2], "recurrent": 0}
    return a_plan(
        target, patch=(1, 1, LENGTH), image_inputs=[], readings={"note": reading}, encoders={}, model="char_tagger",
        model_options={**options, "dropout": 0.0, "unseen": 0.1}, prepare=[], operating_point={"name": "fixed"},
    )  # fmt: skip


@cache
def _taught() -> Mapping[str, Tensor]:
    """Weights that mark the words in texts of words in any order."""
    kept: dict[str, Tensor] = {}

    def teach(network: nn.Module) -> None:
        draw, plan = np.random.default_rng(0), _plan()
        optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
        for _ in range(120):
            batch = _batch(draw, plan)
            optimiser.zero_grad()
            span_loss(network, batch).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        kept.update({name: one.detach().clone() for name, one in network.state_dict().items()})

    torch.manual_seed(0)
    teach(build_network(_plan()))
    return kept


def _batch(draw: np.random.Generator, plan: Plan) -> Batch:
    codes, targets = [], []
    for _ in range(16):
        text, spans = _made_up(draw)
        row = np.zeros(LENGTH, np.int32)
        row[: len(text)] = [ord(one) for one in text]
        case = Case(id="c", patient="p", inputs={}, targets={"words": Spans.of(len(text), spans)})
        encoded = TASK.encode(case, {}, plan.target)
        targets.append({name: np.pad(one, (0, LENGTH - len(one))) for name, one in encoded.items()})
        codes.append(row)
    target = {name: torch.from_numpy(np.stack([one[name] for one in targets])) for name in targets[0]}
    return Batch({"note": torch.from_numpy(np.stack(codes))}, target, ("c",) * len(codes))


def _made_up(draw: np.random.Generator) -> tuple[str, list[tuple[int, int, str]]]:
    text, spans = "", list[tuple[int, int, str]]()
    while True:
        label = str(draw.choice(["", *WORDS]))
        word = str(draw.choice(WORDS[label] if label else OTHERS))
        if len(text) + len(word) >= LENGTH:
            return text or "no ", spans
        spans += [(len(text), len(text) + len(word), label)] if label else []
        text += word


def an_observation(site: Site, study: str, **values: Any) -> str:
    """A laboratory result of a study; its id."""
    made, now = secrets.token_hex(16), site.service.clock()
    plain = {"said": "", "taken": now, **RESULT, "id": made, "study_id": _row(site, study), "by": "lab", "at": now}
    whole = {**plain, **values}
    site.service.database.change(lambda connection: connection.execute(insert(observations).values(**whole)))
    return made


def a_document(site: Site, study: str, text: str = TEXT, **values: Any) -> str:
    """A text about a study; its id."""
    made, written = secrets.token_hex(16), as_kept(text)
    stored = site.service.archive.put(written.content)
    plain = {"id": made, "study_id": _row(site, study), "kind": "report", "language": written.language, "by": "ris"}
    plain |= {"key": stored.key, "sha256": written.sha256, "at": site.service.clock()}
    whole = {**plain, **values}
    site.service.database.change(lambda connection: connection.execute(insert(documents).values(**whole)))
    return made


def a_report(number: int, text: str = "No nodule.", **elements: Any) -> bytes:
    """A Basic Text SR of the study of patient `number`: a title, a section, a text, a code, a number, a name."""

    def code(meaning: str, value: str = "121070") -> list[Dataset]:
        made = Dataset()
        made.CodeValue, made.CodingSchemeDesignator, made.CodeMeaning = value, "DCM", meaning
        return [made]

    def item(kind: str, name: str, **more: Any) -> Dataset:
        made = Dataset()
        made.RelationshipType, made.ValueType, made.ConceptNameCodeSequence = "CONTAINS", kind, code(name)
        for key, value in more.items():
            setattr(made, key, value)
        return made

    measured = Dataset()
    measured.NumericValue, measured.MeasurementUnitsCodeSequence = "8", code("millimeter", "mm")
    inside = [
        item("TEXT", "Finding", TextValue=text),
        item("CODE", "Conclusion", ConceptCodeSequence=code("Normal")),
        item("NUM", "Diameter", MeasuredValueSequence=[measured]),
        item("PNAME", "Observer", PersonName="Bee^Ada"),
    ]
    plain = {
        "Modality": "SR", "SOPClassUID": BASIC_TEXT, "ValueType": "CONTAINER", "ContinuityOfContent": "SEPARATE",
        "ConceptNameCodeSequence": code("Radiology Report"), "CompletionFlag": "COMPLETE",
        "VerificationFlag": "UNVERIFIED", "ContentSequence": [item("CONTAINER", "Findings", ContentSequence=inside)],
        "SeriesDescription": "report",
    }  # fmt: skip
    dataset = a_dataset(number, 9, 1, **{**plain, **elements})
    for name in ("PixelData", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"):
        if name in dataset:
            delattr(dataset, name)
    return as_bytes(dataset)


def _row(site: Site, study: str) -> int:
    with site.service.database.reading() as connection:
        return int(connection.execute(select(tables.studies.c.id).where(tables.studies.c.uid == study)).scalar_one())


@sample("POST", f"/api/v1{STUDY}/observations")
def _keep(site: Site, project: str, who: Browser) -> Call:
    return Call(f"/studies/{a_study(site, project)}/observations", {"observations": [RESULT]})


@sample("POST", f"/api/v1{STUDY}/observations/fhir")
def _keep_fhir(site: Site, project: str, who: Browser) -> Call:
    body = {"resourceType": "Observation", "status": "final", "code": {"text": "Sodium"}, "valueInteger": 140}
    return Call(f"/studies/{a_study(site, project)}/observations/fhir", body)


@sample("GET", f"/api/v1{STUDY}/observations")
def _list(site: Site, project: str, who: Browser) -> Call:
    study = a_study(site, project)
    an_observation(site, study)
    return Call(f"/studies/{study}/observations")


@sample("POST", f"/api/v1{STUDY}/documents")
def _keep_text(site: Site, project: str, who: Browser) -> Call:
    return Call(f"/studies/{a_study(site, project)}/documents", {"kind": "report", "text": TEXT})


@sample("GET", f"/api/v1{STUDY}/documents")
def _list_texts(site: Site, project: str, who: Browser) -> Call:
    study = a_study(site, project)
    a_document(site, study)
    return Call(f"/studies/{study}/documents")


@sample("GET", f"/api/v1{STUDY}/documents/{{document}}")
def _read_text(site: Site, project: str, who: Browser) -> Call:
    study = a_study(site, project)
    return Call(f"/studies/{study}/documents/{a_document(site, study)}")


@sample("POST", f"/api/v1{STUDY}/documents/{{document}}/marks")
def _mark(site: Site, project: str, who: Browser) -> Call:
    if not (site.service.workspace.releases / MARKER).exists():
        a_marker(site.service)
    study = a_study(site, project)
    return Call(f"/studies/{study}/documents/{a_document(site, study)}/marks", {"release": MARKER})


def _read_report(site: Site, project: str, who: Browser) -> Call:
    key = f"report of {project}"
    if key not in site.kept:
        number = next(_NUMBERS)
        received(site, [a_report(number)], project)
        study, _, instance = uids(number, 9, 1)
        site.kept[key] = (study, "", instance)
    study, _, instance = site.kept[key]
    return Call(f"/studies/{study}/instances/{instance}/text")


SAMPLES["GET", f"/api/v1{STUDY}/instances/{{instance}}/text"] = _read_report
