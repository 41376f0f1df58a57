"""Migrations: every database that an earlier version made is brought up to date when it is opened (Alembic)."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, MetaData

from diascope.core.errors import BadUsage
from diascope.serve.database import (  # noqa: F401  they add their tables to the index
    beside_tables,
    explaining_tables,
    labelling_tables,
    room_tables,
)
from diascope.serve.database.identity_tables import apart

FOLDER = Path(__file__).with_name("migrations")


def migrate(engine: Engine, tables: MetaData) -> None:
    """Bring a database up to date, in one transaction; a database that is newer is refused.

    Args:
        engine: Of the database.
        tables: Of the index, or of the identities: each has migrations of its own.

    Raises:
        BadUsage: When a newer version of diascope made it.
    """
    config = settings(tables)
    script = ScriptDirectory.from_config(config)
    with engine.begin() as connection:
        now = MigrationContext.configure(connection).get_current_revision()
        known = {one.revision for one in script.walk_revisions()}
        if now is not None and now not in known:
            raise BadUsage(
                "this database was made by a newer version of diascope",
                given=f"revision {now}, this version knows {script.get_current_head()}",
                todo="Use that version, or restore the back-up that was made before the upgrade",
            )
        if now == script.get_current_head():
            return
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def is_current(engine: Engine, tables: MetaData) -> bool:
    """Whether a database is as this version would make it; nothing is changed."""
    with engine.connect() as connection:
        now = MigrationContext.configure(connection).get_current_revision()
    return now == ScriptDirectory.from_config(settings(tables)).get_current_head()


def settings(tables: MetaData) -> Config:
    """Alembic's settings for one of the two databases."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER / ("identities" if tables is apart else "index")))
    config.set_main_option("path_separator", "os")
    config.attributes["tables"] = tables
    return config
