"""Releases in a service's workspace, and series that arrive at it: what is needed to see a result being made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import insert, select

from diascope.core.evaluation import Gate, GateRule
from diascope.core.record import canonical_json
from diascope.serve.database.tables import peers, series
from diascope.serve.incoming.completing import Completing
from diascope.serve.incoming.receiving import Receiving
from diascope.serve.incoming.storing import Origin
from diascope.serve.jobs.worker import Worker
from diascope.serve.rules.keeping import add
from diascope.serve.rules.rule import Rule
from diascope.serve.service import FIRST_PROJECT, Service
from diascope.testing.objects import a_dataset, as_bytes, uids
from diascope.testing.releases import ORGANS, a_plan, a_release

FLAT = "films@1"
SOLID = "organs@1"
DEPTH, SIDE = 8, 16
"""Slices of a small volume, and voxels along the sides of each."""


def a_signed_release(service: Service, label: str = SOLID, **changes: Any) -> Path:
    """A release in the service's workspace: `films@…` for pictures, anything else a segmentation of volumes.

    Args:
        service: Whose.
        label: `name@version`.
        **changes: Fields of `Release` to set otherwise.
    """
    name, version = label.split("@")
    flat = name.startswith("films")
    plan = a_plan(patch=(1, SIDE, SIDE)) if flat else a_plan(ORGANS, patch=(DEPTH, SIDE, SIDE))
    rule = GateRule(input="image", modality="xray" if flat else "ct", dimensions=2 if flat else 3, channels=1)
    gate = Gate(rules=(rule,))
    plain = {"name": name, "version": version, "gate": gate, "signed_by": "Dr. Test", "signed_at": "2026-01-01"}
    return a_release(service.workspace.releases / label, plan, **{**plain, **changes})


def a_volume(number: int, slices: Iterable[int] = range(DEPTH), **elements: Any) -> list[bytes]:
    """Slices of the CT of patient `number`, whose pixels say who it is.

    Args:
        number: Of the patient and study.
        slices: Which of them.
        **elements: Keyword to value.
    """
    noise = np.random.default_rng(number).integers(0, 1000, (64, SIDE, SIDE)).astype(np.uint16)
    noise[:, 0, 0] = number
    study, _, _ = uids(number)
    frame = {"FrameOfReferenceUID": f"{study}.99", "PixelSpacing": [1, 1], "PositionReferenceIndicator": ""}
    return [as_bytes(a_dataset(number, 1, z + 1, noise[z], **{**frame, **elements})) for z in slices]


def a_film(number: int, **elements: Any) -> list[bytes]:
    """One radiograph of patient `number`."""
    noise = np.random.default_rng(number).integers(0, 1000, (SIDE, SIDE)).astype(np.uint16)
    plain = {
        "Modality": "DX", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.1", "ImagePositionPatient": None,
        "ImageOrientationPatient": None, "SliceThickness": None, "PatientOrientation": ["L", "F"],
    }  # fmt: skip
    return [as_bytes(a_dataset(number, 1, 1, noise, **{**plain, **elements}))]


def arrive(service: Service, contents: Sequence[bytes], peer: str = "") -> None:
    """Receive objects, as any protocol does."""
    receiving = Receiving(service)
    for content in contents:
        draft = service.archive.draft()
        draft.write(content)
        receiving.receive(draft, Origin("peer:CT1", "127.0.0.1", FIRST_PROJECT, peer))


def become_complete(service: Service) -> int:
    """Let the quiet time of everything that arrived pass (the service's clock is a test's)."""
    service.clock.forward(service.settings.quiet_seconds + 1)  # type: ignore[attr-defined]
    return Completing(service).sweep()


def work_off(service: Service, worker: Worker | None = None) -> int:
    """Do every job that is ready, here; returns how many."""
    worker, count = worker or Worker(service), 0
    while worker.step():
        count += 1
    return count


def a_rule(service: Service, label: str = SOLID, name: str = "all", **fields: Any) -> str:
    """A rule in the table; without `when` everything matches."""
    rule = Rule.model_validate({"name": name, "release": label, **fields})
    return service.database.change(lambda connection: add(connection, rule, service.clock()))


def a_peer(service: Service, name: str = "PACS", kind: str = "dimse", **settings: Any) -> str:
    """A peer in the table; its id."""
    row = {"name": name, "kind": kind, "settings": settings, "rights": [], "project_id": FIRST_PROJECT}
    values = {**row, "id": f"peer-{name}", "enabled": True, "created": service.clock()}
    service.database.change(lambda connection: connection.execute(insert(peers).values(**values)))
    return f"peer-{name}"


def series_of(service: Service, number: int) -> Any:
    """The row of the series of patient `number`."""
    with service.database.reading() as connection:
        return connection.execute(select(series).where(series.c.uid == uids(number)[1])).one()


def rows_of(service: Service, table: Any, *where: Any) -> list[Any]:
    """Rows of a table by their id."""
    with service.database.reading() as connection:
        key = next(iter(table.primary_key.columns))
        return list(connection.execute(select(table).where(*where).order_by(key)).all())


def as_text(rows: Sequence[Any]) -> str:
    """Rows as one text, to look for what must not be there."""
    return canonical_json([str(tuple(row)) for row in rows])
