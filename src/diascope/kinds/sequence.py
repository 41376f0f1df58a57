"""A string over an alphabet: DNA, RNA, protein."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from diascope import formats
from diascope.core.case import Case, FileRef, TableRef
from diascope.core.errors import DataRefused
from diascope.core.plan import InputFacts
from diascope.core.sequence import AMBIGUITY, LETTERS
from diascope.core.sequence import Sequence as Letters
from diascope.kinds import Floats, Kind, Look
from diascope.models import InputSpec
from diascope.store.files import file_digest

LONGEST = 4096
"""Letters that a network is given at most."""
AMBIGUOUS = 0.5
"""Share of ambiguous letters above which a sequence is not read."""

Array = npt.NDArray[Any]


class Sequences:
    """One row a letter of the alphabet; an ambiguity code shares 1 among the letters that it may stand for."""

    encoder = "cnn_gru"
    alone = "cnn_gru"

    def look(self, ref: FileRef, root: Path) -> Look:
        letters = _read(ref, root)
        facts = {"alphabet": letters.alphabet, "ambiguous": letters.ambiguous}
        digest = hashlib.sha256(letters.letters.encode()).hexdigest()
        return Look(digest, file_digest(root / path for path in ref.paths), len(letters.letters), facts)

    def facts(self, refs: Sequence[FileRef | TableRef], looks: Sequence[Look | None]) -> InputFacts:
        seen = [look for look in looks if look is not None]
        alphabets = sorted({look.facts["alphabet"] for look in seen})
        if len(alphabets) != 1:
            raise DataRefused("the sequences are over different alphabets", given=", ".join(alphabets))
        sizes = np.quantile([look.size for look in seen], (0, 0.05, 0.5, 0.95, 1), method="nearest")
        return InputFacts.without_space(
            "sequence",
            len(LETTERS[alphabets[0]]),
            dimensions=1,
            sizes=sizes.tolist(),
            details={"alphabet": alphabets[0]},
        )

    def settings(self, facts: InputFacts) -> dict[str, Any]:
        """`alphabet` (name), `length` (letters)."""
        length = max(1, min(LONGEST, facts.shapes[4][2]))
        return {"kind": "sequence", "alphabet": facts.details["alphabet"], "length": int(length)}

    def reason(self, settings: Mapping[str, Any]) -> str:
        return f"{settings['alphabet']}, up to {settings['length']} letters"

    def spec(self, settings: Mapping[str, Any]) -> InputSpec:
        return InputSpec("sequence", len(LETTERS[settings["alphabet"]]), 1, (1, 1, int(settings["length"])))

    def array(self, case: Case, name: str, root: Path, settings: Mapping[str, Any]) -> Array:
        alphabet = LETTERS[settings["alphabet"]]
        shape = (len(alphabet), int(settings["length"]))
        ref = case.inputs.get(name)
        if not isinstance(ref, FileRef):
            return np.full(shape, np.nan, np.float32)
        found = np.zeros(shape, np.float32)
        for place, letter in enumerate(_read(ref, root).letters[: shape[1]]):
            meant = meanings(letter, settings["alphabet"])
            found[[alphabet.index(one) for one in meant], place] = 1 / len(meant)
        return found

    def describe(self, array: Array, settings: Mapping[str, Any]) -> Floats:
        """Length, the share of each letter, and how much of it is ambiguous."""
        present = array.sum(axis=0) > 0
        if np.isnan(array).all() or not present.any():
            return np.full(len(array) + 2, np.nan)
        within = array[:, present]
        return np.array([np.log(present.sum()), *within.mean(axis=1), float((within.max(axis=0) < 1).mean())])

    def refusals(self, case: Case, name: str, root: Path, settings: Mapping[str, Any]) -> list[str]:
        ref = case.inputs.get(name)
        if not isinstance(ref, FileRef):
            return []
        read = _read(ref, root)
        if read.alphabet != settings["alphabet"]:
            return [f"{name}: {read.alphabet}, trained on {settings['alphabet']}"]
        share = read.ambiguous / len(read.letters)
        return [f"{name}: {share:.0%} of its letters are ambiguous"] if share > AMBIGUOUS else []

    def remarks(self, case: Case, name: str, root: Path, settings: Mapping[str, Any]) -> list[str]:
        ref = case.inputs.get(name)
        if not isinstance(ref, FileRef):
            return []
        size = len(_read(ref, root).letters)
        return [f"{name}: only the first {settings['length']} of {size} letters are read"] * (size > settings["length"])


def meanings(letter: str, alphabet: str) -> str:
    """The letters of an alphabet that a letter may stand for; itself, where it is one."""
    return AMBIGUITY[alphabet].get(letter, letter)


def _read(ref: FileRef, root: Path) -> Letters:
    letters = formats.read_input(ref, root)
    if not isinstance(letters, Letters):
        raise DataRefused(f"{', '.join(ref.paths)} is no sequence")
    return letters


KIND: Kind = Sequences()
