"""What every test run needs: nothing of the user's is read or written, and no law fails for being slow."""

from __future__ import annotations

import os
import sys
import tempfile

import pytest
from hypothesis import settings

settings.register_profile("diascope", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("diascope")


def pytest_configure(config: pytest.Config) -> None:
    """The key for pseudonyms, and any configuration, lie in a folder of this run; child processes inherit it."""
    folder = tempfile.TemporaryDirectory(prefix="diascope-tests-")
    config.add_cleanup(folder.cleanup)
    os.environ["XDG_CONFIG_HOME"] = folder.name
    os.environ.pop("DIASCOPE_PSEUDONYM_KEY", None)
    os.environ.pop("DIASCOPE_WORKSPACE", None)
    os.environ.pop("DIASCOPE_MIRROR", None)
    os.environ["DIASCOPE_CACHE"] = f"{folder.name}/cache"


@pytest.fixture(autouse=True)
def denormals_as_they_were():
    """A test that sets the process up for computing flushes denormals; the laws of other tests need them."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)
