"""Devices that an account has logged in with, so that a stranger's failures do not keep their owner out.

A device is known by a cookie that the service signed: user, password of that time, a random id, and when. Nothing is
stored; a new password makes all of them strange again (OWASP, "Slow down online guessing attacks with device cookies").
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

GOOD_FOR = 180 * 24 * 3600.0
"""Seconds."""


class Devices:
    """Signs and reads the cookies.

    Args:
        key: 32 bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def cookie(self, user: str, stored: str, now: float) -> str:
        """A cookie for a device that has just logged in.

        Args:
            user: Id.
            stored: What is kept of the password.
            now: Seconds since 1970.
        """
        text = f"{secrets.token_hex(16)}.{int(now)}"
        return f"{text}.{self._signature(user, stored, text)}"

    def known(self, cookie: str, user: str, stored: str, now: float) -> str:
        """The id of a device of this user; empty where the cookie is none, is over, or is another user's."""
        parts = cookie.split(".")
        if len(parts) != 3 or not (parts[1].isascii() and parts[1].isdigit()) or len(parts[1]) > 12:
            return ""
        signature = self._signature(user, stored, f"{parts[0]}.{parts[1]}")
        sound = hmac.compare_digest(signature.encode(), parts[2].encode("utf-8", "replace"))
        return parts[0] if sound and abs(now - int(parts[1])) < GOOD_FOR else ""

    def _signature(self, user: str, stored: str, text: str) -> str:
        content = "\0".join((user, hashlib.sha256(stored.encode()).hexdigest(), text))
        return hmac.new(self._key, content.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
