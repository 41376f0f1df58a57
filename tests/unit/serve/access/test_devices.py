"""Cookies of devices that have logged in before."""

from __future__ import annotations

import pytest

from diascope.serve.access.devices import GOOD_FOR, Devices

NOW = 1_800_000_000.0


def test_a_device_is_known_to_its_user_alone():
    one = Devices(b"k" * 32)
    cookie = one.cookie("u1", "hash", NOW)
    found = one.known(cookie, "u1", "hash", NOW + 100)
    assert len(found) == 32
    assert found in cookie
    assert one.known(cookie, "u2", "hash", NOW) == ""
    assert one.known(cookie, "u1", "new hash", NOW) == ""
    assert Devices(b"x" * 32).known(cookie, "u1", "hash", NOW) == ""
    assert one.known(one.cookie("u1", "hash", NOW), "u1", "hash", NOW) != found


def test_it_is_forgotten_in_time():
    one = Devices(b"k" * 32)
    cookie = one.cookie("u1", "hash", NOW)
    assert one.known(cookie, "u1", "hash", NOW + GOOD_FOR - 1)
    assert one.known(cookie, "u1", "hash", NOW + GOOD_FOR) == ""


@pytest.mark.parametrize(
    "cookie", ["", "a.b", "a.b.c", "a.1.c", "..", "a.9999999999999.c", "a.²3.c", "\ud800.1.\ud800"]
)
def test_what_we_did_not_sign_is_no_cookie(cookie):
    assert Devices(b"k" * 32).known(cookie, "u1", "hash", NOW) == ""


def test_a_later_time_is_not_taken_from_the_cookie():
    one = Devices(b"k" * 32)
    name, _, signature = one.cookie("u1", "hash", NOW).split(".")
    assert one.known(f"{name}.{int(NOW + GOOD_FOR)}.{signature}", "u1", "hash", NOW + GOOD_FOR) == ""
