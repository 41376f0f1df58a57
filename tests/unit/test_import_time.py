"""The package and its help are quick and small at the door."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys

import pytest

import diascope

LIMIT = 0.5
"""Seconds of CPU time."""
HEAVY = ("torch", "pydicom", "nibabel", "SimpleITK", "highdicom", "pandas", "sklearn", "scipy", "lightning_fabric")
VERBS = (
    *("check", "fit", "pretrain", "plan", "train", "evaluate", "predict", "synthesize", "explain", "compare", "search"),
    *("release", "export", "radiomics", "longitudinal", "adopt"),
)

MEASURE = """
import json, resource, sys
before = resource.getrusage(resource.RUSAGE_SELF)
{work}
after = resource.getrusage(resource.RUSAGE_SELF)
spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
print(json.dumps({{"seconds": spent, "modules": sorted({{name.split(".")[0] for name in sys.modules}})}}))
"""
WORK = {
    "import": "import diascope",
    "help": "import contextlib, io\nfrom diascope.cli import run\n"
    "with contextlib.redirect_stdout(io.StringIO()):\n    assert run(['--help']) == 0",
}


def measured(work: str) -> dict:
    """CPU seconds and loaded packages of the quickest of three fresh processes."""
    runs = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", MEASURE.format(work=work)], capture_output=True, text=True, check=True, timeout=60
        )
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    return min(runs, key=lambda run: run["seconds"])


@pytest.mark.parametrize("what", WORK)
def test_it_is_quick_and_imports_nothing_heavy(what):
    found = measured(WORK[what])
    assert found["seconds"] < LIMIT
    assert set(found["modules"]).isdisjoint(HEAVY)


def test_the_package_exports_few_names_and_every_verb():
    assert len(diascope.__all__) <= 20
    assert set(VERBS) <= set(diascope.__all__)
    assert dir(diascope) == sorted(diascope.__all__)


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_is_typed_and_documented(name):
    verb = getattr(diascope, name)
    signature = inspect.signature(verb)
    assert inspect.getdoc(verb)
    assert signature.return_annotation is not inspect.Signature.empty
    assert all(one.annotation is not inspect.Parameter.empty for one in signature.parameters.values())


def test_every_verb_of_the_command_line_has_its_function():
    import typer

    from diascope.cli import app

    # asked through its API (diascope.client)
    service = {"serve", "worker", "audit", "backup", "restore", "keys", "feedback"}
    assert set(typer.main.get_command(app).commands) - {"list"} - service == set(VERBS)


def test_an_unknown_name_is_no_attribute():
    with pytest.raises(AttributeError, match="no attribute 'fitt'"):
        _ = diascope.fitt
