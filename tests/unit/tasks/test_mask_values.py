"""A mask may use any value from 1 to 255 for a structure: the network has one channel a structure, not one a value."""

import torch

from diascope.core.case import Label, Target
from diascope.tasks.segmentation import IGNORED, _channels, _reduce_labels

VESSELS = Target(name="mask", kind="mask", columns=("mask",), labels=(Label(name="vessel", value=255),), ignore=7)


def test_values_become_channels_and_ignored_voxels_stay_apart():
    mask = torch.tensor([[[[0, 255, 7]]]], dtype=torch.uint8)
    assert _channels(mask, VESSELS).flatten().tolist() == [0, 1, IGNORED]


def test_channels_become_values_again():
    logits = torch.zeros(2, 1, 1, 2)
    logits[1, 0, 0, 1] = 5.0
    labels, probability = _reduce_labels(logits, (255,))
    assert labels.flatten().tolist() == [0, 255]
    assert labels.dtype == torch.uint8
    assert probability[0, 0, 1] > 0.99
