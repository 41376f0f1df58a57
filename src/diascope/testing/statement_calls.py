"""Samples of the requests about statements, and releases that read a text or laboratory results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from diascope.core import registry
from diascope.core.case import Label, Target
from diascope.core.evaluation import Gate
from diascope.core.plan import Plan
from diascope.engine.building import input_specs
from diascope.serve.service import Service
from diascope.testing.beside_calls import an_observation
from diascope.testing.calls import Call, a_study, sample
from diascope.testing.releases import a_plan, a_release
from diascope.testing.web import Browser, Site

TEXTS, ROWS = "referrals@1", "kidneys@1"
"""Labels of a release that reads texts, and of one that reads laboratory results."""
NORMAL = ("no change", "clear lungs", "normal heart", "the patient feels well", "heart and lungs clear")
ILL = ("effusion on the left", "small effusion", "an effusion near the heart", "large effusion now", "effusion again")
SICK = Target(
    name="effusion",
    kind="category",
    columns=("effusion",),
    labels=(Label(name="without", value=0), Label(name="with effusion", value=1)),
)
COLUMNS = ("Creatinine", "Sodium", "Potassium", "Albumin", "Haemoglobin")
UNITS = {"Creatinine": "mg/dL", "Sodium": "mmol/L", "Potassium": "mmol/L", "Albumin": "g/L", "Haemoglobin": "g/L"}
MIDDLES = (1.0, 140.0, 4.2, 42.0, 140.0)
FAILING = Target(
    name="failure",
    kind="category",
    columns=("failure",),
    labels=(Label(name="working", value=0), Label(name="kidney failure", value=1)),
)
DECISION = {"temperature": 1.0, "point": {"threshold": 0.5}, "rule": {"en": "probability >= 0.5"}}
LENGTH = 256


def a_text_release(service: Service, label: str = TEXTS, language: str = "en", **changes: Any) -> Path:
    """A signed release that says whether a text tells of an effusion."""
    texts = [f"{one}." for one in (*NORMAL, *ILL)] * 4
    codes = np.zeros((len(texts), LENGTH), np.int32)
    for row, text in zip(codes, texts, strict=True):
        row[: len(text)] = [ord(one) for one in text]
    truth = np.array([int("effusion" in one) for one in texts])
    letters = sorted({*range(32, 127), *map(ord, "印象：左侧胸腔积液。无未见")})
    reading = {"kind": "text", "length": LENGTH, "alphabet": letters, "language": language, "columns": []}
    plan = _plan(SICK, {"note": reading}, "tfidf")
    return _signed(service, label, plan, _taught(plan, codes, truth), **changes)


def a_row_release(
    service: Service, label: str = ROWS, columns: tuple[str, ...] = COLUMNS, model: str = "linear", **changes: Any
) -> Path:
    """A signed release that says by the creatinine, and by nothing else, whether a kidney fails."""
    draw = np.random.default_rng(0)
    spread = np.array([0.2, 4.0, 0.4, 4.0, 12.0])[: len(columns)]
    rows = draw.normal(np.array(MIDDLES)[: len(columns)], spread, (120, len(columns)))
    truth = np.arange(120) % 2
    rows[:, 0] += 2.0 * truth
    settings = {
        "kind": "table", "columns": list(columns), "categories": {}, "zeros_missing": [],
        "units": {one: UNITS[one] for one in columns},
        "scales": {one: [middle, 1.0] for one, middle in zip(columns, MIDDLES, strict=False)},
    }  # fmt: skip
    plan = _plan(FAILING, {"row": settings}, model)
    return _signed(service, label, plan, _taught(plan, rows.astype(np.float32), truth), **changes)


def results(site: Site, study: str, creatinine: float = 3.2, units: Mapping[str, str] = UNITS) -> None:
    """A laboratory result of each column, without anybody being asked to read them."""
    for name, value in zip(COLUMNS, (creatinine, *MIDDLES[1:]), strict=True):
        an_observation(site, study, name=name, code="", value=value, unit=units[name], low=None, high=None)


def _plan(target: Target, readings: dict[str, Any], model: str) -> Plan:
    plain: dict[str, Any] = {"patch": (1, 1, 1), "image_inputs": [], "encoders": {}, "prepare": [], "model_options": {}}
    plain |= {"class_weights": [1.0, 1.0], "loss": None, "readings": readings, "model": model}
    plan = a_plan(target, **plain, operating_point={"name": "fixed"})
    (spec,) = input_specs(plan).values()
    own = {"most_iterations": 40} if model == "boosting" else {"strengths": [0.3]}
    options = {**registry.get("models", model).options(spec), **own, "folds": 2}
    return plan.with_choice("model_options", options, "fixed", "")


def _taught(plan: Plan, inputs: Any, truth: Any) -> Callable[[nn.Module], object]:
    def teach(network: nn.Module) -> None:
        registry.get("models", plan["model"]).fit(network.estimator, inputs, {"class": truth}, plan["model_options"])

    return teach


def _signed(service: Service, label: str, plan: Plan, teach: Callable[[nn.Module], object], **changes: Any) -> Path:
    name, version = label.split("@")
    plain = {"name": name, "version": version, "gate": Gate(rules=()), "signed_by": "Dr. Test", "decision": DECISION}
    return a_release(service.workspace.releases / label, plan, teach=teach, **{**plain, **changes})


@sample("POST", "/api/v1/studies/{study}/statements")
def _ask(site: Site, project: str, who: Browser) -> Call:
    if not (site.service.workspace.releases / ROWS).exists():
        a_row_release(site.service)
    study = a_study(site, project)
    results(site, study)
    return Call(f"/studies/{study}/statements", {"release": ROWS})


@sample("GET", "/api/v1/studies/{study}/statements")
def _list(site: Site, project: str, who: Browser) -> Call:
    return Call(f"/studies/{a_study(site, project)}/statements")
