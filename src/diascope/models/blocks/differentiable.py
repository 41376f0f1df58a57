"""Augmentation that a gradient goes through: what a critic sees of real and of made pictures (arXiv:2006.10738).

A critic of few pictures learns them by heart. Where real and made ones are changed alike before it sees them, it has
less to learn by heart, and what is made does not show the changes: the generator is judged through them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

SHIFTED = 0.125
"""Of each side: how far a picture is moved at most."""
CUT = 0.5
"""Of each side: how large the square is that is blanked."""


@dataclass(frozen=True)
class Draws:
    """What is done to each of B pictures.

    Args:
        brightness: (B,) added.
        saturation: (B,) factor on what the channels differ from their mean.
        contrast: (B,) factor on what the pixels differ from the picture's mean.
        shift: (B, 2) pixels down and right.
        hole: (B, 2) centre of the blank square, as a share of each side.
    """

    brightness: Tensor
    saturation: Tensor
    contrast: Tensor
    shift: Tensor
    hole: Tensor


def draw(images: Tensor) -> Draws:
    """Draws for pictures (B, C, Y, X) from torch's global generator."""
    count, sides = len(images), images.new_tensor(images.shape[2:])
    brightness, saturation, contrast = torch.rand((3, count), device=images.device, dtype=images.dtype)
    shift = (2 * torch.rand((count, 2), device=images.device, dtype=images.dtype) - 1) * SHIFTED * sides
    hole = torch.rand((count, 2), device=images.device, dtype=images.dtype)
    return Draws(brightness - 0.5, 2 * saturation, contrast + 0.5, shift.round(), hole)


def augmented(images: Tensor, drawn: Draws) -> Tensor:
    """Pictures (B, C, Y, X) with their colours changed, moved, and with a blank square; gradients go through.

    Blank is 0, the middle of the range -1..1.
    """
    return _cut(_moved(_recoloured(images, drawn), drawn.shift), drawn.hole)


def _recoloured(images: Tensor, drawn: Draws) -> Tensor:
    brightness, saturation, contrast = (
        numbers[:, None, None, None] for numbers in (drawn.brightness, drawn.saturation, drawn.contrast)
    )
    images = images + brightness
    if images.shape[1] > 1:
        grey = images.mean(dim=1, keepdim=True)
        images = grey + saturation * (images - grey)
    middle = images.mean(dim=(1, 2, 3), keepdim=True)
    return middle + contrast * (images - middle)


def _moved(images: Tensor, shift: Tensor) -> Tensor:
    """By whole pixels, so that nothing is blurred."""
    count, _, height, width = images.shape
    down, across = (int(SHIFTED * side) + 1 for side in (height, width))
    padded = functional.pad(images, (across, across, down, down))
    y, x = (torch.arange(side, device=images.device) for side in (height, width))
    rows = y[None, :, None] + down - shift[:, 0].long()[:, None, None]
    columns = x[None, None, :] + across - shift[:, 1].long()[:, None, None]
    of_case = torch.arange(count, device=images.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[of_case, rows, columns].permute(0, 3, 1, 2)


def _cut(images: Tensor, hole: Tensor) -> Tensor:
    height, width = images.shape[2:]
    inside = []
    for axis, side in enumerate((height, width)):
        place = torch.arange(side, device=images.device, dtype=images.dtype)[None]
        inside.append((place - hole[:, axis : axis + 1] * (side - 1)).abs() < CUT * side / 2)
    blank = inside[0][:, None, :, None] & inside[1][:, None, None, :]
    return images * (~blank).to(images.dtype)
