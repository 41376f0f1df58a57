"""Every plug-in that is installed, of this package or another, keeps its family's promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from diascope.core import registry
from diascope.core.errors import MissingPackage
from diascope.testing.promises import keep

PLUGINS = [(family, name) for family in registry.FAMILIES for name in registry.names(family)]


@pytest.mark.parametrize(("family", "name"), PLUGINS)
def test_it_keeps_its_familys_promises(family: str, name: str, tmp_path: Path) -> None:
    """See `promises.py`: one function a family."""
    try:
        keep(family, name, tmp_path)
    except MissingPackage as error:
        pytest.skip(str(error))
