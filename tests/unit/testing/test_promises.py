"""A plug-in that breaks a promise of its family is caught, and by which promise is said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from diascope.core.errors import UnreadableFile
from diascope.core.image import Image
from diascope.core.problem import Problem
from diascope.metrics.definition import Definition
from diascope.modalities import Window
from diascope.testing import BrokenPromise, a_case, an_image, promises


def metric(compute, **changes):
    return Definition(compute, **{"kind": "call", "title": {"en": "x"}, **changes})


class WarnsAlways:
    title = "Warns always"

    def look(self, survey):
        return [Problem(check="x", severity="warn", title="Something", detail="Look at it.")]


class ReadsAnything:
    suffixes, writes = (".any",), False

    def is_available(self):
        return True

    def read(self, paths, item=None):
        return an_image()


class ForgetsGeometry:
    suffixes, writes = (".npy",), True

    def is_available(self):
        return True

    def recognises(self, path):
        return True

    def write(self, image, path, like=()):
        np.save(path, image.array)

    def read(self, paths, item=None):
        try:
            array = np.load(paths[0], allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            raise UnreadableFile(paths[0], str(error)) from error
        return Image(array, an_image("xray").geometry, unit="HU")


class NoQuality:
    unit, windows, dicom_codes = "a.u.", (Window("plain", 0, 1),), ("CT",)

    def quality(self, image):
        return {}


class RecognisesAll:
    def recognises(self, location):
        return "why not"


class ChangesItsInput:
    scope = "case"

    def apply(self, volume, geometry, params, is_mask):
        return volume.mul_(2) if not is_mask else volume, geometry


class Unbounded:
    kind = "category"

    def __call__(self, logits, target, options):
        return logits.exp().sum()


class Forgetful:
    takes, dimensions, gives, fitted = frozenset({"image"}), frozenset({3}), "vector", "gradient"

    def options(self, spec):
        return {}

    def stride(self, options):
        return 1, 1, 1

    def build(self, spec, options):
        return nn.Sequential(nn.Flatten(2), nn.AdaptiveAvgPool1d(4), nn.Flatten(), Noise())


class Noise(nn.Module):
    def forward(self, x):
        return x + torch.randn_like(x)


class ShowsTheBatch:
    def explain(self, network, images, output):
        return (images - images.min()).div(images.max() - images.min())[:, 0].numpy()


class ClaimsAll:
    summary, writes = "learns anything", ("findings",)

    def claim(self, targets):
        return tuple(targets)


class Doubles:
    def is_available(self):
        return True

    def compile(self, network, example, precision):
        return lambda batch: 2 * network(batch)


BROKEN = [
    (promises.metric, metric(lambda truth, said: 0.5), "of a perfect answer"),
    (promises.metric, metric(lambda truth, said: 1.0), "of nothing is nan"),
    (promises.check, WarnsAlways(), "warns of nothing in clean data"),
    (promises.file_format, ReadsAnything(), "refuses a file that is something else"),
    (promises.file_format, ForgetsGeometry(), "keeps geometry"),
    (promises.modality, NoQuality(), "finds a constant image"),
    (promises.source, RecognisesAll(), "recognises only its own layout"),
    (promises.transform, ChangesItsInput(), "leaves its input as it was"),
    (promises.loss, Unbounded(), "is lowest when right"),
    (promises.model, Forgetful(), "the same answer twice"),
    (promises.explainer, ShowsTheBatch(), "does not depend on the others"),
    (promises.task, ClaimsAll(), "claims no target of a kind"),
    (promises.backend, Doubles(), "gives what torch gives"),
]


@pytest.mark.parametrize(("ask", "plugin", "words"), BROKEN, ids=[type(plugin).__name__ for _, plugin, _ in BROKEN])
def test_a_broken_promise_is_caught(ask, plugin, words, tmp_path: Path):
    with pytest.raises(BrokenPromise, match=words):
        ask("broken", plugin, tmp_path)


def test_every_family_has_promises():
    from diascope.core import registry

    assert set(promises.PROMISES) == set(registry.FAMILIES)


@pytest.mark.parametrize("modality", ["ct", "mr", "xray", "photo"])
def test_an_image_shows_a_mirrored_axis_and_its_lesion(modality):
    image = an_image(modality)
    plain = an_image(modality, lesion=False)
    assert (image.array != plain.array).any()
    for axis in range(1, 4):
        if image.array.shape[axis] > 1:
            assert not np.array_equal(np.flip(image.array, axis), image.array)


def test_a_case_is_set_as_asked():
    assert a_case(3).patient == "patient3"
    assert a_case(3, patient="p", split="val").split == "val"


def test_the_suite_is_found_by_the_packages_name():
    words = [sys.executable, "-m", "pytest", "--pyargs", "diascope.testing", "-q", "-k", "metrics-dice"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
