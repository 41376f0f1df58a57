"""Samples of the requests of DICOMweb."""

from __future__ import annotations

import itertools

from diascope.serve.incoming.receiving import Receiving
from diascope.serve.incoming.storing import Origin
from diascope.testing.calls import SAMPLES, Call, Sample
from diascope.testing.objects import an_object, uids
from diascope.testing.serving import STOW_TYPE, stow_body
from diascope.testing.web import Browser, Site

ROOT = "/dicom-web"
_NUMBERS = itertools.count(5000)


def an_instance(site: Site, project: str) -> tuple[str, str, str]:
    """UIDs of a stored object of a project; the same one each time, for it is only read."""
    found = site.kept.get(project)
    if found is None:
        number = next(_NUMBERS)
        draft = site.service.archive.draft()
        with draft:
            draft.write(an_object(number, PatientID=f"P{number}"))
            Receiving(site.service).receive(draft, Origin("user:test", "192.0.2.1", project))
        found = site.kept[project] = uids(number)
    return found


def _addressed(pattern: str) -> Sample:
    def made(site: Site, project: str, who: Browser) -> Call:
        study, series, instance = an_instance(site, project)
        path = pattern.replace("{study}", study).replace("{series}", series).replace("{instance}", instance)
        path = path.replace("{frames}", "1").replace("{frame}", "1").replace("{element:path}", "7FE00010")
        is_search = pattern.endswith(("/studies", "/series", "/instances"))
        return Call(ROOT + path, own=study if is_search else "")

    return made


def _stored(site: Site, project: str, who: Browser) -> Call:
    number = next(_NUMBERS)
    body = stow_body([an_object(number, PatientID=f"P{number}")])
    return Call(f"{ROOT}/studies", query={"project": project}, content=body, kind=STOW_TYPE)


def _stored_in_study(site: Site, project: str, who: Browser) -> Call:
    number = next(_NUMBERS)
    body = stow_body([an_object(number, PatientID=f"P{number}")])
    return Call(f"{ROOT}/studies/{uids(number)[0]}", query={"project": project}, content=body, kind=STOW_TYPE)


STUDY = "/studies/{study}"
SERIES = f"{STUDY}/series/{{series}}"
INSTANCE = f"{SERIES}/instances/{{instance}}"

for path in (
    "/studies", "/series", "/instances", f"{STUDY}/series", f"{STUDY}/instances", f"{SERIES}/instances",
    STUDY, SERIES, INSTANCE, f"{STUDY}/metadata", f"{SERIES}/metadata", f"{INSTANCE}/metadata",
    f"{INSTANCE}/bulkdata/{{element:path}}", f"{INSTANCE}/frames/{{frames}}", f"{INSTANCE}/rendered",
    f"{INSTANCE}/frames/{{frame}}/rendered", f"{STUDY}/thumbnail", f"{SERIES}/thumbnail", f"{INSTANCE}/thumbnail",
    f"{INSTANCE}/frames/{{frame}}/thumbnail",
):  # fmt: skip
    SAMPLES["GET", ROOT + path] = _addressed(path)
SAMPLES["POST", f"{ROOT}/studies"] = _stored
SAMPLES["POST", f"{ROOT}{STUDY}"] = _stored_in_study
