"""A new key: made current, and every identity sealed with it. Objects stay readable by the older keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diascope.core.errors import BadUsage
from diascope.serve.audit import Audit, Event
from diascope.serve.database.identity_tables import apart
from diascope.serve.database.opening import Database
from diascope.serve.database.tables import index
from diascope.serve.identities import Identities
from diascope.serve.service import addresses, keys_of
from diascope.serve.settings import read_settings


def rotate_keys(workspace: Path, database: str | None = None) -> dict[str, Any]:
    """Rotate the keys of a service; it may run meanwhile.

    Args:
        workspace: The folder with everything.
        database: Address of the index, where it is not the one of the settings.

    Returns:
        `key`: id of the new key; `resealed`: rows; `file`: of the ring.

    Raises:
        BadUsage: When there is no service, or its keys are not there.
        DiascopeError: When the ring can't be written; it is then as it was.
    """
    root = workspace.resolve() / "service"
    if not root.is_dir():
        raise BadUsage("there is no service in this workspace", given=str(workspace))
    settings = read_settings(root, {"database": database})
    ring, (url, apart_url) = keys_of(root, settings), addresses(root, settings)
    opened, people = Database.open(url, index), Database.open(apart_url, apart)
    try:
        identities, trail = Identities(people, ring), Audit(opened, ring.derived("audit"), root / "audit-heads.jsonl")
        made = ring.rotate()
        trail.tell(Event("keys.rotated", "host", made))
        count = identities.reseal()
        trail.tell(Event("keys.resealed", "host", made, detail={"rows": count}))
    finally:
        opened.close()
        people.close()
    return {"key": made, "resealed": count, "file": str(ring.path)}
