"""D2, D4: the audit trail shows every change that was made to it by hand."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, event, select
from sqlalchemy.pool import StaticPool

from diascope.core.errors import DiascopeError
from diascope.core.record import canonical_json, hash_of
from diascope.serve.audit import START, Audit, Event
from diascope.serve.database.opening import Database
from diascope.serve.database.tables import audit as records
from diascope.serve.database.tables import index
from diascope.testing.service import Clock

KEY = b"k" * 32
DAY = 86_400.0


def in_memory() -> Database:
    """A database without a disk: thousands of trails are changed and read."""
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _begun(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN")

    index.create_all(engine)
    return Database(engine, engine)


def a_trail(folder: Path, count: int = 40) -> Audit:
    """A trail of several days, whose heads were kept each day but for the last records."""
    clock = Clock()
    trail = Audit(in_memory(), KEY, folder / "heads.jsonl", clock)
    for number in range(count):
        trail.tell(Event("study.viewed", f"user:{number % 3}", f"1.2.{number}", detail={"number": number}))
        if number % 10 == 9:
            trail.anchor()
            clock.forward(DAY)
    return trail


def raw(trail: Audit) -> sqlite3.Connection:
    connection: Any = trail.database.engine.raw_connection().driver_connection
    return connection


def content(trail: Audit) -> list[dict[str, Any]]:
    with trail.database.reading() as connection:
        return [dict(row) for row in connection.execute(select(records).order_by(records.c.sequence)).mappings()]


def put_back(trail: Audit, rows: list[dict[str, Any]], head: tuple[int, str] | None = None) -> None:
    """Whoever has the database writes what he likes, also the head."""
    last = head or ((rows[-1]["sequence"], rows[-1]["digest"]) if rows else (0, START))
    connection = raw(trail)
    connection.execute("BEGIN")
    connection.execute("DELETE FROM audit")
    names = list(records.columns.keys())
    marks = ", ".join("?" for _ in names)
    values = [[json.dumps(row[name]) if name == "detail" else row[name] for name in names] for row in rows]
    connection.executemany(f"INSERT INTO audit ({', '.join(names)}) VALUES ({marks})", values)
    connection.execute("UPDATE audit_head SET sequence = ?, digest = ?", last)
    connection.execute("COMMIT")


def edited(rows: list[dict[str, Any]], chance: random.Random) -> int:
    at = chance.randrange(len(rows))
    name = chance.choice(["at", "actor", "action", "outcome", "object", "project_id", "address", "detail", "digest"])
    value = rows[at][name]
    rows[at][name] = {"other": 1} if name == "detail" else (value + 1 if name == "at" else f"{value}x"[-64:])
    return at + 1


def deleted(rows: list[dict[str, Any]], chance: random.Random) -> int:
    at = chance.randrange(len(rows))
    del rows[at]
    return at + 1


def renumbered(rows: list[dict[str, Any]], chance: random.Random) -> int:
    at = deleted(rows, chance)
    for number, row in enumerate(rows, 1):
        row["sequence"] = number
    return at


def swapped(rows: list[dict[str, Any]], chance: random.Random) -> int:
    first, second = sorted(chance.sample(range(len(rows)), 2))
    rows[first], rows[second] = rows[second], rows[first]
    rows[first]["sequence"], rows[second]["sequence"] = first + 1, second + 1
    return first + 1


def cut(rows: list[dict[str, Any]], chance: random.Random) -> int:
    at = chance.randrange(len(rows))
    del rows[at:]
    return at + 1


def hashed_again(rows: list[dict[str, Any]], chance: random.Random) -> int:
    """Edited, and everything after it hashed again by somebody who knows how, and has no key."""
    at = edited(rows, chance)
    previous = rows[at - 2]["digest"] if at > 1 else START
    for row in rows[at - 1 :]:
        row["previous"] = previous
        previous = row["digest"] = hash_of({name: value for name, value in row.items() if name != "digest"})
    return at


WAYS: tuple[Callable[[list[dict[str, Any]], random.Random], int], ...] = (
    edited, deleted, renumbered, swapped, cut, hashed_again,
)  # fmt: skip


def test_a_trail_that_nobody_changed_is_sound(tmp_path):
    trail = a_trail(tmp_path)
    found = trail.verify()
    assert (found.records, found.first_bad, found.reason) == (40, None, "")
    assert found.head == content(trail)[-1]["digest"]


def test_a_thousand_changes_are_found_and_the_first_bad_record_is_named(tmp_path):
    """D2: edits, deletions, swaps, truncations, a tail that was hashed again without the key; the head is moved too."""
    trail, chance = a_trail(tmp_path), random.Random(0)
    whole = content(trail)
    missed = []
    for number in range(1000):
        rows = [dict(row) for row in whole]
        way = WAYS[number % len(WAYS)]
        first = way(rows, chance)
        put_back(trail, rows)
        found = trail.verify()
        if found.first_bad != first:
            missed.append((way.__name__, first, found))
    assert missed == []


def test_a_tail_cut_behind_the_last_head_outside_shows_by_the_head_inside(tmp_path):
    """D2: whoever cuts the end and forgets the head is found; the head outside finds the others up to its day."""
    trail = a_trail(tmp_path, 45)
    whole = content(trail)
    put_back(trail, whole[:43], (45, whole[-1]["digest"]))
    assert trail.verify().first_bad == 44
    put_back(trail, whole[:39])
    assert trail.verify().first_bad == 40
    put_back(trail, [])
    assert trail.verify().first_bad == 1


def test_a_chain_hashed_again_with_the_key_is_found_by_the_heads_outside(tmp_path):
    """D2: the key alone is not enough: the heads that were kept elsewhere (a back-up, a printer) are not those."""
    trail = a_trail(tmp_path)
    kept = trail.anchors.read_bytes()
    rows = content(trail)
    rows[4]["actor"] = "user:nobody"
    previous = rows[3]["digest"]
    for row in rows[4:]:
        row["previous"] = previous
        previous = row["digest"] = trail._digest(row)
    put_back(trail, rows)
    trail.anchors.write_bytes(kept)
    found = trail.verify()
    assert found.first_bad == 10
    assert "signed head" in found.reason


@pytest.mark.parametrize("number", range(4))
def test_a_head_outside_that_was_changed_is_found(number, tmp_path):
    """D2: a line of the file of heads, changed without the key."""
    trail = a_trail(tmp_path)
    lines = [json.loads(line) for line in trail.anchors.read_text().splitlines()]
    lines[number]["digest"] = "0" * 64
    trail.anchors.write_text("\n".join(canonical_json(line) for line in lines) + "\n")
    assert trail.verify().first_bad is not None


def test_a_record_is_written_with_what_it_tells_or_not_at_all(tmp_path):
    """D4: what is undone leaves no record, and the chain stays whole."""
    trail = a_trail(tmp_path, 3)

    def work(connection: Any) -> None:
        trail.append(connection, Event("study.deleted", "user:li", "1.2.3"))
        raise DiascopeError("no")

    with pytest.raises(DiascopeError):
        trail.database.change(work)
    assert trail.verify().records == 3
    trail.tell(Event("study.viewed", "user:li"))
    assert (trail.verify().records, trail.verify().first_bad) == (4, None)


def test_the_trail_of_a_killed_process_is_sound(tmp_path):
    """D4: kill -9 while it writes: every record that was told of is there, and the chain is whole."""
    assert told_by_the_killed(tmp_path, 2) > 0


@pytest.mark.nightly
def test_the_trail_of_twenty_killed_processes_is_sound(tmp_path):
    """D4: twenty times."""
    assert told_by_the_killed(tmp_path, 20) > 0


WRITER = """
import sys
from pathlib import Path
from diascope.serve.audit import Audit, Event
from diascope.serve.database.opening import Database
from diascope.serve.database.tables import index
folder = Path(sys.argv[1])
trail = Audit(Database.open(f"sqlite:///{folder / 'index.sqlite'}", index, migrate=False), b"k" * 32, folder / "heads")
number = int(sys.argv[2])
while True:
    trail.tell(Event("study.viewed", "user:li", str(number)))
    print(number, flush=True)
    number += 1
"""


def told_by_the_killed(folder: Path, kills: int) -> int:
    """Kill a process that writes the trail, again and again; how many records were acknowledged, all of them there."""
    chance, last = random.Random(0), -1
    for _ in range(kills):
        with subprocess.Popen([sys.executable, "-c", WRITER, folder, str(last + 1)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            for _ in range(chance.randrange(1, 60)):
                last = int(writer.stdout.readline())
            writer.kill()
            for line in writer.stdout.read().split():  # what it still said counts as acknowledged
                last = int(line)
        trail = Audit(
            Database.open(f"sqlite:///{folder / 'index.sqlite'}", index, migrate=False), KEY, folder / "heads"
        )
        told = [int(row["object"]) for row in content(trail)]
        assert told[: last + 1] == list(range(last + 1))
        assert len(told) <= last + 2, "at most the one that it was killed in"
        assert trail.verify().first_bad is None
        last = told[-1]
        trail.database.close()
    return last + 1
