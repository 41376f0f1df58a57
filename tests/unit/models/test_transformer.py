"""The door to language models: a local folder, or a clear error; it was tried with transformers 5.23."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from diascope.core import registry
from diascope.core.errors import BadUsage, MissingPackage
from diascope.models import InputSpec
from diascope.models.transformer import LOCAL

MODEL = registry.get("models", "transformer")
SPEC = InputSpec("text", 1, 1, (1, 1, 60), outputs=2, alphabet=(97,))
INSTALLED = importlib.util.find_spec("transformers") is not None


@pytest.mark.parametrize("folder", ["", "/no/such/folder", "."])
def test_a_folder_that_is_no_checkpoint_is_refused(folder: str) -> None:
    with pytest.raises(BadUsage, match="local folder"):
        MODEL.build(SPEC, {**MODEL.options(SPEC), "folder": folder})


@pytest.mark.skipif(INSTALLED, reason="transformers is installed here")
def test_without_the_package_the_extra_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    for ask in (MODEL.build, MODEL.cost):
        with pytest.raises(MissingPackage, match=r"diascope\[text\]"):
            ask(SPEC, {**MODEL.options(SPEC), "folder": str(tmp_path)})


def test_nothing_is_fetched_and_nothing_foreign_is_run() -> None:
    assert dict(LOCAL) == {"local_files_only": True, "trust_remote_code": False}


def test_other_inputs_are_refused() -> None:
    with pytest.raises(BadUsage, match="encodes texts"):
        MODEL.build(InputSpec("sequence", 4, 1, (1, 1, 60)), MODEL.options(SPEC))
