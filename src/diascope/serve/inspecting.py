"""Looking at a service from the command line, also while it runs: its audit trail."""

from __future__ import annotations

from typing import Any

from diascope.core.errors import Tampered
from diascope.serve.audit import Audit
from diascope.serve.database.opening import Database
from diascope.serve.database.tables import index
from diascope.serve.service import addresses, keys_of, service_folder
from diascope.serve.settings import read_settings
from diascope.store.workspace import Workspace


def verified(workspace: Workspace, database: str | None = None) -> dict[str, Any]:
    """Read the whole audit trail of a workspace.

    Args:
        workspace: That is served.
        database: Address of the index, where it is not the one of the settings.

    Returns:
        How many records there are, and the digest of the last.

    Raises:
        Tampered: Names the first record that is not what it was.
    """
    root = service_folder(workspace)
    settings = read_settings(root, {"database": database})
    url, _ = addresses(root, settings)
    opened = Database.open(url, index)
    try:
        keys = keys_of(root, settings)
        found = Audit(opened, keys.derived("audit"), root / "audit-heads.jsonl").verify()
    finally:
        opened.close()
    if found.first_bad is not None:
        raise Tampered(
            f"record {found.first_bad} of the audit trail is not what it was: {found.reason}",
            given=f"{found.records} records were read",
            todo="Keep the databases as they are, and compare with a back-up",
        )
    return {"records": found.records, "head": found.head}
