"""Every group of features keeps the promises of its family: a new file is tested by existing."""

from __future__ import annotations

from pathlib import Path

import pytest

from diascope.core import registry
from diascope.testing.promises import keep


@pytest.mark.parametrize("name", registry.names("features"))
def test_promises(name: str, tmp_path: Path) -> None:
    keep("features", name, tmp_path)
