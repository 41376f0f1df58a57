from __future__ import annotations

import base64
import os
import re
import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from diascope.core.errors import BadUsage, Tampered
from diascope.privacy.keys import KeyRing
from diascope.privacy.sealing import Sealer
from diascope.serve import identities as module
from diascope.serve.database.identity_tables import apart, orders, people, words
from diascope.serve.database.opening import Database
from diascope.serve.identities import Identities, Identity, OtherPatient
from diascope.testing.postgres import VARIABLE
from diascope.testing.service import an_address

WANG = Identity(
    name="Wang^Xiaoming=王^小明", number="4711", issuer="HOSPITAL", birth_date="19560102", sex="M", accession="ACC-77"
)
DOE = Identity(name="Doe^John", number="0815", birth_date="19700303", accession="ACC-99", referring="House^Gregory")

on_sqlite = pytest.mark.skipif(VARIABLE in os.environ, reason="looks at the file of SQLite")
opened: list[Database] = []


@pytest.fixture(autouse=True)
def _closed():
    yield
    while opened:
        opened.pop().close()


def some_identities(folder: Path) -> Identities:
    database = Database.open(an_address(folder, "identities"), apart, migrate=False)
    opened.append(database)
    return Identities(database, KeyRing.open(folder / "keys.json"), clock=lambda: 1.0)


def counted(identities: Identities) -> list[int]:
    with identities.database.reading() as connection:
        return [
            connection.execute(select(func.count()).select_from(one)).scalar_one() for one in (people, orders, words)
        ]


def test_what_was_kept_comes_back_with_the_study(tmp_path: Path) -> None:
    identities = some_identities(tmp_path)
    name = identities.keep("1.2.3", WANG)
    assert re.fullmatch(r"patient-[0-9a-f]{16}", name)
    identities.keep("1.2.4", DOE)
    assert identities.of(["1.2.3", "1.2.4", "1.2.5"]) == {"1.2.3": WANG, "1.2.4": DOE}
    assert some_identities(tmp_path).of(["1.2.3"]) == {"1.2.3": WANG}


def test_one_patient_has_one_pseudonym_and_another_issuer_is_another_patient(tmp_path: Path) -> None:
    identities = some_identities(tmp_path)
    name = identities.pseudonym(WANG)
    assert identities.pseudonym(WANG.model_copy(update={"name": "Other", "number": "4711 "})) == name
    assert identities.pseudonym(WANG.model_copy(update={"issuer": ""})) != name
    assert identities.pseudonym(Identity(number="L4711", issuer="HOSPITA")) != name
    assert "4711" not in name
    without = Identity(name="Wang^Xiaoming")
    assert identities.pseudonym(without, "1.2") != identities.pseudonym(without, "1.3")
    with pytest.raises(BadUsage):
        identities.pseudonym(without)


def test_pseudonyms_and_searches_outlive_a_rotation(tmp_path: Path) -> None:
    identities = some_identities(tmp_path)
    before = identities.keep("1.2.3", WANG)
    identities.keep("1.2.4", DOE)
    KeyRing.open(tmp_path / "keys.json").rotate()  # as another process does it
    assert identities.reseal() == 4
    assert identities.reseal() == 0
    again = some_identities(tmp_path)
    assert again.pseudonym(WANG) == before
    assert again.of(["1.2.3", "1.2.4"]) == {"1.2.3": WANG, "1.2.4": DOE}
    assert again.find("name", "wang*") == {before}
    sealer = Sealer(KeyRing.open(tmp_path / "keys.json"), "identities")
    with again.database.reading() as connection:
        rows = [*connection.execute(select(people.c.sealed)), *connection.execute(select(orders.c.sealed))]
    assert [sealer.is_current(row.sealed) for row in rows] == [True] * 4


def test_a_rotation_in_the_middle_loses_nothing(tmp_path: Path) -> None:
    """Rows of two keys stand side by side until `reseal` has run."""
    identities = some_identities(tmp_path)
    identities.keep("1.2.3", WANG)
    identities._keys.rotate()
    identities.keep("1.2.4", DOE)
    assert identities.of(["1.2.3", "1.2.4"]) == {"1.2.3": WANG, "1.2.4": DOE}
    assert identities.reseal() == 2


def test_a_patient_is_found_by_each_kind(tmp_path: Path) -> None:
    identities = some_identities(tmp_path)
    wang, doe = identities.keep("1.2.3", WANG), identities.keep("1.2.4", DOE)
    assert identities.find("name", "王*") == {wang}
    assert identities.find("name", "*oh*") == {doe}
    assert identities.find("name", "*") == {wang, doe}
    assert identities.find("name", "john", fuzzy=True) == {doe}
    assert identities.find("number", "47*") == {wang}
    assert identities.find("number", "*15") == {doe}
    assert identities.find("birth_date", "19500101-19601231") == {wang}
    assert identities.find("accession", "ACC-9*") == {"1.2.4"}
    assert identities.find("accession", "*-77") == {"1.2.3"}
    assert identities.find("name", "nobody") == set()


def test_a_study_keeps_its_own_name_and_the_patient_is_found_by_both(tmp_path: Path) -> None:
    identities = some_identities(tmp_path)
    married = DOE.model_copy(update={"name": "Roe^John", "accession": "ACC-100"})
    patient = identities.keep("1.2.3", DOE)
    assert identities.keep("1.2.4", married) == patient
    assert identities.of(["1.2.3", "1.2.4"]) == {"1.2.3": DOE, "1.2.4": married}
    assert identities.find("name", "doe*") == identities.find("name", "*roe*") == {patient}


def test_what_is_empty_erases_nothing_and_what_is_new_is_added(tmp_path: Path) -> None:
    identities = some_identities(tmp_path)
    identities.keep("1.2.4", DOE)
    identities.keep("1.2.4", Identity(number="0815"))
    identities.keep("1.2.4", Identity(number="0815", accession="ACC-1", sex="F"))
    assert identities.of(["1.2.4"])["1.2.4"] == DOE.model_copy(update={"accession": "ACC-1", "sex": "F"})
    assert identities.find("accession", "ACC-99") == set()
    assert identities.find("accession", "ACC-1") == {"1.2.4"}


def test_a_study_does_not_change_its_patient(tmp_path: Path) -> None:
    """K1: an object with another patient's number in a known study is refused, and nothing changes."""
    identities = some_identities(tmp_path)
    identities.keep("1.2.3", WANG)
    before = counted(identities)
    with pytest.raises(OtherPatient) as caught:
        identities.keep("1.2.3", DOE)
    assert "Doe" not in str(caught.value)
    assert identities.of(["1.2.3"]) == {"1.2.3": WANG}
    assert counted(identities) == before


def test_keeping_again_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    identities = some_identities(tmp_path)
    name = identities.keep("1.2.3", WANG)

    def written(*_: object) -> None:
        raise AssertionError("a transaction")

    monkeypatch.setattr(identities.database, "change", written)
    assert identities.keep("1.2.3", WANG) == name


def test_the_memory_of_what_was_kept_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CACHED", 3)
    identities = some_identities(tmp_path)
    for number in range(8):
        identities.keep(f"1.2.{number}", WANG)
    assert list(identities._kept) == ["1.2.5", "1.2.6", "1.2.7"]
    assert counted(identities)[:2] == [1, 8]


def test_what_is_forgotten_is_gone_and_may_come_again(tmp_path: Path) -> None:
    identities = some_identities(tmp_path)
    married = DOE.model_copy(update={"name": "Roe^John", "accession": "ACC-100"})
    patient = identities.keep("1.2.3", DOE)
    identities.keep("1.2.4", married)
    identities.forget("1.2.3")
    assert identities.of(["1.2.3", "1.2.4"]) == {"1.2.4": married}
    assert identities.find("name", "doe*") == set()
    assert identities.find("name", "roe*") == {patient}
    identities.forget("1.2.4")
    identities.forget("1.2.4")
    assert counted(identities) == [0, 0, 0]
    identities.keep("1.2.4", married)
    assert identities.of(["1.2.4"]) == {"1.2.4": married}


def test_a_search_that_would_open_everything_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OPENED", 5)
    identities = some_identities(tmp_path)
    for number in range(6):
        identities.keep(f"1.2.{number}", Identity(name=f"Doe^J{number}", number=str(number)))
    with pytest.raises(BadUsage, match="more than 5") as caught:
        identities.find("name", "*CANARY*")
    assert "CANARY" not in str(caught.value)
    assert len(identities.find("name", "doe*")) == 6


@pytest.mark.parametrize(("table", "name"), [(people, "pseudonym"), (orders, "study_uid")])
def test_a_changed_or_exchanged_row_is_tampered(tmp_path: Path, table, name: str) -> None:
    """A12: one byte of a row, and two rows that change places."""
    identities = some_identities(tmp_path)
    identities.keep("1.2.3", WANG)
    identities.keep("1.2.4", DOE)
    with identities.database.reading() as connection:
        (one, first), (two, second) = connection.execute(select(table.c[name], table.c.sealed))
    flipped = bytearray(first)
    flipped[-3] ^= 4

    def look() -> None:
        if table is orders:
            identities.of(["1.2.3", "1.2.4"])
        else:
            identities.find("name", "*x*")

    for content in (bytes(flipped), second):
        identities.database.change(
            lambda connection, content=content: connection.execute(
                update(table).where(table.c[name] == one).values(sealed=content)
            )
        )
        with pytest.raises(Tampered):
            look()
    assert two != one


def test_another_ring_is_noticed_at_once(tmp_path: Path) -> None:
    identities = some_identities(tmp_path)
    identities.keep("1.2.3", WANG)
    with pytest.raises(Tampered, match="key ring"):
        Identities(identities.database, KeyRing.open(tmp_path / "other.json"))


def test_no_text_of_an_identity_shows_a_value() -> None:
    """C10: records get into logs and tracebacks by being formatted."""
    shown = [repr(WANG), str(WANG), f"{WANG}", f"{WANG!r}", repr([WANG]), format(WANG), repr({"a": WANG}), ascii(WANG)]
    try:
        Identity.model_validate({"name": ["CANARY"], "nubmer": "CANARY"})
    except ValueError as error:
        shown += [str(error), repr(error)]
    try:
        Identity.from_json({"name": ["CANARY"]})
    except Tampered as error:
        shown += [str(error), str(error.__cause__)]
    assert len(shown) == 12
    for text in shown:
        assert not [value for value in (*WANG.model_dump().values(), "CANARY") if value and value in text]


@on_sqlite
def test_the_database_shows_no_value(tmp_path: Path) -> None:
    """C10: 200 values in the file of the database and its log, in several encodings."""
    identities = some_identities(tmp_path)
    canaries = []
    for number in range(50):
        one = Identity(
            name=f"CanaryName{number:03}^王小{number:03}",
            number=f"CANARY-NUMBER-{number:03}",
            birth_date=f"1956{number:04}",
            accession=f"CANARY-ACCESSION-{number:03}",
        )
        identities.keep(f"1.2.{number}", one)
        canaries += [one.name, one.number, one.accession, one.birth_date]
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir() if "sqlite" in path.name)
    assert b"1.2.49" in kept
    for text in canaries:
        for encoding in ("utf-8", "utf-16-le", "gb18030"):
            assert text.encode(encoding) not in kept
        assert base64.b64encode(text.encode())[:-4] not in kept


@on_sqlite
def test_what_was_kept_is_durable_when_keep_returns(tmp_path: Path) -> None:
    """A2: another connection sees it, and SQLite was told to flush."""
    identities = some_identities(tmp_path)
    identities.keep("1.2.3", WANG)
    with sqlite3.connect(tmp_path / "identities.sqlite") as other:
        assert other.execute("select count(*) from orders").fetchone() == (1,)
    other.close()
    with identities.database.engine.connect() as connection:
        assert connection.exec_driver_sql("pragma synchronous").scalar_one() == 2


def test_threads_keep_the_same_patient_at_once(tmp_path: Path) -> None:
    identities, failures = some_identities(tmp_path), []

    def work(number: int) -> None:
        try:
            for turn in range(10):
                identities.keep(f"1.2.{turn}", WANG)
                identities.keep(f"1.3.{number}.{turn}", DOE.model_copy(update={"name": f"Doe^J{number}"}))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert counted(identities)[:2] == [2, 50]
    for number in range(4):
        assert identities.find("name", f"doe^j{number}") == {identities.pseudonym(DOE)}


def test_a_study_that_was_forgotten_while_it_was_kept_is_kept_again(tmp_path: Path, monkeypatch) -> None:
    """The memory of what was kept must not outlive the row."""
    identities = some_identities(tmp_path)
    change = identities.database.change

    def slow(work):
        made = change(work)
        monkeypatch.setattr(identities.database, "change", change)
        identities.forget("1.2.3")  # another thread, just after the transaction
        return made

    monkeypatch.setattr(identities.database, "change", slow)
    identities.keep("1.2.3", WANG)
    identities.keep("1.2.3", WANG)
    assert identities.of(["1.2.3"]) == {"1.2.3": WANG}
