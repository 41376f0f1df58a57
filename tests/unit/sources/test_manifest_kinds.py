"""A manifest whose columns name inputs of several kinds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from diascope import formats
from diascope.core.case import FileRef
from diascope.core.errors import DataRefused
from diascope.core.sequence import Sequence
from diascope.core.text import Text
from diascope.sources import SourceOptions
from diascope.sources.manifest import SOURCE


def a_manifest(folder: Path, *lines: str) -> Path:
    path = folder / "study.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_texts_stand_in_the_cells_or_in_files(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("Small effusion.", encoding="utf-8")
    path = a_manifest(
        tmp_path, "text,sequence:gene,label", '"Clear lungs, no effusion.",ACGT,well', "b.txt,ACGN,ill", ",TTTT,ill"
    )
    assert SOURCE.recognises(str(path))
    found = SOURCE.list(str(path), SourceOptions(target="label"))
    refs = [case.inputs.get("text") for case in found.cases]
    assert [ref.kind if ref else None for ref in refs] == ["text", "text", None]
    texts = [formats.read_input(ref, found.root) for ref in refs if isinstance(ref, FileRef)]
    assert [one.text for one in texts if isinstance(one, Text)] == ["Clear lungs, no effusion.", "Small effusion."]
    genes = [formats.read_input(case.inputs["gene"], found.root) for case in found.cases]  # type: ignore[arg-type]
    assert [one.letters for one in genes if isinstance(one, Sequence)] == ["ACGT", "ACGN", "TTTT"]


def test_a_row_without_any_input_is_refused(tmp_path: Path) -> None:
    path = a_manifest(tmp_path, "text,label", "fine,well", ",ill")
    with pytest.raises(DataRefused, match=r"row 2 of study\.csv names no input"):
        SOURCE.list(str(path), SourceOptions(target="label"))


def test_a_signal_that_no_format_reads_is_named(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(3))
    path = a_manifest(tmp_path, "signal,label", "a.npy,well")
    with pytest.raises(DataRefused, match=r"no format reads the signal.*a\.npy"):
        SOURCE.list(str(path), SourceOptions(target="label"))
