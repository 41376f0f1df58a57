"""Frames over time are scaled together; alone, a kind is read by its usual model where none can be compared."""

import numpy as np
import torch

from diascope.core import registry
from diascope.core.plan import InputFacts
from diascope.planning.scaling import rule_of


def facts(modality="mr", **changes):
    given = {
        "kind": "image",
        "modality": modality,
        "channels": 3,
        "dimensions": 3,
        "physical": True,
        "shapes": ((4, 8, 8),) * 5,
        "spacings": ((1.0, 1.0, 1.0),) * 5,
        "intensity": {"mean": (1.0, 2.0, 3.0), "std": (1.0, 1.0, 1.0), "low": (0.0, 1.0, 2.0), "high": (5.0, 6.0, 7.0)},
        "per_case": {},
    }
    return InputFacts.model_validate({**given, **changes})


def test_one_scale_for_all_frames():
    assert rule_of(facts(), False)["rule"] == "z-score"
    assert rule_of(facts(details={"over_time": True}), False) == {"rule": "series"}
    window = rule_of(facts("ct", details={"over_time": True}), False)
    assert (window["rule"], window["low"], window["high"], window["mean"]) == ("window", [0.0], [7.0], [2.0])


def test_the_rule_series_keeps_what_changes_between_frames():
    volume = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 4, 5, 6)).astype(np.float32))
    volume[1] += 3
    scaled, _ = registry.get("transforms", "intensity").apply(volume, None, {"rule": "series"}, False)
    assert abs(float(scaled.mean())) < 1e-5
    assert float(scaled[1].mean() - scaled[0].mean()) > 1.0
    alone, _ = registry.get("transforms", "intensity").apply(volume, None, {"rule": "z-score"}, False)
    assert abs(float(alone[1].mean() - alone[0].mean())) < 1e-5


def test_every_kind_names_the_model_that_reads_it_alone():
    for name, kind in registry.each("kinds"):
        assert name in registry.get("models", kind.alone).takes
