"""synthesize: a release makes images of nobody, marked as such, in a layout that `fit` reads."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from diascope.core import registry
from diascope.core.case import Label
from diascope.core.errors import BadUsage, UnknownName
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.core.record import write_durably
from diascope.engine.devices import prepare_process
from diascope.engine.fit import load_weights
from diascope.engine.progress import Tell, silent
from diascope.engine.sampling import SampleNetwork, drawn, ends_of, grey
from diascope.store.releases import OpenRelease, open_usable

MANIFEST = "manifest.csv"
BATCH = 32
STREAMS = 1009
"""Seeds of noise are this far apart, so that the classes of one seed are not those of the next one."""


@dataclass(frozen=True)
class Wanted:
    """What shall be made.

    Args:
        count: Images of each class.
        label: Name of the one class; None is every class.
        seed: Of the noise: the same seed gives the same images, however many are asked for.
    """

    count: int
    label: str | None = None
    seed: int = 0


def synthesize(release: Path, out: Path, wanted: Wanted, tell: Tell = silent) -> dict[str, Any]:
    """Make images and write them as PNG, with a `manifest.csv` that marks them as synthetic.

    Args:
        release: Folder of the release.
        out: Folder for the images; it must be empty or new.
        wanted: How many, of which class.
        tell: Told about progress.

    Returns:
        `release`, `out`, `images` (how many) and `classes`.

    Raises:
        BadUsage: When the release makes no images, or the folder holds something.
        UnknownName: When it knows no such class.
        Blocked: When the release's own evaluation speaks against it.
    """
    prepare_process()
    opened = open_usable(release)
    network = load_weights(opened.plan, opened.folder / opened.release.members[0])
    if not isinstance(network, SampleNetwork):
        raise BadUsage(
            f"{opened.release.label} makes no images",
            given=f"a release of the task {opened.plan.task!r}",
            todo="Give a release that was trained to make images",
        )
    labels = _labels(opened, wanted.label)
    if out.exists() and any(out.iterdir()):
        raise BadUsage("the folder is not empty", given=out, todo="Give a new folder: nothing is written over")
    made_by = f"{opened.release.label} {opened.release.seal[:16]}, seed {wanted.seed}"
    made_by += "" if opened.release.signed_by else ", unsigned"
    rows: list[dict[str, str]] = []
    total = wanted.count * len(labels)
    for label in labels:
        for number, image in enumerate(_made(network, opened, label, wanted), start=1):
            rows.append(_written(image, out, (label, number), (opened, made_by, wanted.seed)))
            tell({"event": "progress", "what": "making", "done": len(rows), "total": total})
    _write_manifest(out / MANIFEST, rows)
    return {
        "release": opened.release.label,
        "out": str(out),
        "images": len(rows),
        "classes": [label.name for label in labels if label is not None],
    }


def _labels(opened: OpenRelease, name: str | None) -> Sequence[Label | None]:
    known = {label.name: label for label in opened.plan.target.labels}
    if name is not None and name not in known:
        raise UnknownName("class of this release", name, known)
    return [known[name]] if name is not None else [*known.values()] or [None]


def _made(network: SampleNetwork, opened: OpenRelease, label: Label | None, wanted: Wanted) -> Iterator[Image]:
    ends = ends_of(opened.plan)
    stream = wanted.seed * STREAMS + (label.value if label is not None else 0)
    noise = drawn(stream, wanted.count, network.sampling.noise)
    with torch.inference_mode():
        for part in torch.split(noise, BATCH):
            classes = None if label is None else torch.full((len(part),), label.value, dtype=torch.long)
            for array in grey(network.make(part, classes), ends).numpy():
                yield Image(array, Geometry.unknown(), unit="grey")


def _written(
    image: Image, out: Path, place: tuple[Label | None, int], source: tuple[OpenRelease, str, int]
) -> dict[str, str]:
    """Write one image; its row of the manifest."""
    (label, number), (opened, made_by, seed) = place, source
    name = f"{_word(label, opened.plan.target.labels)}-{number:05d}.png"
    marked = Image(image.array, image.geometry, image.modality, image.unit, {"synthetic": made_by})
    out.mkdir(parents=True, exist_ok=True)
    registry.get("formats", "picture").write(marked, out / name)
    row = {"image": name}
    if label is not None:
        row[opened.plan.target.columns[0]] = label.name
    # Nobody's image is nobody else's: each is a patient of its own.
    patient = f"synthetic-{opened.release.seal[:8]}-{seed}-{name.removesuffix('.png')}"
    return row | {"patient": patient, "synthetic": "yes", "made_by": made_by}


def _word(label: Label | None, labels: Sequence[Label]) -> str:
    """What files of a class begin with: its name, with its number where another (`<5`, `>5`) would be called so."""
    if label is None:
        return "image"
    words = {one.value: "".join(c if c.isalnum() else "-" for c in one.name) for one in labels}
    mine = words[label.value]
    alone = [word.lower() for word in words.values()].count(mine.lower()) == 1
    return mine if alone else f"{mine}-{label.value}"


def _write_manifest(path: Path, rows: Sequence[dict[str, str]]) -> None:
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_durably(path, text.getvalue().encode())
