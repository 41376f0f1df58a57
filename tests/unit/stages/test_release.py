"""release: signing, and the licence that travels with the weights."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from diascope.core.errors import BadUsage, Blocked, DiascopeError
from diascope.stages.export import export
from diascope.stages.predict import Predictor
from diascope.stages.release import sign
from diascope.store.releases import open_release
from diascope.store.workspace import Workspace
from diascope.testing.releases import a_release


def signed(folder: Path, **options: Any) -> str:
    """Sign, and give what lies in the file LICENCE."""
    sign(Workspace(folder.parent / "ws"), str(folder), "Li, Na", **options)
    return (folder / "LICENCE").read_text()


def test_the_licence_of_the_data_is_that_of_the_weights_unless_a_person_says_another(tmp_path: Path) -> None:
    stated = "CC-BY-SA 4.0, stated in dataset.json"
    said = signed(a_release(tmp_path / "a@1", licence=stated))
    assert said.startswith(f"Licence of the weights of films@1: {stated}\n")
    assert f"Licence of the data: {stated}" in said
    other = signed(a_release(tmp_path / "b@1", licence=stated), licence="in this hospital only")
    assert "weights of films@1: in this hospital only" in other
    assert f"Licence of the data: {stated}" in other


def test_where_nobody_states_a_licence_the_file_says_so(tmp_path: Path) -> None:
    assert "not stated by the data's source" in signed(a_release(tmp_path / "a@1"))


def test_a_signed_release_is_whole_and_its_card_says_who_signed(tmp_path: Path) -> None:
    folder = a_release(tmp_path / "a@1")
    before = (folder / "weights-0.safetensors").read_bytes()
    signed(folder, licence="MIT")
    opened = open_release(folder)
    assert (opened.release.signed_by, opened.release.licence) == ("Li, Na", "MIT")
    assert (folder / "weights-0.safetensors").read_bytes() == before
    card = (folder / "model-card.md").read_text()
    assert "signed: Li, Na" in card
    assert "Licence of the weights: MIT" in card
    assert {path.name for path in tmp_path.iterdir()} == {"a@1", "ws"}
    with pytest.raises(BadUsage, match="already signed by Li, Na"):
        signed(folder)


@pytest.mark.parametrize("call", ["fsync", "mkdir", "replace"])
def test_a_full_disk_leaves_the_candidate_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    folder, workspace = a_release(tmp_path / "a@1"), Workspace(tmp_path / "ws")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises((DiascopeError, OSError), match="No space left"):
            sign(workspace, str(folder), "Li, Na")
    assert open_release(folder).release.signed_by is None
    assert {path.name for path in tmp_path.iterdir()} == {"a@1", "ws"}


def test_a_release_that_its_evaluation_speaks_against_is_neither_signed_nor_read_with(tmp_path: Path) -> None:
    folder = a_release(tmp_path / "a@1", blocks=("training images are reproduced",))
    for use in (lambda: signed(folder), lambda: Predictor(folder), lambda: export(Workspace(tmp_path), folder, "onnx")):
        with pytest.raises(Blocked, match="must not be used: training images are reproduced"):
            use()
    assert open_release(folder).release.signed_by is None  # it can still be looked at
