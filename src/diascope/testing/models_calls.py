"""Samples of the pages of releases and of the dashboard, and evidence that nobody trained for."""

from __future__ import annotations

import json
import secrets
from typing import Any
from urllib.parse import quote

from diascope.core.evaluation import Evaluation
from diascope.core.figure import Figure
from diascope.core.finding import Measure
from diascope.testing.calls import Call, sample
from diascope.testing.releases import a_plan
from diascope.testing.web import ORIGIN, Browser, Site
from diascope.testing.work_calls import A_RELEASE, a_result, a_signed

HEADLINE = ("sensitivity", "specificity")
MEASURES = {
    "sensitivity": Measure(value=0.95, low=0.9, high=0.98),
    "specificity": Measure(value=0.88, low=0.84, high=0.91),
    "ece": Measure(value=0.04, low=0.02, high=0.06),
}
CHEST = {
    "name": "label", "kind": "category", "columns": ["label"], "positive": "pneumonia",
    "labels": [{"name": "normal", "value": 0}, {"name": "pneumonia", "value": 1}],
}  # fmt: skip


def an_evaluation(
    metrics: dict[str, Measure] | None = None, figures: tuple[Figure, ...] = (), **more: Any
) -> Evaluation:
    """An evaluation of 200 patients.

    Args:
        metrics: By name.
        figures: Of it.
        **more: Fields of `Evaluation` to set otherwise.
    """
    found = MEASURES if metrics is None else metrics
    plain: dict[str, Any] = {
        "dataset": "films@1", "part": "test", "task": a_plan().task, "release": "films@1", "cases": 210,
        "patients": 200, "headline": [name for name in HEADLINE if name in found], "decision": {},
    }  # fmt: skip
    return Evaluation(**{**plain, "metrics": found, "figures": figures, **more})


def a_measured(site: Site, label: str, evaluation: Evaluation | None = None, **more: Any) -> str:
    """A release with an index and an evaluation, and nothing that can be read with; its label.

    Args:
        site: Where.
        label: `name@version`.
        evaluation: Of `an_evaluation`.
        **more: Fields of its index to set otherwise.
    """
    name, _, version = label.rpartition("@")
    index = {
        **A_RELEASE, "name": name, "version": version, "target": CHEST, "signed_by": "Dr. Test",
        "signed_at": "2026-05-01T08:00:00+00:00", "created": "2026-04-01T08:00:00+00:00", **more,
    }  # fmt: skip
    folder = site.service.workspace.releases / label
    folder.mkdir(parents=True)
    (folder / "release.json").write_text(json.dumps(index), encoding="utf-8")
    (evaluation or an_evaluation()).write(folder / "evaluation.json")
    return label


@sample("GET", "/models")
def _models(site: Site, project: str, who: Browser) -> Call:
    a_measured(site, f"films-{secrets.token_hex(4)}@1")
    return Call(f"{ORIGIN}/models")


@sample("GET", "/models/{release}")
def _model(site: Site, project: str, who: Browser) -> Call:
    return Call(f"{ORIGIN}/models/{quote(a_signed(site))}")


@sample("GET", "/dashboard")
def _dashboard(site: Site, project: str, who: Browser) -> Call:
    release = f"films-{secrets.token_hex(4)}@1"
    a_result(site, project, release=release)
    return Call(f"{ORIGIN}/dashboard", own=release)
