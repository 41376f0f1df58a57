"""Releases that have learnt to see a bright block, and series that have one: where an explanation must point."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from diascope.core.evaluation import Gate, GateRule
from diascope.core.plan import Plan
from diascope.engine.building import build_network
from diascope.serve.service import Service
from diascope.testing.objects import a_dataset, as_bytes, uids
from diascope.testing.releases import a_plan, a_release

BLOCKS, FILMS = "blocks@1", "films@1"
"""Labels of the release for volumes, and of that for films."""

PATCH, FLAT_PATCH = (8, 16, 16), (1, 32, 32)
DEEP = {"depth": [1], "width": 8, "stem": [3, 3, 3], "strides": [[1, 1, 1]] * 3}
FLAT = {"depth": [1], "width": 8, "stem": [1, 3, 3], "strides": [[1, 1, 1], [1, 1, 1], [1, 2, 2]]}
"""Options of networks that see a small part at once, so that their maps have a place."""

SHAPE = (20, 12, 30)
"""Slices, rows, columns of a volume: no two alike, and none like the patch."""
BLOCK = (slice(13, 18), slice(1, 5), slice(18, 27))
"""Where its bright block is: near no corner that another order of axes would give."""

FILM = (40, 56)
FILM_BLOCK = (slice(6, 16), slice(34, 48))


def a_taught_release(service: Service, label: str = BLOCKS, **changes: Any) -> Path:
    """A signed classification release of the service that says `b` where it sees a bright block.

    Args:
        service: Whose.
        label: `films@…` for films, anything else for volumes.
        **changes: Fields of `Release` to set otherwise.
    """
    name, version = label.split("@")
    flat = name.startswith("films")
    plan = _plan(flat)
    rule = GateRule(input="image", modality="xray" if flat else "ct", dimensions=2 if flat else 3, channels=1)
    plain = {"name": name, "version": version, "gate": Gate(rules=(rule,)), "signed_by": "Dr. Test"}
    weights = _taught(flat)
    folder = service.workspace.releases / label
    return a_release(folder, plan, teach=lambda one: one.load_state_dict(weights), **{**plain, **changes})


def a_block_volume(number: int, bright: bool = True) -> list[bytes]:
    """A coronal CT of patient `number`, from the front to the back, rows downwards: its axes are in no usual order."""
    noise = np.random.default_rng(number)
    values = noise.normal(500, 60, SHAPE)
    if bright:
        values[BLOCK] += 700
    study, _, _ = uids(number)
    shared = {
        "FrameOfReferenceUID": f"{study}.99", "PixelSpacing": [2, 1], "PositionReferenceIndicator": "",
        "ImageOrientationPatient": [1, 0, 0, 0, 0, -1], "SliceThickness": "1.5",
    }  # fmt: skip
    return [
        as_bytes(a_dataset(number, 1, z + 1, _whole(one), **shared, ImagePositionPatient=[10, 1.5 * z, -20]))
        for z, one in enumerate(values)
    ]


def a_block_film(number: int, bright: bool = True) -> list[bytes]:
    """A radiograph of patient `number`."""
    noise = np.random.default_rng(number)
    values = noise.normal(500, 60, FILM)
    if bright:
        values[FILM_BLOCK] += 700
    plain = {
        "Modality": "DX", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.1", "ImagePositionPatient": None,
        "ImageOrientationPatient": None, "SliceThickness": None, "PatientOrientation": ["L", "F"],
    }  # fmt: skip
    return [as_bytes(a_dataset(number, 1, 1, _whole(values), **plain))]


def _whole(values: npt.NDArray[np.float64]) -> npt.NDArray[np.uint16]:
    return np.clip(values, 0, 4095).astype(np.uint16)


def _plan(flat: bool) -> Plan:
    return a_plan(patch=FLAT_PATCH if flat else PATCH, model_options=FLAT if flat else DEEP)


@cache
def _taught(flat: bool) -> dict[str, Tensor]:
    """Weights that tell images with a bright block from those without."""
    kept: dict[str, Tensor] = {}

    def teach(network: nn.Module) -> None:
        generator = torch.Generator().manual_seed(1)
        images, truth = _squares(FLAT_PATCH if flat else PATCH, generator)
        optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
        for _ in range(30):
            chosen = torch.randint(len(images), (8,), generator=generator)
            optimiser.zero_grad()
            loss = functional.cross_entropy(network({"image": images[chosen]}), truth[chosen])
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        kept.update({name: one.detach().clone() for name, one in network.state_dict().items()})

    torch.manual_seed(0)
    teach(build_network(_plan(flat)))
    return kept


def _squares(shape: tuple[int, int, int], generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Noise, every other image with a block of a quarter of each side, z-scored as the plan does it."""
    images = torch.randn(64, 1, *shape, generator=generator) * 0.1
    size = [max(1, side // 4) for side in shape]
    for number in range(0, len(images), 2):
        z, y, x = (_somewhere(side, own, generator) for side, own in zip(shape, size, strict=True))
        images[number, 0, z, y, x] += 1
    flat = images.flatten(1)
    scaled = (flat - flat.mean(1, keepdim=True)) / flat.std(1, keepdim=True)
    return scaled.reshape(images.shape), (torch.arange(len(images)) % 2 == 0).long()


def _somewhere(side: int, size: int, generator: torch.Generator) -> slice:
    start = int(torch.randint(side - size + 1, (1,), generator=generator))
    return slice(start, start + size)
