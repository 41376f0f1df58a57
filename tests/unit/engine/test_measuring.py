"""Who evaluated, where nobody has a name."""

from __future__ import annotations

import getpass
import os

import pytest

from diascope.engine.measuring import _user


@pytest.mark.parametrize("error", [KeyError, OSError])
def test_a_container_without_a_passwd_entry_has_a_number(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def nobody() -> str:
        raise error("uid not found")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert _user() == f"uid {os.getuid()}"


def test_who_is_signed_in_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    assert _user() == "ada"
