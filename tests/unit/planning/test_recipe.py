from __future__ import annotations

from typing import Any

import pytest

from diascope.core import registry
from diascope.core.case import Label, Target
from diascope.core.plan import InputFacts
from diascope.planning.recipe import mirror_axes, recipe


def facts(modality: str = "xray") -> InputFacts:
    size, steps = ((1, 32, 32),) * 5, ((1.0, 1.0, 1.0),) * 5
    return InputFacts(
        kind="image", modality=modality, channels=1, dimensions=2, physical=False, shapes=size, spacings=steps,
        intensity={}, per_case={},
    )  # fmt: skip


def target(*names: str) -> Target:
    labels = tuple(Label(name=name, value=number) for number, name in enumerate(names))
    return Target(name="label", kind="category", columns=("label",), labels=labels)


SIDED = ["left lung", "Right kidney", "lesion_left", "Leber rechts", "左肺", "linksseitig"]


@pytest.mark.parametrize("name", SIDED)
@pytest.mark.parametrize("modality", ["photo", "ct", "xray", "unknown"])
def test_nothing_is_mirrored_where_a_label_names_a_side(name: str, modality: str) -> None:
    axes, why = mirror_axes(facts(modality), target("background", name))
    assert axes == ()
    assert name in why


@pytest.mark.parametrize(
    ("places", "mirrored"),
    [
        ({"spleen": (0.1, 0.2, 0.3)}, False),
        ({"liver": (-0.3, -0.2, -0.1)}, False),
        ({"bladder": (0.01, 0.02, 0.04)}, True),
        ({"kidney": (-0.2, 0.1, 0.2)}, True),
        ({}, True),
    ],
)
def test_what_always_lies_on_one_side_is_not_mirrored(places: Any, mirrored: bool) -> None:
    axes, why = mirror_axes(facts("ct"), target("background", *places), places)
    assert bool(axes) is mirrored
    assert ("one side" in why) is not mirrored


def test_photographs_have_no_up() -> None:
    assert mirror_axes(facts("photo"), target("naevus", "melanoma"))[0] == (1, 2)


def test_each_modality_decides_whether_it_may_be_mirrored_and_never_along_z() -> None:
    for name, modality in registry.each("modalities"):
        axes, why = mirror_axes(facts(name), target("ill", "well"))
        assert bool(axes) is bool(modality.mirror)
        assert 0 not in axes
        assert why


@pytest.mark.parametrize("strength", ["light", "strong"])
@pytest.mark.parametrize("axes", [(), (2,), (1, 2)])
def test_a_recipe_mirrors_just_the_axes_that_may_be(strength: Any, axes: tuple[int, ...]) -> None:
    mirrored = [params["axes"] for name, params in recipe(facts(), strength, axes, (1.0, 0.5, 0.5)) if name == "mirror"]
    assert mirrored == ([list(axes)] if axes else [])


def test_a_recipe_names_plug_ins_spatial_ones_first_and_can_be_none() -> None:
    assert recipe(facts(), "none", (2,), (1.0, 1.0, 1.0)) == []
    names = [name for name, _ in recipe(facts(), "strong", (2,), (1.0, 1.0, 1.0))]
    spatial = [registry.get("transforms", name).spatial for name in names]
    assert spatial == sorted(spatial, reverse=True)
