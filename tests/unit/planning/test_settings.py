from __future__ import annotations

from typing import Any

import pytest

from diascope.core.errors import BadUsage
from diascope.planning.settings import checked, parse_settings


@pytest.mark.parametrize(
    ("field", "given", "rule"),
    [
        ("steps", 300, 200), ("batch", 1, 9), ("learning_rate", 1, 1e-3), ("ema", 0.9, 0.998), ("mixup", 0.0, 0.2),
        ("compile", True, False), ("model", "unet", "resnet"), ("patch", [8, 8, 8], [1, 2, 3]),
        ("mirror_axes", [], [2]),
        ("mirror_axes", [1, 2], [2]), ("recipe", [], [["noise", {}]]), ("model_options", {}, {"width": 3}),
        ("schedule", [[0, 5]], None), ("train_seconds", 5, None), ("spacing", [1, 1, 1.5], [1.0, 1.0, 1.0]),
    ],
)  # fmt: skip
def test_what_suits_is_taken_as_it_is(field: str, given: Any, rule: Any) -> None:
    assert checked(field, given, rule) == given


@pytest.mark.parametrize(
    ("field", "given", "rule", "words"),
    [
        ("steps", "many", 200, "a whole number of at least 1"), ("steps", 0, 200, "at least 1"),
        ("steps", 3.5, 200, "whole number"), ("steps", True, 200, "whole number"), ("warmup", -1, 5, "at least 0"),
        ("learning_rate", "fast", 1e-3, "a number"), ("learning_rate", -1e-3, 1e-3, "at least 0"),
        ("compile", 1, False, "true or false"), ("model", 3, "resnet", "a name"),
        ("patch", 5, [1, 2, 3], "a list of 3 numbers"), ("patch", [8, 8], [1, 2, 3], "a list of 3 numbers"),
        ("patch", [8, 8, 0], [1, 2, 3], "a list of 3 numbers"),
        ("patch", [8, 8, "x"], [1, 2, 3], "a list of 3 numbers"),
        ("recipe", "strong", [["noise", {}]], "a list"), ("model_options", [1], {"width": 3}, "names with values"),
    ],
)  # fmt: skip
def test_what_does_not_suit_is_refused_with_what_does(field: str, given: Any, rule: Any, words: str) -> None:
    with pytest.raises(BadUsage, match=words) as caught:
        checked(field, given, rule)
    assert repr(field) in str(caught.value)
    assert repr(given) in str(caught.value)


def test_settings_are_json_or_text() -> None:
    found = parse_settings(["plan.steps=300", "model=unet", "patch=[1,2,3]", "compile=true", "note=a=b"])
    assert found == {"steps": 300, "model": "unet", "patch": [1, 2, 3], "compile": True, "note": "a=b"}
    with pytest.raises(BadUsage, match="field=value"):
        parse_settings(["steps"])
