"""Peers are written down with where they come from, and every change is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from diascope.core.errors import BadUsage, Conflict, UnknownName
from diascope.serve.database.tables import audit
from diascope.serve.dimse.peers import (
    PeerSettings,
    add_peer,
    all_peers,
    by_title,
    change_peer,
    new_peer,
    peer_named,
    recognised,
    remove_peer,
)
from diascope.testing.dimse import a_peer
from diascope.testing.service import a_service

PRINT = "ab" * 32


def test_added_changed_removed(tmp_path: Path) -> None:
    service = a_service(tmp_path)
    peer = a_peer(service, "CT1", {"store"}, addresses=("10.1.2.3", "10.2.0.0/16"))
    assert peer_named(service, "CT1") == peer
    changed = change_peer(service, replace(peer, rights=frozenset({"store", "find"})), "user:li")
    assert all_peers(service) == [changed]
    assert by_title(service, "CT1") == changed
    change_peer(service, replace(changed, enabled=False), "user:li")
    assert by_title(service, "CT1") is None
    remove_peer(service, "CT1", "user:li")
    assert all_peers(service) == []
    with pytest.raises(UnknownName):
        remove_peer(service, "CT1", "user:li")
    with pytest.raises(UnknownName):
        peer_named(service, "CT1")
    with pytest.raises(UnknownName):
        change_peer(service, peer, "user:li")
    with service.database.reading() as connection:
        told = connection.execute(select(audit.c.detail).where(audit.c.action == "settings.changed")).scalars().all()
    assert [each["what"] for each in told] == ["added", "changed", "changed", "removed"]
    service.close()


def test_all_of_title_address_and_certificate_count(tmp_path: Path) -> None:
    """C4: an AE title is never authentication by itself."""
    service = a_service(tmp_path)
    plain = a_peer(service, "PLAIN", addresses=("10.1.2.0/24", "2001:db8::/64"))
    safe = a_peer(service, "SAFE", addresses=("0.0.0.0/0",), tls=True, fingerprint=PRINT)
    some = a_peer(service, "SOME", addresses=("10.1.2.3",), tls=True)
    assert recognised(service, "PLAIN", "10.1.2.99", None) == plain
    assert recognised(service, "PLAIN", "::ffff:10.1.2.99", None) == plain
    assert recognised(service, "PLAIN", "2001:db8::5", None) == plain
    assert recognised(service, "PLAIN", "10.1.3.1", None) is None
    assert recognised(service, "plain", "10.1.2.99", None) is None
    assert recognised(service, "SAFE", "192.0.2.1", PRINT) == safe
    assert recognised(service, "SAFE", "192.0.2.1", "cd" * 32) is None
    assert recognised(service, "SAFE", "192.0.2.1", "") is None
    assert recognised(service, "SAFE", "192.0.2.1", None) is None
    assert recognised(service, "SOME", "10.1.2.3", PRINT) == some
    assert recognised(service, "SOME", "10.1.2.3", None) is None
    change_peer(service, replace(plain, enabled=False), "user:li")
    assert recognised(service, "PLAIN", "10.1.2.99", None) is None
    service.close()


def test_names_and_titles_are_one_peers(tmp_path: Path) -> None:
    service = a_service(tmp_path)
    a_peer(service, "CT1")
    with pytest.raises(Conflict, match="of this name"):
        a_peer(service, "CT1", ae_title="CT2")
    settings = PeerSettings(ae_title="CT1", addresses=("10.0.0.1",))
    with pytest.raises(Conflict, match="has this AE title"):
        add_peer(service, new_peer("other", settings, frozenset()), "test")
    with pytest.raises(UnknownName, match="project"):
        add_peer(service, new_peer("third", settings, frozenset(), "nowhere"), "test")
    assert len(all_peers(service)) == 1
    service.close()


def test_anybody_is_nobody(tmp_path: Path) -> None:
    service = a_service(tmp_path)
    with pytest.raises(BadUsage, match="no proof"):
        a_peer(service, "CT1", addresses=("0.0.0.0/0",))
    with pytest.raises(UnknownName, match="right"):
        a_peer(service, "CT1", {"everything"})
    with pytest.raises(BadUsage, match="name"):
        a_peer(service, "../x", ae_title="CT1")
    service.close()


@pytest.mark.parametrize("title", ["", "x" * 17, "a\\b", " a", "a ", "ä", "a\nb"])
def test_titles(title: str) -> None:
    """B5: an AE title is what PS3.5 says and nothing else."""
    with pytest.raises(ValidationError):
        PeerSettings(ae_title=title, addresses=("10.0.0.1",))


@pytest.mark.parametrize(
    "changes",
    [{"addresses": ()}, {"addresses": ("localhost",)}, {"fingerprint": "12"}, {"port": 0}, {"colour": "red"}],
)
def test_settings_that_make_no_sense(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PeerSettings.model_validate({"ae_title": "CT1", "addresses": ("10.0.0.1",), **changes})


def test_fingerprints_are_written_in_one_way() -> None:
    settings = PeerSettings(ae_title="A", addresses=("10.0.0.1/8",), fingerprint=":".join(["AB"] * 32))
    assert settings.fingerprint == PRINT
    assert settings.addresses == ("10.0.0.0/8",)
