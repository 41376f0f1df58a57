"""Samples of the requests about explanations and similar cases."""

from __future__ import annotations

import gzip
import secrets

from diascope.serve.database.explaining_tables import explanations
from diascope.testing.calls import Call, sample
from diascope.testing.web import Browser, Site
from diascope.testing.work_calls import API, a_result


def an_explanation(site: Site, project: str, passed: bool = True) -> str:
    """A map of a new result; its id."""
    made = secrets.token_hex(16)
    values = {
        "id": made, "result_id": a_result(site, project, revision=0), "finding": "nodule", "explainer": "grad_cam_plus",
        "similarity": 0.1 if passed else 0.9, "limit": 0.5, "passed": passed, "shape": [1, 2, 3],
        "voxels": gzip.compress(bytes(range(6))), "at": site.service.clock(),
    }  # fmt: skip
    site.service.database.change(lambda connection: connection.execute(explanations.insert().values(**values)))
    return made


@sample("POST", f"{API}/findings/{{result}}/explanations")
def _explain(site: Site, project: str, who: Browser) -> Call:
    body = {"finding": "nodule", "explainer": "grad_cam_plus"}
    return Call(f"/findings/{a_result(site, project)}/explanations", body)


@sample("GET", f"{API}/findings/{{result}}/explanations")
def _explanations(site: Site, project: str, who: Browser) -> Call:
    return Call(f"/findings/{a_result(site, project)}/explanations")


@sample("GET", f"{API}/explanations/{{explanation}}/voxels")
def _voxels(site: Site, project: str, who: Browser) -> Call:
    return Call(f"/explanations/{an_explanation(site, project)}/voxels")


@sample("GET", f"{API}/findings/{{result}}/similar")
def _similar(site: Site, project: str, who: Browser) -> Call:
    return Call(f"/findings/{a_result(site, project)}/similar")
