"""The page on evidence defines every metric and explainer, and quotes the limits that the code uses."""

from pathlib import Path

import pytest

from diascope.core import registry
from diascope.evidence import calibration, intervals
from diascope.explainers import sanity

PAGE = (Path(__file__).parents[3] / "docs/concepts/evidence.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [*registry.names("metrics"), *registry.names("explainers")])
def test_each_is_defined(name):
    assert f"`{name}`" in PAGE


def test_the_limits_are_those_of_the_code():
    assert f"fewer than {intervals.FEWEST_PATIENTS} patients" in PAGE
    assert f"fewer than {intervals.FEWEST_IN_CLASS} patients with a case of some class" in PAGE
    assert f"searched in {calibration.LOWEST:g} … {calibration.HIGHEST:g}" in PAGE
    assert f"Above {sanity.LIMIT:g} (our choice" in PAGE
