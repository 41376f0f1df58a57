"""Services that a test opened end their connections after it: PostgreSQL warns of those that are left."""

from __future__ import annotations

import pytest

from diascope.testing.service import end_connections


@pytest.fixture(autouse=True)
def connections_end():
    """After each test."""
    yield
    end_connections()
