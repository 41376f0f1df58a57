"""The invented body: organs as ellipsoids in patient millimetres (LPS, origin near the middle), drawn at random.

Two kinds of lesion carry the diagnosis. A cyst has one density throughout; an abscess is riddled with small bubbles of
gas. Number, size, side, outline, contrast and texture are drawn from the same distributions for both, and the gas in
stomach, lungs and around the body outweighs every bubble: no statistic of the whole image tells.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Vector = tuple[float, float, float]
LIVER, LESION = 1, 2
"""Values in the label map."""


@dataclass(frozen=True)
class Part:
    """One ellipsoid of tissue.

    Args:
        centre: (x, y, z) in mm, LPS.
        semi: Half axes in mm; infinite along z for a cylinder.
        hu: Density in HU.
        turn: (3, 3) rotation of its axes.
        shell: Thickness in mm of an outer layer of another density; 0 where there is none.
        shell_hu: Density of that layer.
        gas: Where the pattern is above this many standard deviations there is a bubble; None: no bubbles.
        texture: Standard deviation in HU of a smooth random pattern inside.
        bumps: Relative height of lobes on its outline.
        waves: (6, 4) wave vectors (1/mm) and phases of texture and lobes.
        label: Value in the label map; None leaves what is there.
    """

    centre: Vector
    semi: Vector
    hu: float
    turn: npt.NDArray[np.float64] = field(default_factory=lambda: np.eye(3))
    shell: float = 0.0
    shell_hu: float = 0.0
    gas: float | None = None
    texture: float = 0.0
    bumps: float = 0.0
    waves: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros((6, 4)))
    label: int | None = 0


@dataclass(frozen=True)
class Body:
    """One invented patient: parts in the order in which they are painted, later over earlier."""

    parts: tuple[Part, ...]
    infected: bool


def draw_body(rng: np.random.Generator, infected: bool) -> Body:
    """Draw one patient; every measure varies, and left and right differ as in a person."""
    size = rng.uniform(0.93, 1.05)
    width, depth = 108 * size * rng.uniform(0.96, 1.04), 80 * size * rng.uniform(0.96, 1.04)
    fat = rng.uniform(6, 13)
    endless = float("inf")
    outside = [
        Part((0, 0, 0), (width, depth, endless), -95 + rng.normal(0, 5)),
        Part((0, 0, 0), (width - fat, depth - fat, endless), 52 + rng.normal(0, 4)),
    ]
    liver = _liver(rng, size)
    parts = [*outside, *_chest(rng, size), *_back(rng, depth - fat), *_left(rng, size), *liver]
    parts += _gallbladder(rng, size)
    parts += [_lesion(rng, liver, infected) for _ in range(int(rng.integers(2, 5)))]
    return Body(tuple(parts), infected)


def _liver(rng: np.random.Generator, size: float) -> list[Part]:
    """Two lobes of one density: a large right one (x < 0) and a flat left one in front."""
    hu, waves = 105 + rng.normal(0, 9), _waves(rng, 14)
    right = Part(
        _near(rng, (-44, -6, -2), 4),
        _scaled(rng, (46, 44, 38), size),
        hu,
        _turn(rng, 12),
        texture=5,
        waves=waves,
        label=LIVER,
    )
    left = Part(
        _near(rng, (2, -32, 4), 4),
        _scaled(rng, (40, 24, 25), size),
        hu,
        _turn(rng, 12),
        texture=5,
        waves=waves,
        label=LIVER,
    )
    return [right, left]


def _lesion(rng: np.random.Generator, liver: list[Part], infected: bool) -> Part:
    """One lesion inside either lobe: 28 to 40 mm across, brighter or darker than the liver."""
    lobe = liver[0] if rng.random() < 0.6 else liver[1]
    radius = rng.uniform(14, 20) if lobe is liver[0] else rng.uniform(14, 17)
    room = np.maximum(np.asarray(lobe.semi) - 1.1 * radius, 0)
    direction = rng.normal(size=3)
    direction *= rng.random() ** (1 / 3) / np.linalg.norm(direction)
    x, y, z = np.asarray(lobe.centre) + lobe.turn @ (direction * room)
    contrast = rng.uniform(85, 140) * rng.choice([-1, 1])
    return Part(
        (float(x), float(y), float(z)),
        _scaled(rng, (radius, radius, radius), 1.0, 0.08),
        lobe.hu + contrast,
        _turn(rng, 180),
        gas=rng.uniform(0.4, 0.7) if infected else None,
        texture=rng.uniform(3, 9),
        bumps=rng.uniform(0, 0.05),
        waves=_waves(rng, 17),
        label=LESION,
    )


def _chest(rng: np.random.Generator, size: float) -> list[Part]:
    """Lungs, the right one higher (the liver is below it), and the heart to the left."""
    air = -810 + rng.normal(0, 30)
    return [
        Part(_near(rng, (-48, 4, 66), 3), _scaled(rng, (36, 48, 44), size), air, texture=25, waves=_waves(rng, 10)),
        Part(_near(rng, (50, 6, 58), 3), _scaled(rng, (32, 46, 44), size), air, texture=25, waves=_waves(rng, 10)),
        Part(_near(rng, (16, -18, 58), 3), _scaled(rng, (30, 28, 28), size), 130 + rng.normal(0, 15), _turn(rng, 20)),
    ]


def _back(rng: np.random.Generator, depth: float) -> list[Part]:
    """Spine with cortical bone, marrow, discs and canal; the aorta; two kidneys, the right one lower."""
    y, bone = depth - 34, 390 + rng.normal(0, 50)
    endless = float("inf")
    spine = [
        Part((0, y, 0), (17, 14, endless), 170 + rng.normal(0, 25), shell=3, shell_hu=bone),
        Part((0, y + 19, 0), (8, 7, endless), 35, shell=3, shell_hu=bone),
    ]
    height, step = rng.uniform(-80, -60), rng.uniform(24, 30)
    spine += [Part((0, y, height + step * k), (16, 13, 3), 85) for k in range(6)]
    contrast = rng.uniform(130, 230)
    return [
        *spine,
        Part((9, y - 22, 0), (8, 8, endless), contrast, shell=1.5, shell_hu=contrast + rng.uniform(0, 250)),
        Part(_near(rng, (-44, y - 2, -34), 4), _scaled(rng, (16, 14, 26), 1), 165 + rng.normal(0, 20), _turn(rng, 20)),
        Part(_near(rng, (45, y - 4, -22), 4), _scaled(rng, (16, 14, 26), 1), 165 + rng.normal(0, 20), _turn(rng, 20)),
    ]


def _left(rng: np.random.Generator, size: float) -> list[Part]:
    """Spleen, and a stomach that holds water, contrast medium or food, often with a bubble of air in front."""
    filling = float(rng.choice([10.0, 40.0, 220.0, 300.0]))
    place = _near(rng, (58, -26, 2), 4)
    parts = [
        Part(_near(rng, (64, 24, 6), 4), _scaled(rng, (20, 22, 24), size), 118 + rng.normal(0, 9), _turn(rng, 20)),
        Part(place, _scaled(rng, (24, 22, 28), size), filling, shell=3, shell_hu=60, texture=8, waves=_waves(rng, 7)),
    ]
    if rng.random() < 0.6:
        parts.append(Part((place[0], place[1] - 9, place[2]), _scaled(rng, (14, 8, 16), size), -950))
    return parts


def _gallbladder(rng: np.random.Generator, size: float) -> list[Part]:
    """A dark ball under the liver in three of four patients, sometimes with a stone: a lesion only to the careless."""
    if rng.random() < 0.25:
        return []
    place = _near(rng, (-14, -30, -34), 4)
    ball = Part(place, _scaled(rng, (13, 13, 16), size), 8 + rng.normal(0, 5), shell=2, shell_hu=60)
    stone = Part((place[0], place[1] + 6, place[2]), (5, 4, 5), 330)
    return [ball, stone] if rng.random() < 0.4 else [ball]


def _near(rng: np.random.Generator, place: Vector, spread: float) -> Vector:
    x, y, z = np.asarray(place) + rng.uniform(-spread, spread, 3)
    return float(x), float(y), float(z)


def _scaled(rng: np.random.Generator, semi: Vector, size: float, spread: float = 0.06) -> Vector:
    x, y, z = np.asarray(semi) * size * rng.uniform(1 - spread, 1 + spread, 3)
    return float(x), float(y), float(z)


def _turn(rng: np.random.Generator, degrees: float) -> npt.NDArray[np.float64]:
    """A rotation by up to `degrees` about a random axis (Rodrigues' formula)."""
    return rotation(rng.normal(size=3), float(np.deg2rad(rng.uniform(-degrees, degrees))))


def rotation(axis: npt.NDArray[np.float64], angle: float) -> npt.NDArray[np.float64]:
    """(3, 3) rotation by `angle` (radians) about `axis`."""
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)


def _waves(rng: np.random.Generator, length: float) -> npt.NDArray[np.float64]:
    """(6, 4): six wave vectors of wavelengths near `length` mm, and their phases."""
    vectors = rng.normal(size=(6, 3))
    vectors *= 2 * np.pi / (length * rng.uniform(0.7, 1.5, (6, 1)) * np.linalg.norm(vectors, axis=1, keepdims=True))
    return np.concatenate([vectors, rng.uniform(0, 2 * np.pi, (6, 1))], axis=1)
