"""The tables of the identities: a database of its own. Without the key, its rows say nothing."""

from __future__ import annotations

from sqlalchemy import Column, Double, Index, LargeBinary, MetaData, String, Table

from diascope.serve.database.tables import NAMES, NUMBER

apart = MetaData(naming_convention=NAMES)

people = Table(
    "people",
    apart,
    Column("pseudonym", String(64), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("changed", Double, nullable=False),
)
"""`sealed`: every name, number, issuer, birth date and other numbers that the patient's studies arrived with."""

orders = Table(
    "orders",
    apart,
    Column("study_uid", String(64), primary_key=True),
    Column("pseudonym", String(64), nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("changed", Double, nullable=False),
)
"""`sealed`: the whole identity that the study arrived with: what is written back carries that, and no later one."""

words = Table(
    "words",
    apart,
    Column("id", NUMBER, primary_key=True),
    Column("word", String(32), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("owner", String(64), nullable=False, index=True),
    Index("ix_words_word_kind", "word", "kind"),
)
"""Keyed hashes of what is searched for (name, number, birth_date, accession) and whose it is: `owner` is a pseudonym,
or a study UID."""
