"""How the service does, as the dashboard shows it: the queue, free space, peers."""

from __future__ import annotations

from collections.abc import Sequence

from diascope.reports.markup import Child, Markup, tag
from diascope.reports.tables import table
from diascope.serve.room import numbers
from diascope.serve.room.watching_state import Peer, Queued
from diascope.serve.room.words import Words
from diascope.serve.state import LATE

STATES = ("queued", "running", "done", "failed", "cancelled")


def queue_part(found: Queued, words: Words) -> Markup:
    """Jobs by state, how long the oldest waits, what failed."""
    rows: list[list[Child]] = [[words(f"dashboard.job.{state}"), f"{found.states.get(state, 0):,}"] for state in STATES]
    oldest = words("dashboard.oldest.none")
    if found.oldest is not None:
        oldest = words("dashboard.oldest", time=duration(found.oldest, words))
    is_late = found.oldest is not None and found.oldest > LATE
    failed = [tag("li", tag("code", kind), f" {many:,}") for kind, many in found.failed.items()]
    return tag(
        "section",
        tag("h2", words("dashboard.queue")),
        table([words("dashboard.state"), words("dashboard.jobs")], rows, ("", "number")),
        tag("p", oldest, class_="alarm" if is_late else None),
        [tag("p", words("dashboard.failed")), tag("ul", failed)] if failed else None,
        id="queue",
    )


def disk_part(free: int | None, keep: float, words: Words) -> Markup:
    """Free space for objects."""
    if free is None:
        text, low = words("dashboard.disk.unknown"), False
    else:
        low = free < keep
        text = words("dashboard.disk.free", free=f"{free / 1e9:,.1f}", keep=f"{keep / 1e9:,.1f}")
    return tag(
        "section", tag("h2", words("dashboard.disk")), tag("p", text, class_="alarm" if low else None), id="disk"
    )


def peers_part(found: Sequence[Peer], words: Words, why: bool) -> Markup:
    """Peers and their last deliveries; `why`: whether reasons of failures, which name machines, may be seen."""
    rows: list[list[Child]] = []
    for one in found:
        named = [one.name, tag("small", one.kind if one.enabled else words("dashboard.peer.off", kind=one.kind))]
        last = numbers.moment(one.last) if one.last is not None else words("dashboard.peer.never")
        failed = f"{one.states.get('failed', 0):,}"
        told = tag("small", one.failure) if why and one.failure else None
        bad = tag("span", failed, class_="alarm") if one.states.get("failed") else failed
        sent = [f"{one.states.get(state, 0):,}" for state in ("sent", "waiting")]
        rows.append([tag("span", named), *sent, tag("span", bad, told), last])
    names = ("peer", "sent", "waiting", "failures", "last")
    kinds = ("", "number", "number", "number", "")
    shown = table([words(f"dashboard.peer.{name}") for name in names], rows, kinds)
    empty = tag("p", words("dashboard.peer.none"), class_="quiet")
    return tag("section", tag("h2", words("dashboard.peers")), shown if rows else empty, id="peers")


def duration(seconds: float, words: Words) -> str:
    """Seconds, minutes, hours or days, whichever is read most easily."""
    for name, size in (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * size:
            return words(f"dashboard.time.{name}", n=f"{seconds / size:.0f}")
    return words("dashboard.time.seconds", n=f"{seconds:.0f}")
