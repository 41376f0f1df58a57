"""Limits: how often somebody may try a password, and how fast one user may look patients up.

Failed logins are counted in three ways: for an account at one address, for an address over all accounts, for an account
over all addresses. Beyond a free number each further failure doubles the wait, to 15 minutes at most, so nobody is
locked out for ever. Whoever has logged in before, from this address or with this device, is counted apart: a stranger's
failures do not keep him out. An attempt is written down before its password is checked, so a hundred at once count as a
hundred (ASVS 2.4.1, 6.3.1; OWASP, "device cookies").
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select, update

from diascope.core.errors import DiascopeError
from diascope.serve.audit import Event
from diascope.serve.database.tables import attempts, audit_head

if TYPE_CHECKING:
    from diascope.serve.access.matrix import Caller
    from diascope.serve.database.opening import Database
    from diascope.serve.service import Service

FREE = {"device": 10, "known": 10, "stranger": 5, "address": 50, "account": 50}
"""Failures within `WINDOW` before the first wait: of a known device, of an account at a known address, at another one;
of an address over all accounts, and of an account over all addresses, those that are known left out."""

ALERT = {"device": 20, "known": 20, "stranger": 20, "address": 100, "account": 100}
"""Tries of one burst, those that were sent away included, after which an alert is raised."""

WINDOW = 24 * 3600.0
LONGEST_WAIT = 15 * 60.0
KNOWN_FOR = 90 * 24 * 3600.0
"""Seconds: how long failures count, the longest wait, how long an address stays known to an account."""

BURST_ENDS = 3600.0
"""Seconds without a try after which the next one begins another burst."""

MOST_KEYS = 10_000
"""Entries that are kept in memory; the oldest goes first."""


class Throttled(DiascopeError):
    """Too many tries; `retry_after` says in how many seconds the next one is taken."""

    def __init__(self, wrong: str, seconds: float) -> None:
        self.retry_after = max(1, math.ceil(seconds))
        super().__init__(wrong, todo=f"Try again in {self.retry_after} s")


@dataclass(frozen=True)
class Try:
    """One try of a password.

    Args:
        account: SHA-256 of the name that was typed.
        address: As `place` writes it.
        device: Id of a device that the account has logged in with; empty where it shows none.
        user: Name of the user; empty where there is none by the name that was typed.
    """

    account: str
    address: str
    device: str = ""
    user: str = ""


def enter(service: Service, tried: Try) -> int:
    """Take a try, and write it down as failed until `succeeded` says otherwise.

    Returns:
        Its number.

    Raises:
        Throttled: When it comes too early.
    """
    now = service.clock()
    with service.database.reading() as connection:
        kind = _kind(connection, tried, now)
        waits = _waits(connection, tried, kind, now)
    wait, longest = max((seconds, limit) for limit, seconds in waits.items())
    _watch(service, tried, (longest,) if wait > 0 else waits, now)
    if wait > 0:
        raise _throttled(wait)
    found = service.database.change(lambda connection: _written(connection, tried, now))
    if isinstance(found, float):
        raise _throttled(found)
    return found


def succeeded(connection: Connection, number: int, tried: Try, now: float) -> None:
    """The password was right: the address is known from now on. Old tries are dropped."""
    row = update(attempts).where(attempts.c.id == number)
    connection.execute(row.values(succeeded=True, address=tried.address))
    drop_old(connection, now)


def drop_old(connection: Connection, now: float) -> None:
    """Drop tries that count for nothing any more."""
    old = and_(attempts.c.succeeded.is_(False), attempts.c.at < now - WINDOW)
    connection.execute(delete(attempts).where(old | (attempts.c.at < now - KNOWN_FOR)))


def forgive(connection: Connection, account: str) -> None:
    """Forget the failures of an account: its password was reset by somebody who may."""
    connection.execute(delete(attempts).where(attempts.c.account == account, attempts.c.succeeded.is_(False)))


def look_up(service: Service, caller: Caller, count: int = 1) -> None:
    """Take a look-up of patients, or several, from a user's bucket: so many a minute, and a minute's worth at once.

    Raises:
        Throttled: When the bucket is empty; one alert is raised each time that it runs dry.
    """
    size, now = float(service.settings.lookups_per_minute), service.clock()
    wait, first = _memory(service).take(caller.id, min(float(count), size), size, now)
    if first:
        detail = {"reason": "many look-ups of patients", "per_minute": int(size)}
        service.audit.tell(
            Event("security.alert", caller.actor, outcome="failure", address=caller.address, detail=detail)
        )
    if wait > 0:
        raise Throttled("too many look-ups of patients", wait)


def _watch(service: Service, tried: Try, counted: Iterable[str], now: float) -> None:
    """Count a try where it is taken, or by the limit that sent it away; raise an alert when there are many."""
    keys = {"address": f"address:{tried.address}", "account": f"account:{tried.account}"}
    for limit in counted:
        key = keys.get(limit, f"{limit}:{tried.account}:{tried.address}")
        if _memory(service).times(key, now) == ALERT[limit]:
            detail = {"reason": "many failed logins", "counted": limit, "tries": ALERT[limit]}
            service.audit.tell(
                Event("security.alert", "service", tried.user, "failure", address=tried.address, detail=detail)
            )


class _Memory:
    """What a process counts of a service: bounded, and gone with the process."""

    def __init__(self) -> None:
        self._bursts: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._buckets: OrderedDict[str, tuple[float, float, bool]] = OrderedDict()
        self._lock = threading.Lock()

    def times(self, key: str, now: float) -> int:
        """How often something has happened in this burst, this time included."""
        with self._lock:
            times, last = self._bursts.pop(key, (0, now))
            times = times + 1 if abs(now - last) < BURST_ENDS else 1
            self._bursts[key] = (times, now)
            _shorten(self._bursts)
            return times

    def take(self, key: str, cost: float, size: float, now: float) -> tuple[float, bool]:
        """Take from a bucket that fills in a minute.

        Returns:
            Seconds to wait, 0 where it held enough; whether it has just run dry.
        """
        with self._lock:
            left, at, dry = self._buckets.pop(key, (size, now, False))
            left = min(size, left + max(0.0, now - at) * size / 60)
            dry = dry and left < size
            enough = left >= cost
            self._buckets[key] = (left - cost if enough else left, now, dry or not enough)
            _shorten(self._buckets)
            return (0.0, False) if enough else ((cost - left) * 60 / size, not dry)


_memories: weakref.WeakKeyDictionary[Database, _Memory] = weakref.WeakKeyDictionary()
_making = threading.Lock()


def _memory(service: Service) -> _Memory:
    with _making:
        return _memories.setdefault(service.database, _Memory())


def _shorten(kept: OrderedDict[str, Any]) -> None:
    while len(kept) > MOST_KEYS:
        kept.popitem(last=False)


def account_of(name: str) -> str:
    """What is kept of a name that was typed: people type passwords into the wrong field."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def place(address: str) -> str:
    """An address as it is counted: IPv6 by its first 64 bits, which is what one subscriber has.

    Example:
        >>> place("2001:db8::1"), place("::ffff:10.0.0.7"), place("10.0.0.7")
        ('2001:db8::/64', '10.0.0.7', '10.0.0.7')
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False))


def _written(connection: Connection, tried: Try, now: float) -> int | float:
    """The number of a try that was written down; or how long it must wait."""
    # One at a time: two that come together must not both be the last free one. (SQLite has one writer anyway.)
    connection.execute(select(audit_head.c.id).with_for_update())
    kind = _kind(connection, tried, now)
    wait = max(_waits(connection, tried, kind, now).values())
    if wait > 0:
        return wait
    row = insert(attempts).values(account=tried.account, address=_counted(tried, kind), at=now, succeeded=False)
    return int(connection.execute(row.returning(attempts.c.id)).scalar_one())


def _kind(connection: Connection, tried: Try, now: float) -> str:
    """How a try is counted."""
    if tried.device:
        return "device"
    succeeded = and_(attempts.c.address == tried.address, attempts.c.succeeded, attempts.c.at > now - KNOWN_FOR)
    query = select(attempts.c.id).where(attempts.c.account == tried.account, succeeded).limit(1)
    return "stranger" if connection.execute(query).first() is None else "known"


def _counted(tried: Try, kind: str) -> str:
    """What stands in the column `address`: those that are known are kept apart, and so are their failures."""
    return {"device": f"device:{tried.device}", "known": f"known:{tried.address}"}.get(kind, tried.address)


def _waits(connection: Connection, tried: Try, kind: str, now: float) -> dict[str, float]:
    """Seconds until a try is taken, by limit; 0 or less where it is taken now."""
    own, at = attempts.c.account == tried.account, attempts.c.address == _counted(tried, kind)
    since = attempts.c.at > _last_success(connection, tried)
    waits = {kind: _one_wait(connection, FREE[kind], now, own, at, since)}
    if kind == "stranger":
        foreign = and_(attempts.c.address.not_like("known:%"), attempts.c.address.not_like("device:%"))
        waits["address"] = _one_wait(connection, FREE["address"], now, attempts.c.address == tried.address)
        waits["account"] = _one_wait(connection, FREE["account"], now, own, foreign)
    return waits


def _last_success(connection: Connection, tried: Try) -> float:
    here = and_(attempts.c.account == tried.account, attempts.c.address == tried.address, attempts.c.succeeded)
    return float(connection.execute(select(func.max(attempts.c.at)).where(here)).scalar() or 0.0)


def _one_wait(connection: Connection, free: int, now: float, *which: ColumnElement[bool]) -> float:
    recent = and_(attempts.c.succeeded.is_(False), attempts.c.at > now - WINDOW, *which)
    count, last = connection.execute(select(func.count(), func.max(attempts.c.at)).where(recent)).one()
    if count < free:
        return 0.0
    wait = min(2.0 ** min(count - free, 30), LONGEST_WAIT)
    return float(min(last + wait - now, wait))


def _throttled(wait: float) -> Throttled:
    return Throttled("too many failed logins", wait)
