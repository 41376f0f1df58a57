"""The whole schema, fuzzed (C2): no server errors, no answer that the schema does not describe."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.stateful import run_state_machine_as_test
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks as openapi_checks

import diascope.testing.dicomweb_calls  # noqa: F401  registers its samples
from diascope.serve.access.operations import OPERATIONS
from diascope.testing.calls import ROUTES
from diascope.testing.web import Browser, Site, a_site

CHECKS = [
    not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_headers_conformance,
    openapi_checks.response_schema_conformance,
    openapi_checks.negative_data_rejection,
    openapi_checks.unsupported_method,
    openapi_checks.ignored_auth,
]
"""All but `positive_data_acceptance`: some bodies that fit the schema make no sense (a rule that nothing can keep)."""

OWN_WORDS = ("get /health/ready", "post /dicom-web/studies", "post /dicom-web/studies/{study}")
"""What they answer where something is wrong, their own standards say."""

MODES = {"positive": schemathesis.GenerationMode.POSITIVE, "negative": schemathesis.GenerationMode.NEGATIVE}
OPERATION_OF = {(method, path.replace(":path}", "}")): name for method, path, name in ROUTES}
ELSEWHERE = frozenset({"POST /dicom-web/studies", "POST /dicom-web/studies/{study}"})
"""Their bodies are multipart/related; what breaks those is in tests/unit/serve/dicomweb."""


def test_the_description_is_valid_and_complete(tmp_path: Path) -> None:
    """C2: OpenAPI 3.1; every operation has a summary, its errors, the one envelope; every field is described."""
    found = a_site(tmp_path).app.openapi()
    assert found["openapi"].startswith("3.1")
    envelope = {"$ref": "#/components/schemas/Envelope"}
    wanting = [f"two classes are called {name}" for name in found["components"]["schemas"] if "__" in name]
    for path, methods in found["paths"].items():
        for method, route in methods.items():
            where = f"{method} {path}"
            if not route.get("description") and not route.get("summary"):
                wanting.append(f"{where}: no words")
            if route.get("x-operation") not in OPERATIONS:
                wanting.append(f"{where}: no operation")
            for status, said in route["responses"].items():
                schema = said.get("content", {}).get("application/json", {}).get("schema")
                if (status == "default" or status >= "400") and schema != envelope and where not in OWN_WORDS:
                    wanting.append(f"{where}: {status} is not the envelope")
            wanting += [
                f"{where}: {one['name']} is not described"
                for one in route.get("parameters", [])
                if not one.get("description") and one["in"] != "cookie"
            ]
    ours = {name: part for name, part in found["components"]["schemas"].items() if "Rule" not in name}
    for name, part in ours.items():
        for field, said in part.get("properties", {}).items():
            if not said.get("description") and "$ref" not in said and name not in ("Envelope", "When", "Send"):
                wanting.append(f"{name}.{field} is not described")
    assert wanting == [], "\n".join(wanting)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_fuzzed_a_little(mode: str, tmp_path: Path) -> None:
    """C2: positive and negative data for every operation: 0 answers of 5xx, 0 violations of the schema."""
    _fuzzed(a_site(tmp_path), MODES[mode], examples=int(os.environ.get("DIASCOPE_TEST_EXAMPLES", "4")))


@pytest.mark.nightly
@pytest.mark.parametrize("mode", MODES)
def test_fuzzed_long(mode: str, tmp_path: Path) -> None:
    """C2: the same with 300 examples of each operation."""
    _fuzzed(a_site(tmp_path), MODES[mode], examples=300)


@pytest.mark.nightly
def test_fuzzed_in_sequences(tmp_path: Path) -> None:
    """C2: sequences of requests, each made of answers to those before."""
    site = a_site(tmp_path)

    class Machine(_schema(site).as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"headers": _headers(site, case)}

        def validate_response(self, response: Any, case: Any, **more: Any) -> None:
            case.validate_response(response, checks=CHECKS[:-1])

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=300, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def _fuzzed(site: Site, mode: schemathesis.GenerationMode, examples: int) -> None:
    failures = []
    for found in _schema(site).get_all_operations():
        operation = found.ok()
        if operation.label in ELSEWHERE:
            continue

        @settings(
            max_examples=examples,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def asked(case: Any) -> None:
            case.call_and_validate(headers=_headers(site, case), checks=CHECKS)

        try:
            asked()
        except Unsatisfiable:  # nothing of this operation can be wrong
            continue
        except Exception as error:  # collected, so that one run shows all of them
            failures.append(f"{operation.label}: {_words(error)}")
    assert failures == [], "\n".join(failures)


def _words(error: BaseException) -> str:
    inner = getattr(error, "exceptions", ())
    return " | ".join(_words(one) for one in inner) if inner else f"{type(error).__name__} {str(error)[:1500]}"


def _schema(site: Site) -> Any:
    return schemathesis.openapi.from_asgi("/api/v1/openapi.json", site.app)


def _headers(site: Site, case: Any) -> dict[str, str]:
    """Somebody new who may do it, for some requests end the session."""
    name = OPERATION_OF[case.operation.method.upper(), case.operation.path]
    roles = ("administrator", "steward", "reader", "researcher")
    who: Browser = site.someone(next(one for one in roles if OPERATIONS[name].answers[one] != "-"))
    (cookie,) = who.cookies.items()
    return {**who.headers, "Cookie": "=".join(cookie)}
