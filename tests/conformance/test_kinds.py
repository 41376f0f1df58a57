"""Promises of every kind of input: a new file in `kinds/` is tested by existing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diascope.core import registry
from diascope.core.case import Case
from diascope.core.errors import UnknownName
from diascope.kinds import is_missing, kind_of

NAMES = registry.names("kinds")
SETTINGS: dict[str, dict[str, Any]] = {
    "table": {"kind": "table", "columns": ["age", "sex"], "categories": {"sex": ["f", "m"]}},
    "signal": {
        **{"kind": "signal", "rate": 100.0, "length": 50, "channels": ["I", "II"], "units": ["mV", "mV"]},
        **{"mean": [0.0, 0.0], "std": [1.0, 1.0], "low": [-2.0, -2.0], "high": [2.0, 2.0]},
    },
    "text": {"kind": "text", "length": 40, "alphabet": [ord(one) for one in " abcdefgh"], "language": "en"},
    "sequence": {"kind": "sequence", "length": 30, "alphabet": "dna"},
}
NOTHING = Case(id="c", patient="p", inputs={})


@pytest.mark.parametrize("name", NAMES)
def test_it_names_a_model_that_reads_it(name: str) -> None:
    kind = registry.get("kinds", name)
    try:
        model = registry.get("models", kind.encoder)
    except UnknownName:
        pytest.fail(f"the kind {name} names the encoder {kind.encoder}, which does not exist")
    assert name in model.takes
    assert model.gives == "vector"
    assert model.fitted == "gradient"


@pytest.mark.parametrize("name", [name for name in NAMES if name in SETTINGS])
def test_what_is_missing_has_the_shape_of_what_is_there_and_says_nothing(name: str, tmp_path: Path) -> None:
    settings = json.loads(json.dumps(SETTINGS[name]))
    kind, spec = kind_of(settings), registry.get("kinds", name).spec(settings)
    assert spec.kind == name
    array = kind.array(NOTHING, "input", tmp_path, settings)
    assert is_missing(array)
    assert array.shape[-1] == (spec.shape[2] if spec.dimensions else spec.channels)
    assert np.isnan(kind.describe(array, settings)).all()
    assert kind.refusals(NOTHING, "input", tmp_path, settings) == []
    assert kind.remarks(NOTHING, "input", tmp_path, settings) == []
    assert kind.reason(settings)
