"""Identities: who the pseudonyms are. A database of its own, sealed row by row with keys that lie elsewhere.

A study keeps the identity that it arrived with. A patient keeps all that his studies arrived with, for searching: he is
found by the name before his wedding too.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from pydantic import ConfigDict
from sqlalchemy import Connection, Table, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from diascope.core.errors import BadUsage, DataRefused, Tampered
from diascope.core.record import Record, canonical_json
from diascope.privacy.keys import KeyRing
from diascope.privacy.sealing import Sealer
from diascope.serve.database.identity_tables import orders, people, words
from diascope.serve.database.opening import Database
from diascope.serve.words import KINDS, Kind, Search, forms_of, searched, words_of

T = TypeVar("T")
BATCH = 400
"""Rows that are asked for at once; SQLite takes 999 values in older builds."""
CACHED = 8192
"""Studies whose identity need not be looked at again; of each a digest and the pseudonym."""
OPENED = 50_000
"""Rows that one search may open: about a second."""
SEEN = 32
"""Different identities of one patient that are searched; the latest stay."""
OF_PATIENT = ("name", "number", "issuer", "birth_date", "sex", "other_numbers")


class Identity(Record):
    """Who a study is of, as it arrived. Its text and its errors show no value; `model_dump` does."""

    model_config = ConfigDict(hide_input_in_errors=True)
    name: str = ""
    """DICOM PN, groups and components kept: `Wang^Xiaoming=王^小明`."""
    number: str = ""
    """Patient ID."""
    issuer: str = ""
    """Issuer of the patient ID."""
    birth_date: str = ""
    """DICOM DA, `YYYYMMDD`."""
    sex: str = ""
    """DICOM CS: M, F, O."""
    other_numbers: str = ""
    """Other patient IDs, separated by backslashes."""
    accession: str = ""
    accession_issuer: str = ""
    study_number: str = ""
    """Study ID."""
    referring: str = ""
    """Physicians, DICOM PN, separated by backslashes."""
    performing: str = ""
    requesting: str = ""
    reading: str = ""

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        return ()


class OtherPatient(DataRefused):
    """A study that is known as another patient's."""


class Identities:
    """Identities by pseudonym and study.

    Args:
        database: With the tables of `identity_tables`.
        keys: Their ring.
        clock: Seconds since 1970.

    Raises:
        Tampered: When there are rows that the ring cannot open: it is not theirs.
    """

    def __init__(self, database: Database, keys: KeyRing, clock: Callable[[], float] = time.time) -> None:
        self.database = database
        self._clock = clock
        self._sealer = Sealer(keys, "identities")
        self._names, self._words = keys.derived("pseudonyms"), keys.derived("words of identities")
        self._keys = keys
        self._kept: OrderedDict[str, tuple[bytes, str]] = OrderedDict()
        self._forgotten = 0
        self._lock = threading.Lock()
        with database.reading() as connection:
            row = connection.execute(select(people).limit(1)).first()
        if row is not None:
            self._opened(people, row.pseudonym, row.sealed)

    def pseudonym(self, identity: Identity, study_uid: str = "") -> str:
        """The patient's name in the rest of the system.

        Args:
            identity: Of which issuer and number count.
            study_uid: Counts where there is no number: such studies are each a patient of their own.

        Returns:
            `patient-` and 16 hexadecimal digits of a keyed hash.

        Raises:
            BadUsage: When there is neither a number nor a study UID.
        """
        number, issuer = identity.number.strip(" \0"), identity.issuer.strip(" \0")
        if not number and not study_uid:
            raise BadUsage("no patient number and no study UID: nothing to make a pseudonym of")
        known = ("number", issuer, number) if number else ("study", study_uid)
        digest = hmac.new(self._names, canonical_json(known).encode(), hashlib.sha256)
        return f"patient-{digest.hexdigest()[:16]}"

    def keep(self, study_uid: str, identity: Identity) -> str:
        """Keep what a study says of its patient; durable when this returns. What is empty changes nothing.

        Args:
            study_uid: The study.
            identity: As one of its objects has it.

        Returns:
            The pseudonym.

        Raises:
            OtherPatient: When the study is known as another patient's; nothing is then changed.
        """
        pseudonym = self.pseudonym(identity, study_uid)
        digest = hashlib.sha256(canonical_json(identity.to_json()).encode()).digest()
        if self._is_kept(study_uid, digest, pseudonym):
            return pseudonym
        forgotten = self._forgotten
        self.database.change(lambda connection: self._keep(connection, study_uid, pseudonym, identity))
        with self._lock:
            if forgotten != self._forgotten:
                return pseudonym  # it may have been this study, after the transaction
            self._kept[study_uid] = (digest, pseudonym)
            self._kept.move_to_end(study_uid)
            if len(self._kept) > CACHED:
                self._kept.popitem(last=False)
        return pseudonym

    def of(self, study_uids: Sequence[str]) -> dict[str, Identity]:
        """Identities of studies, each as it arrived: re-identification, which the caller audits.

        Returns:
            Study UID to identity, without those that are not known.

        Raises:
            Tampered: When a row is not what was kept.
        """
        found = {}
        with self.database.reading() as connection:
            for some in _batches(study_uids):
                query = select(orders.c.study_uid, orders.c.sealed).where(orders.c.study_uid.in_(some))
                for row in connection.execute(query):
                    found[row.study_uid] = self._identity(row.study_uid, row.sealed)
        return found

    def find(self, kind: Kind, pattern: str, fuzzy: bool = False) -> set[str]:
        """Whose value matches.

        Args:
            kind: Of value.
            pattern: DICOM wildcards `*` and `?`; case and width do not matter; birth dates also as a range.
            fuzzy: For names: every word of the pattern begins some word of the name, in any order.

        Returns:
            Pseudonyms; of accession numbers study UIDs.

        Raises:
            BadUsage: When more rows would have to be opened than one search may: the pattern says too little.
        """
        search = searched(kind, pattern, self._words, fuzzy)
        table = orders if kind == "accession" else people
        with self.database.reading() as connection:
            owners = self._owners(connection, kind, search) if search.words else None
            if search.is_exact and owners is not None:
                return owners
            return self._matching(connection, table, kind, search, owners)

    def forget(self, study_uid: str) -> None:
        """Remove what is known of a study, and of its patient what no other study says."""
        self.database.change(lambda connection: self._forget(connection, study_uid))
        with self._lock:
            self._forgotten += 1
            self._kept.pop(study_uid, None)

    def reseal(self) -> int:
        """Seal again, with the current key, every row that another one has sealed. Others may read and write meanwhile.

        Returns:
            Rows that were sealed again.
        """
        self._keys.reload()
        return sum(self._reseal(table, some) for table in (people, orders) for some in self._outdated(table))

    def _is_kept(self, study_uid: str, digest: bytes, pseudonym: str) -> bool:
        with self._lock:
            if self._kept.get(study_uid) != (digest, pseudonym):
                return False
            self._kept.move_to_end(study_uid)
        if self.database.is_sqlite:
            return True  # one process: whoever forgets does it here
        with self.database.reading() as connection:
            return (
                connection.execute(select(orders.c.pseudonym).where(orders.c.study_uid == study_uid)).first()
                is not None
            )

    def _keep(self, connection: Connection, study_uid: str, pseudonym: str, identity: Identity) -> None:
        row = connection.execute(select(orders).where(orders.c.study_uid == study_uid).with_for_update()).first()
        known, merged = Identity(), identity
        if row is not None:
            if row.pseudonym != pseudonym:
                raise OtherPatient(
                    "the study is known as another patient's",
                    given=f"{pseudonym}, known {row.pseudonym}",
                    todo="Find out which patient is right; delete the study before the corrected one is sent",
                )
            known = self._identity(study_uid, row.sealed)
            merged = known.model_copy(update={name: value for name, value in identity if value})
            if merged == known:
                return
        sealed = self._sealer.seal(_bytes(merged.model_dump(exclude_defaults=True)), _context(orders, study_uid))
        values = {"pseudonym": pseudonym, "sealed": sealed, "changed": self._clock()}
        if row is not None:
            connection.execute(update(orders).where(orders.c.study_uid == study_uid).values(values))
        elif not self._inserted(connection, orders, {"study_uid": study_uid, **values}):
            # Another process was faster (PostgreSQL): now there is a row to look at.
            return self._keep(connection, study_uid, pseudonym, identity)
        if merged.accession != known.accession:
            hashes = words_of("accession", [merged.accession], self._words)
            self._write_words(connection, study_uid, {"accession": hashes}, is_new=row is None)
        self._include(connection, pseudonym, _of_patient(merged))

    def _include(self, connection: Connection, pseudonym: str, said: dict[str, str]) -> None:
        """Add what one study says of a patient to what is known of him."""
        values = {"pseudonym": pseudonym, **self._person(pseudonym, [said])}
        if self._inserted(connection, people, values):
            self._write_words(connection, pseudonym, self._words_of_person([said]), is_new=True)
            return
        row = connection.execute(select(people).where(people.c.pseudonym == pseudonym).with_for_update()).one()
        seen = self._opened(people, pseudonym, row.sealed)
        if said not in seen:
            self._write_person(connection, pseudonym, [*seen, said][-SEEN:])

    def _write_person(self, connection: Connection, pseudonym: str, seen: list[dict[str, str]]) -> None:
        changed = self._person(pseudonym, seen)
        connection.execute(update(people).where(people.c.pseudonym == pseudonym).values(changed))
        self._write_words(connection, pseudonym, self._words_of_person(seen))

    def _person(self, pseudonym: str, seen: list[dict[str, str]]) -> dict[str, Any]:
        return {"sealed": self._sealer.seal(_bytes(seen), _context(people, pseudonym)), "changed": self._clock()}

    def _words_of_person(self, seen: list[dict[str, str]]) -> dict[Kind, set[str]]:
        return {kind: words_of(kind, _values(kind, seen), self._words) for kind in KINDS[:3]}

    def _write_words(
        self, connection: Connection, owner: str, hashes: dict[Kind, set[str]], is_new: bool = False
    ) -> None:
        if not is_new:
            connection.execute(delete(words).where(words.c.owner == owner))
        rows = [{"word": word, "kind": kind, "owner": owner} for kind, some in hashes.items() for word in sorted(some)]
        if rows:
            connection.execute(insert(words), rows)

    def _inserted(self, connection: Connection, table: Table, values: dict[str, Any]) -> bool:
        made = sqlite.insert(table) if self.database.is_sqlite else postgresql.insert(table)
        name = table.primary_key.columns[0]
        # Not `rowcount`, which psycopg does not know of an insert.
        return connection.execute(made.values(values).on_conflict_do_nothing().returning(name)).first() is not None

    def _forget(self, connection: Connection, study_uid: str) -> None:
        row = connection.execute(select(orders).where(orders.c.study_uid == study_uid).with_for_update()).first()
        if row is None:
            return
        connection.execute(delete(orders).where(orders.c.study_uid == study_uid))
        connection.execute(delete(words).where(words.c.owner == study_uid))
        connection.execute(select(people).where(people.c.pseudonym == row.pseudonym).with_for_update())
        query = select(orders).where(orders.c.pseudonym == row.pseudonym).order_by(orders.c.changed)
        seen: list[dict[str, str]] = []
        for other in connection.execute(query):
            said = _of_patient(self._identity(other.study_uid, other.sealed))
            seen += [] if said in seen else [said]
        if seen:
            self._write_person(connection, row.pseudonym, seen[-SEEN:])
        else:
            connection.execute(delete(people).where(people.c.pseudonym == row.pseudonym))
            connection.execute(delete(words).where(words.c.owner == row.pseudonym))

    def _owners(self, connection: Connection, kind: Kind, search: Search) -> set[str]:
        """Who has a word of every group."""
        found: set[str] | None = None
        for group in search.words:
            query = select(words.c.owner).where(words.c.kind == kind, words.c.word.in_(group))
            having = set(connection.execute(query).scalars())
            found = having if found is None else found & having
        return found or set()

    def _matching(
        self, connection: Connection, table: Table, kind: Kind, search: Search, owners: set[str] | None
    ) -> set[str]:
        """Open rows, of the owners or of all, and compare."""
        name = table.primary_key.columns[0]
        query = select(name, table.c.sealed).limit(OPENED + 1)
        queries = [query] if owners is None else [query.where(name.in_(some)) for some in _batches(sorted(owners))]
        found, opened = set(), 0
        for one in queries:
            for owner, sealed in connection.execute(one):
                opened += 1
                if opened > OPENED:
                    raise BadUsage(
                        f"the pattern leaves more than {OPENED} patients to look at",
                        todo="Begin it with two letters, or search by the number",
                    )
                content = self._opened(table, owner, sealed)
                values = _values(kind, content if isinstance(content, list) else [content])
                if any(search.matches(forms_of(kind, value)) for value in values):
                    found.add(owner)
        return found

    def _outdated(self, table: Table) -> Iterator[list[tuple[str, bytes]]]:
        name, last = table.primary_key.columns[0], ""
        while True:
            query = select(name, table.c.sealed).where(name > last).order_by(name).limit(BATCH)
            with self.database.reading() as connection:
                rows = [(row[0], row[1]) for row in connection.execute(query)]
            if not rows:
                return
            last = rows[-1][0]
            yield [(owner, sealed) for owner, sealed in rows if not self._sealer.is_current(sealed)]

    def _reseal(self, table: Table, rows: list[tuple[str, bytes]]) -> int:
        name, context = table.primary_key.columns[0], _context

        def work(connection: Connection) -> int:
            done = 0
            for owner, sealed in rows:
                again = self._sealer.seal(self._sealer.open(sealed, context(table, owner)), context(table, owner))
                # Whoever changed the row meanwhile has sealed it with the current key.
                unchanged = update(table).where(name == owner, table.c.sealed == sealed)
                done += connection.execute(unchanged.values(sealed=again)).rowcount
            return done

        return self.database.change(work) if rows else 0

    def _identity(self, study_uid: str, sealed: bytes) -> Identity:
        return Identity.from_json(self._opened(orders, study_uid, sealed), where="a sealed identity")

    def _opened(self, table: Table, owner: str, sealed: bytes) -> Any:
        try:
            return json.loads(self._sealer.open(sealed, _context(table, owner)))
        except Tampered as error:
            raise Tampered(
                f"a row of {table.name} is not what was kept: {error.wrong}",
                given=owner,
                todo="Restore the database of the identities and its key ring from one back-up",
            ) from error


def _context(table: Table, owner: str) -> str:
    return f"{table.name} {owner}"


def _bytes(content: object) -> bytes:
    return canonical_json(content).encode()


def _of_patient(identity: Identity) -> dict[str, str]:
    return {name: value for name in OF_PATIENT if (value := getattr(identity, name))}


def _values(kind: Kind, said: Iterable[dict[str, str]]) -> list[str]:
    """The values of a kind in what is known."""
    fields = ("number", "other_numbers") if kind == "number" else (kind,)
    return [one[field] for one in said for field in fields if field in one]


def _batches(values: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(values)
    while some := list(islice(rest, BATCH)):
        yield some
