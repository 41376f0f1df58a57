"""Passwords: which are taken, how they are kept and checked."""

from __future__ import annotations

import statistics
import threading
import time

import pytest
from argon2 import PasswordHasher, extract_parameters

from diascope.serve.access import passwords
from diascope.serve.access.limits import Throttled
from diascope.serve.access.passwords import Passwords, WeakPassword, checked, is_one_time, weakness

GOOD = "sieve-lantern-orchid"
NOW = 1_800_000_000.0


def quick() -> Passwords:
    """As little work as argon2 does."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


def test_a_password_is_kept_as_argon2id_with_owasps_parameters():
    """C7: 19 MiB, two passes, one lane."""
    kept = Passwords().stored(GOOD)
    found = extract_parameters(kept)
    assert kept.startswith("$argon2id$")
    assert (found.memory_cost, found.time_cost, found.parallelism) == (19 * 1024, 2, 1)
    assert GOOD not in kept


def test_it_is_checked():
    one = quick()
    kept = one.stored(GOOD)
    assert one.check(kept, GOOD, NOW).right
    for wrong in ("", GOOD + "x", GOOD.upper(), "x" * 5000):
        assert not one.check(kept, wrong, NOW).right
    assert one.stored(GOOD) != kept


def test_nothing_of_a_long_password_is_cut_off():
    one, longest = quick(), "abcdefgh" * 32
    kept = one.stored(longest)
    assert one.check(kept, longest, NOW).right
    assert not one.check(kept, longest + "x", NOW).right
    assert not one.check(kept, longest[:-1], NOW).right


def test_the_same_characters_composed_otherwise_are_the_same_password():
    one = quick()
    assert one.check(one.stored("caf\u00e9-r\u00e9sum\u00e9-zebra"), "cafe\u0301-re\u0301sume\u0301-zebra", NOW).right


def test_where_nothing_is_kept_or_it_is_broken_no_password_is_right():
    one = quick()
    for kept in (None, "", "nonsense", "$argon2id$v=19$broken"):
        assert not one.check(kept, GOOD, NOW).right
        assert not one.check(kept, "", NOW).right


def test_an_unknown_user_costs_as_much_work_as_a_known_one():
    """C7: how long an answer takes does not tell whether a user exists."""
    one = Passwords()
    kept = one.stored(GOOD)
    one.check(None, "warm", NOW)

    def seconds(stored: str | None) -> float:
        begun = time.thread_time()
        one.check(stored, "not the right one", NOW)
        return time.thread_time() - begun

    pairs = [(seconds(kept), seconds(None)) for _ in range(7)]
    known, unknown = (statistics.median(times) for times in zip(*pairs, strict=True))
    assert 0.5 < unknown / known < 2.0


def test_what_was_kept_with_other_parameters_is_made_anew():
    old, new = quick(), Passwords(PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    kept = old.stored(GOOD)
    found = new.check(kept, GOOD, NOW)
    assert found.right
    assert extract_parameters(found.renewed).memory_cost == 16
    assert new.check(found.renewed, GOOD, NOW).renewed is None
    assert new.check(kept, "wrong", NOW).renewed is None


def test_a_one_time_password_is_random_and_ends():
    one = quick()
    (first, kept), (second, _) = one.one_time(NOW), one.one_time(NOW)
    assert first != second
    assert len(first) == 23
    assert weakness(first, "li") == ""
    assert is_one_time(kept)
    assert not is_one_time(one.stored(GOOD))
    assert not is_one_time(None)
    assert one.check(kept, first, NOW + passwords.ONE_TIME_SECONDS - 1).right
    late = one.check(kept, first, NOW + passwords.ONE_TIME_SECONDS)
    assert (late.right, late.expired) == (False, True)
    assert not one.check(kept, second, NOW + passwords.ONE_TIME_SECONDS).expired


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short", "12 characters"),
        ("elevenchars", "12 characters"),
        ("x" * 257, "at most 256"),
        ("my-name-is-li-wei-here", "user name"),
        ("LI-WEI-the-radiologist", "user name"),
        ("aaaaaaaaaaaa", "repeats"),
        ("abababababab", "repeats"),
        ("abcdefghijkl", "alphabet"),
        ("zyxwvutsrqpo", "alphabet"),
        ("1234567890123", "digits and marks"),
        ("1987-03-12-1987-03-13", "digits and marks"),
        ("Password1234!", "tried first"),
        ("passwordpassword", "tried first"),
        ("qwerty123456", "tried first"),
        ("radiology2026!", "tried first"),
        ("Hospital-Hospital-1", "tried first"),
        ("correcthorsebatterystaple", "tried first"),
        ("diascopediascope", "tried first"),
    ],
)
def test_a_password_that_others_would_guess_is_refused(password, why):
    """C7: 12 characters, not the name, not among the commonest."""
    assert why in weakness(password, "li-wei")
    with pytest.raises(WeakPassword) as refused:
        checked(password, "li-wei")
    assert password not in str(refused.value)


@pytest.mark.parametrize(
    "password", [GOOD, "Kx9!vT2#qLm7", "four plain words here", "医学影像的第二位阅片者在此", "a" * 200 + "bcdefgh"]
)
def test_a_password_that_is_good_enough_is_taken(password):
    assert checked(password, "li-wei") == password


def test_short_names_do_not_refuse_every_password():
    assert weakness(GOOD, "li") == ""


def test_when_all_turns_are_taken_a_login_is_sent_away(monkeypatch):
    """C7: many logins at once do not take all memory and all cores."""
    monkeypatch.setattr(passwords, "WAIT_SECONDS", 0.05)
    begun, go_on = threading.Event(), threading.Event()

    class Slow(PasswordHasher):
        def hash(self, password, *, salt=None):
            begun.set()
            assert go_on.wait(10)
            return super().hash(password, salt=salt)

    one = Passwords(Slow(time_cost=1, memory_cost=8, parallelism=1), at_once=1)
    other = threading.Thread(target=one.stored, args=(GOOD,))
    other.start()
    try:
        assert begun.wait(10)
        with pytest.raises(Throttled) as sent_away:
            one.stored(GOOD)
        assert sent_away.value.retry_after >= 1
    finally:
        go_on.set()
        other.join(10)
    assert one.stored(GOOD)
