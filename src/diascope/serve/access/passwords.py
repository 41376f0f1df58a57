"""Passwords: what is good enough, how they are kept, and how they are checked.

They are kept as argon2id with 19 MiB, 2 passes and 1 lane, the least that OWASP's Password Storage Cheat Sheet gives.
A stored one that was made with other parameters is made anew when its owner logs in. A one-time password carries the
time until when it is good in front of its hash. No password is ever part of an error or a log.
"""

from __future__ import annotations

import secrets
import threading
import unicodedata
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from diascope.core.errors import DataRefused
from diascope.serve.access.limits import Throttled

SHORTEST, LONGEST = 12, 256
"""Characters. The longest bounds the work; NIST SP 800-63B asks for at least 64."""

ONE_TIME_SECONDS = 72 * 3600.0
"""How long a one-time password is good."""

COMMONEST = frozenset(
    """
    000000 111111 112233 121212 123123 123321 1234 12345 123456 1234567 12345678 123456789 1234567890 123qwe 1q2w3e
    1q2w3e4r 1q2w3e4r5t 1qaz2wsx 654321 666666 696969 888888 987654321 a1b2c3 aa123456 abc abc123 abcd abcd1234 access
    administrator admin asdf asdfgh asdfghjkl baseball batman changeme charlie computer correcthorsebatterystaple daniel
    default diascope dicom doctor donald dragon football freedom guest hello hospital iloveyou jordan letmein login
    lovely master medical michael monkey mustang ninja orthanc pacs pass passw0rd passwd password password1 password123
    patient princess qazwsx qwe123 qwer1234 qwerty qwerty123 qwertyuiop qwertyuiopasdfghjklzxcvbnm radiology root
    secret shadow soccer starwars summer sunshine superman temporary test trustno1 user welcome whatever winter woaini
    woaini1314 x4ivygA51F xray zaq12wsx zxcvbn zxcvbnm
    """.casefold().split()
)
"""What people take first (from public lists of leaks, and of our trade); also refused with little else around it."""

MARKS = "0123456789!?.,;:#$%&*@_-+= "
"""What people put around a word to make it long enough."""

ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""For one-time passwords: nothing that looks like something else."""

WAIT_SECONDS = 5.0
"""How long a login waits for its turn at the hashing before it is sent away."""


class WeakPassword(DataRefused):
    """A password that others would guess."""


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Args:
        right: Whether the password is the stored one.
        expired: Whether it was a one-time password whose time is over (`right` is then False).
        renewed: The password, stored anew with the parameters of today; None where nothing changed.
    """

    right: bool
    expired: bool = False
    renewed: str | None = None


class Passwords:
    """Hashing and checking, a few at a time, for each takes 19 MiB and a core.

    Args:
        hasher: argon2id with its parameters.
        at_once: How many are hashed at the same time.
    """

    def __init__(self, hasher: PasswordHasher | None = None, at_once: int = 2) -> None:
        self._hasher = hasher or PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, type=Type.ID)
        self._turns = threading.BoundedSemaphore(at_once)
        self._nobody = cache(lambda: self._hasher.hash(secrets.token_hex(16)))

    def stored(self, password: str) -> str:
        """What is kept of a password.

        Raises:
            Throttled: When too many are hashed already.
        """
        with _Turn(self._turns):
            return self._hasher.hash(_bytes(password))

    def one_time(self, now: float) -> tuple[str, str]:
        """A random password for one use, and what is kept of it.

        Args:
            now: Seconds since 1970.

        Raises:
            Throttled: When too many are hashed already.
        """
        password = "-".join("".join(secrets.choice(ALPHABET) for _ in range(5)) for _ in range(4))
        return password, f"{int(now + ONE_TIME_SECONDS)}:{self.stored(password)}"

    def check(self, stored: str | None, password: str, now: float) -> Checked:
        """Compare; the work is the same where there is nothing to compare with.

        Args:
            stored: What was kept; None where the user is unknown or has no password.
            password: What was typed.
            now: Seconds since 1970.

        Raises:
            Throttled: When too many are checked already.
        """
        until, kept = _parts(stored)
        with _Turn(self._turns):
            known = kept or self._nobody()
            try:
                self._hasher.verify(known, _bytes(password[: LONGEST + 1]))
            except (VerificationError, InvalidHashError):
                return Checked(False)
            if not kept:
                return Checked(False)
            if until is not None:
                return Checked(now < until, expired=now >= until)
            stale = self._hasher.check_needs_rehash(kept)
            return Checked(True, renewed=self._hasher.hash(_bytes(password)) if stale else None)


class _Turn:
    """A turn at the hashing, or word to come back."""

    def __init__(self, turns: threading.BoundedSemaphore) -> None:
        self._turns = turns

    def __enter__(self) -> None:
        if not self._turns.acquire(timeout=WAIT_SECONDS):
            raise Throttled("too many people log in at this moment", WAIT_SECONDS)

    def __exit__(self, *_: object) -> None:
        self._turns.release()


PASSWORDS = Passwords()
"""Of this process: its turns are shared by all who log in."""


def is_one_time(stored: str | None) -> bool:
    """Whether what is kept is a password for one use."""
    return _parts(stored)[0] is not None


def checked(password: str, name: str) -> str:
    """A new password that is good enough.

    Args:
        password: As it was typed.
        name: Of its user.

    Raises:
        WeakPassword: Says why it is not, without repeating it.
    """
    if why := weakness(password, name):
        raise WeakPassword(
            why, todo="Take several words that do not belong together, or let a password keeper make one"
        )
    return password


def weakness(password: str, name: str) -> str:
    """Why a password is not good enough; empty where it is."""
    plain = normal(password).casefold()
    if len(plain) < SHORTEST:
        return f"a password needs {SHORTEST} characters or more"
    if len(password) > LONGEST:
        return f"a password has at most {LONGEST} characters"
    if len(name) > 2 and normal(name).casefold() in plain:
        return "the password contains the user name"
    if len(set(plain)) < 5:
        return "the password repeats a few characters"
    if _is_run(plain):
        return "the password follows the alphabet or counts"
    if not plain.strip(MARKS):
        return "the password holds digits and marks only, as telephone numbers and birth dates do"
    if _is_common(plain):
        return "the password is among those that are tried first"
    return ""


def normal(password: str) -> str:
    """The same characters however the keyboard composed them (NFKC, NIST SP 800-63B)."""
    return unicodedata.normalize("NFKC", password)


def _bytes(password: str) -> bytes:
    return normal(password).encode("utf-8", "surrogatepass")


def _is_run(plain: str) -> bool:
    steps = {ord(b) - ord(a) for a, b in pairwise(plain)}
    return steps <= {1} or steps <= {-1}


def _is_common(plain: str) -> bool:
    """Whether it is a common one, or several of them with digits and marks around."""
    core = plain.strip(MARKS)
    if plain in COMMONEST or core in COMMONEST:
        return True
    rest = core
    for word in sorted(COMMONEST, key=len, reverse=True):
        rest = rest.replace(word, "")
    return len(rest.strip(MARKS)) < 3


def _parts(stored: str | None) -> tuple[float | None, str]:
    """Until when it is good (None: for ever), and the hash."""
    head, mark, rest = (stored or "").partition(":")
    return (float(head), rest) if mark and head.isdigit() else (None, stored or "")
