"""Made images beside the training images: copies, another feature space, and what can be learnt from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from diascope.core import registry
from diascope.core.figure import Chart, Figure, Gallery, Grid, Line
from diascope.core.plan import Plan
from diascope.engine.batch import Row
from diascope.engine.task import Audit, Statistic
from diascope.evidence.proportions import proportion
from diascope.evidence.samples.memory import COPY, LEVEL, Memory, memory
from diascope.evidence.samples.nearest import Nearest, nearest
from diascope.tasks.sampling.classifier import Classifier, trained
from diascope.tasks.sampling.sheets import sheet, spread
from diascope.tasks.sampling.spaces import Bytes, Floats, mirrored, of_fixed_network, of_pixels
from diascope.tasks.sampling.statistics import FIXED, LEARNT, PIXELS, Sets, of_sets, pictures

SHOWN = 8
"""Pictures in a row of a figure."""
CURVE = 100
"""Points of a line."""
GREY = 127.5
"""Grey levels in one unit of the space of grey values."""
TRIALS = {"real": "trained on real images", "made": "trained on made images"}
Indices = npt.NDArray[np.intp]
Space = Callable[[Bytes], Floats]


@dataclass(frozen=True)
class Laid:
    """Images laid beside the training images in one space.

    Args:
        memory: What follows from it.
        made: The nearest training image of each made image: of the scored cases first, then of the training cases.
        held: Of each held-out real image.
        width: D of the space.
    """

    memory: Memory
    made: Nearest
    held: Nearest
    width: int


def audit(rows: Sequence[Row], training: Sequence[Row], plan: Plan) -> Audit:
    """Lay what was made beside what was learnt from.

    Args:
        rows: Of cases that the network has not seen.
        training: Of all cases that it has.
        plan: `mirror_axes`, the labels and the seed are read from it.
    """
    if not rows or not training:
        return Audit()
    axes, count = tuple(plan["mirror_axes"]), len(plan.target.labels)
    spaces: dict[str, Space] = {PIXELS: of_pixels, FIXED: of_fixed_network}
    statistics = list(_floor(rows, training, FIXED, of_fixed_network))
    if count > 1:
        judges = {what: _judge(training, what, (count, axes, plan.seed)) for what in TRIALS}
        spaces[LEARNT] = judges["real"].features
        statistics += of_sets(Sets.of(rows, spaces[LEARNT]), LEARNT)[0]
        statistics += [*_floor(rows, training, LEARNT, spaces[LEARNT]), *_trials(rows, judges)]
    found = {name: _laid(rows, training, space, axes) for name, space in spaces.items()}
    statistics += [_copies(found[PIXELS].memory), *(_near(name, one.memory) for name, one in found.items())]
    headline = ("copies", f"near_training_images/{PIXELS}")
    return Audit(tuple(statistics), headline, _figures(rows, training, found), tuple(_blocks(found)))


def _judge(training: Sequence[Row], what: str, setting: tuple[int, tuple[int, ...], int]) -> Classifier:
    """A classifier of the real images of the training part, or of as many made ones of the same classes."""
    classes = np.array([row["class"] for row in training], dtype=np.intp)
    return trained(pictures(training, what), classes, *setting)


def _floor(rows: Sequence[Row], training: Sequence[Row], name: str, space: Space) -> tuple[Statistic, ...]:
    """The same distances of as many training images: what a perfect generator would come to."""
    if len(training) < len(rows):
        return ()
    chosen = [training[place] for place in spread(len(training), len(rows))]
    both = Sets(space(pictures(rows, "real")), space(pictures(chosen, "real")))
    return of_sets(both, name, of="_of_training_images")[0]


def _trials(rows: Sequence[Row], judges: Mapping[str, Classifier]) -> list[Statistic]:
    """Train on made images, test on real ones (TSTR), beside the same classifier trained on real ones."""
    metric = registry.get("metrics", "balanced_accuracy")
    truth = np.array([row["class"] for row in rows], dtype=np.intp)
    calls = {what: judge.probabilities(pictures(rows, "real")).argmax(axis=1) for what, judge in judges.items()}
    present = len(np.unique(truth))

    def of(index: Indices, what: str) -> float:
        whole = len(np.unique(truth[index])) == present
        return float(metric(truth[index], calls[what][index])) if whole else float("nan")

    def lost(index: Indices) -> float:
        return of(index, "made") - of(index, "real")

    found = [Statistic(f"balanced_accuracy/{words}", partial(of, what=what)) for what, words in TRIALS.items()]
    return [*found, Statistic("made_minus_real_balanced_accuracy", lost)]


def _laid(rows: Sequence[Row], training: Sequence[Row], space: Space, axes: tuple[int, ...]) -> Laid:
    originals = pictures(training, "real")
    references = mirrored(originals, axes)
    points, copies, owners = space(references), len(references) // len(originals), [row["unit"] for row in training]
    made = nearest(space(pictures([*rows, *training], "made")), points, copies, owners)
    held = nearest(space(pictures(rows, "real")), points, copies, owners)
    return Laid(memory(made, held), made, held, points.shape[1])


def _near(space: str, found: Memory) -> Statistic:
    return Statistic(
        f"near_training_images/{space}",
        partial(_constant, found.share),
        better="lower",
        interval=partial(_given, (found.low, found.high)),
    )


def _copies(found: Memory) -> Statistic:
    share, low, high = proportion(found.copies, range(len(found.copies)))
    return Statistic("copies", partial(_constant, share), better="lower", interval=partial(_given, (low, high)))


def _constant(value: float, index: Indices) -> float:
    """Of all made images, also those that belong to no scored case."""
    return value


def _given(interval: tuple[float, float], patients: Sequence[str]) -> tuple[float, float]:
    return interval


def _blocks(found: Mapping[str, Laid]) -> list[str]:
    """Why what was made must not be given on, by grey values.

    There a copy stays near to its original, also with noise on it. Networks' features take noise for distance, and what
    is merely blurred for nearness (measured on films, skin and ultrasound): they are shown, and block nothing.
    """
    lines = []
    copies = found[PIXELS].memory
    if copies.reproduces:
        lines.append(
            f"training images are reproduced: {int(copies.copies.sum())} of {len(copies.copies)} made images are at "
            f"least {1 / COPY:.0f} times as near to one training image as to its neighbours ({PIXELS})"
        )
    if copies.too_near:
        lines.append(
            f"made images lie too near to training images: {100 * copies.share:.1f} % are nearer than "
            f"{100 * (1 - LEVEL):.0f} % of the held-out images are, and at most {100 * copies.expected:.1f} % would be "
            f"chance ({PIXELS})"
        )
    return lines


def _figures(rows: Sequence[Row], training: Sequence[Row], found: Mapping[str, Laid]) -> tuple[Figure, ...]:
    pixels = found[PIXELS]
    scale = GREY / np.sqrt(pixels.width)
    lines = (
        _curve("made images", pixels.made.distance * scale),
        _curve("held-out real images", pixels.held.distance * scale),
    )
    chart = Chart(
        title="Distance to the nearest training image",
        x_label="root mean square difference (grey levels)",
        y_label="share of images",
        lines=lines,
        y_range=(0, 1),
        note="where made images lie left of held-out ones, training images were learnt by heart",
    )
    return (chart, _neighbours(rows, training, pixels), _table(found))


def _curve(label: str, distance: Floats) -> Line:
    levels = np.linspace(0, 1, min(CURVE, len(distance) + 1))
    return Line(label=label, x=tuple(map(float, np.quantile(distance, levels))), y=tuple(map(float, levels)))


def _neighbours(rows: Sequence[Row], training: Sequence[Row], pixels: Laid) -> Gallery:
    made, originals = pictures([*rows, *training], "made"), pictures(training, "real")
    order = np.argsort(pixels.made.relative, kind="stable")
    chosen = {"those most like one training image": order[:SHOWN], "others": order[spread(len(order), SHOWN)]}
    shown = [
        sheet(made[places], originals[pixels.made.index[places]], f"{words}: made above, nearest training image below")
        for words, places in chosen.items()
    ]
    return Gallery(title="Made images and their nearest training images", pictures=tuple(shown))


def _table(found: Mapping[str, Laid]) -> Grid:
    rows = tuple(
        (
            name,
            100 * one.memory.share,
            100 * one.memory.low,
            100 * one.memory.high,
            100 * one.memory.expected,
            100 * float(one.memory.copies.mean()),
            100 * one.memory.held_copies,
        )
        for name, one in found.items()
    )
    columns = (
        *("feature space", "near (%)", "low (%)", "high (%)", "by chance, at most (%)"),
        *("copies (%)", "held-out images that would count as copies (%)"),
    )
    note = "near: nearer to a training image than 95 % of the held-out images are; the interval is of 95 %"
    return Grid(title="Made images near to training images", columns=columns, rows=rows, note=note)
