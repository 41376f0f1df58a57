"""Words that led to an answer: what each adds to the score where that is known exactly, else what covering it changes.

Covering words one after the other is occlusion (Zeiler and Fergus 2014) for texts; the answer itself is asked, so that
it holds for any model. A model whose score is a sum over its words (TF-IDF) says what each adds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from diascope.core.text import HAN
from diascope.explainers import Explainer
from diascope.explainers.maps import answer, in_eval

BLANK = ord(" ")
AT_ONCE = 32
"""Texts that are read together."""
MOST = 400
"""Pieces that are covered: longer texts are covered in larger ones."""
_PIECE = re.compile(rf"{HAN.pattern}|(?:(?!{HAN.pattern})[^\W_])+")


class Words:
    """Maps (B, L) in -1..1: what speaks for an output is positive, what speaks against it negative."""

    title = "words"
    takes = "text"

    def explain(self, network: nn.Module, images: Tensor, output: int) -> npt.NDArray[np.float32]:
        """Maps (B, L) of texts (B, L): each text alone, its strongest character 1 or -1."""
        shares = getattr(network, "shares", None)
        found = np.zeros(tuple(images.shape), np.float32)
        with torch.no_grad(), in_eval(network):
            for row, codes in zip(found, images, strict=True):
                text = _text(codes)
                if shares is not None:
                    for (start, end), own in _sums(text, shares(text, output)):
                        row[start:end] = own
                    continue
                for start, end, change in _changes(network, codes, text, output):
                    row[start:end] = change
        most = np.abs(found).max(axis=1, keepdims=True)
        return np.asarray(found / np.where(most > 0, most, 1.0), np.float32)


def _text(codes: Tensor) -> str:
    numbers = codes.cpu().numpy().astype(np.int64)
    return "".join(map(chr, numbers[numbers > 0].tolist()))


def pieces(text: str) -> list[tuple[int, int]]:
    """Places of the words of a text; neighbours together where there are many. Of Chinese each character."""
    places = [match.span() for match in _PIECE.finditer(text)]
    together = -(-len(places) // MOST)
    return [
        (places[first][0], places[min(first + together, len(places)) - 1][1])
        for first in range(0, len(places), max(1, together))
    ]


def _sums(text: str, shares: npt.NDArray[np.float64]) -> Iterator[tuple[tuple[int, int], float]]:
    """Each piece, and what it adds with what stands behind it up to the next: pairs of words reach across blanks."""
    places = pieces(text)
    ends = [*(start for start, _ in places[1:]), len(text)]
    return (
        ((start, end), float(shares[start:behind].sum())) for (start, end), behind in zip(places, ends, strict=False)
    )


def _changes(network: nn.Module, codes: Tensor, text: str, output: int) -> Iterator[tuple[int, int, float]]:
    """Each piece, and how far the answer falls when it is blank."""
    places = pieces(text)
    whole = float(answer(network, codes[None], output))
    for first in range(0, len(places), AT_ONCE):
        some = places[first : first + AT_ONCE]
        covered = codes.repeat(len(some), 1)
        for row, (start, end) in zip(covered, some, strict=True):
            row[start:end] = BLANK
        for (start, end), left in zip(some, answer(network, covered, output).tolist(), strict=True):
            yield start, end, whole - left


EXPLAINER: Explainer = Words()
