"""What in a text or a row led to a finding, and its check with randomised weights; what fails the check is not kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from diascope.core import registry
from diascope.core.errors import DataRefused
from diascope.core.finding import Finding
from diascope.core.plan import Plan
from diascope.core.result import SURE
from diascope.engine.batch import Example
from diascope.explainers import Explainer, is_available
from diascope.explainers.maps import InColumns, InLetters
from diascope.explainers.sanity import checked
from diascope.explainers.words import pieces
from diascope.models.estimators.trees import Trees
from diascope.models.words.vocabulary import decoded
from diascope.serve.beside.rows import LabRow
from diascope.serve.explaining.mapping import output_of

WORDS, COLUMNS = "words", "columns"
"""Explainers of texts and of rows."""
MOST = 3
"""Findings that are explained, the surest first: each asks the network for each of its words many times."""
WEAKEST = 0.05
"""Share of the strongest part below which another one is left out."""
LEARNT = ("weights", "value")
"""What estimators that are fitted at once have learnt: weights of columns or terms, what leaves of trees say."""

Look = Callable[[int, int], None]


@dataclass(frozen=True)
class Attributed:
    """What led to findings.

    Args:
        explainer: Name of the plug-in; "" where nothing was asked.
        items: `{"finding", "similarity", "limit", "passed", "parts"}`; no parts where the check did not pass.
        unexplained: Why there are none.
    """

    explainer: str = ""
    items: Sequence[Mapping[str, Any]] = ()
    unexplained: str = ""


class Redrawn(nn.Module):
    """An estimator whose learnt numbers can be drawn anew as those of a network are: they become its parameters.

    Which columns trees ask is learnt too: once their leaves are drawn anew, each node asks any column.

    Args:
        network: `InLetters` or `InColumns` of the estimator.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.before = [one.detach().clone().reshape(1, -1) for one in learnt(network)]
        self.columns = [one.column.clone() for one in _trees(network)]
        self.drawn = nn.ParameterList(nn.Parameter(one.clone(), requires_grad=False) for one in self.before)

    @property
    def shares(self) -> Callable[[str, int], npt.NDArray[np.float64]] | None:
        """Those of the estimator, where its score is a sum."""
        self._use()
        found: Callable[[str, int], npt.NDArray[np.float64]] | None = getattr(self.network, "shares", None)
        return found

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """(B, K), as the estimator."""
        self._use()
        given: Tensor = self.network(inputs)
        return given

    def _use(self) -> None:
        for held, own in zip(learnt(self.network), self.drawn, strict=True):
            held.copy_(own.reshape(held.shape))
        same = all(torch.equal(one, own) for one, own in zip(self.before, self.drawn, strict=True))
        seed = 0 if same else int(self.drawn[0].flatten()[:1].double().abs().item() * 1e9)
        for trees, column in zip(_trees(self.network), self.columns, strict=True):
            any_column = torch.randint(trees.columns, column.shape, generator=torch.Generator().manual_seed(seed))
            trees.column.copy_(column if same else any_column)


@dataclass(frozen=True)
class AtPlaces:
    """An explainer of which only some places count: what is empty in every map would make any two of them alike.

    Args:
        explainer: Whose maps.
        places: Of each word its first character; of a row the columns that have a value.
    """

    explainer: Explainer
    places: Sequence[int]
    title: str = field(default="places")

    def explain(self, network: nn.Module, images: Tensor, output: int) -> npt.NDArray[np.float32]:
        """Maps (B, P)."""
        return np.asarray(self.explainer.explain(network, images, output)[:, list(self.places)], np.float32)


def attributed(
    network: nn.Module, example: Example, plan: Plan, said: tuple[Sequence[Finding], LabRow | None], look: Look
) -> Attributed:
    """What led to the surest findings.

    Args:
        network: Of the release; nobody else may use it meanwhile.
        example: The case as the network saw it.
        plan: Of the release.
        said: What it said; the row that it read, None of a text.
        look: Told how far it is; may raise, to stop.
    """
    findings, row = said
    name = COLUMNS if row is not None else WORDS
    explainer = registry.get("explainers", name)
    ((key, settings),) = plan["readings"].items()
    array = torch.from_numpy(example.inputs[key])[None]
    inner = InColumns(network, key) if row is not None else InLetters(network, key)
    chosen = strongest(findings)
    if why := _why_not(network, inner, array, plan) or _cannot(explainer):
        return Attributed(unexplained=why)
    asked = inner if next(inner.parameters(), None) is not None else Redrawn(inner)
    parts = _columns(array, settings, row) if row is not None else _words(array)
    items = []
    for number, one in enumerate(chosen):

        def told(done: int, total: int, before: int = number) -> None:
            look(before * total + done, len(chosen) * total)

        try:
            output = output_of(one.concept, plan)
        except DataRefused as error:
            return Attributed(unexplained=error.wrong)
        maps, sanity = checked(asked, AtPlaces(explainer, [place for place, _ in parts]), array, output, look=told)
        outcome = {"similarity": sanity.similarity, "limit": sanity.limit, "passed": sanity.passed}
        kept = _kept(parts, maps[0], by_strength=row is not None) if sanity.passed else []
        items.append({"finding": one.concept, **outcome, "parts": kept})
    return Attributed(name, items, "" if items else "the release said nothing that could be explained")


def strongest(findings: Sequence[Finding]) -> list[Finding]:
    """What is explained: what is called present, the surest first; the surest of all where nothing is."""
    said = sorted((one for one in findings if one.status != "abstained"), key=_sure, reverse=True)
    present = [one for one in said if one.status == "present"]
    return present[:MOST] or said[:1]


def learnt(network: nn.Module) -> list[Tensor]:
    """The learnt buffers of an estimator."""
    return [one for name, one in network.named_buffers() if name.rpartition(".")[2] in LEARNT]


def _trees(network: nn.Module) -> list[Trees]:
    return [one for one in network.modules() if isinstance(one, Trees)]


def _sure(finding: Finding) -> float:
    return max((one.value or 0.0 for name, one in finding.measures.items() if name in SURE), default=0.0)


def _why_not(network: nn.Module, inner: nn.Module, array: Tensor, plan: Plan) -> str:
    """Why nothing can be explained, or its explanation not be checked; "" where it can."""
    if str(network.output) != "vector":
        return "this release says where by itself"
    if next(network.parameters(), None) is None and not learnt(network):
        return "what this model has learnt can't be drawn anew, so that no explanation of it could be checked"
    with torch.no_grad():
        width = inner({"image": array}).shape[1]
    if width != max(1, len(plan.target.labels)):
        return "a finding of this release is said by several numbers of its network"
    return ""


def _cannot(explainer: Explainer) -> str:
    return "" if is_available(explainer) else "the package that explanations of rows need is not installed here"


def _words(array: Tensor) -> list[tuple[int, dict[str, Any]]]:
    text = decoded(array[0].numpy())
    return [(start, {"start": start, "stop": stop}) for start, stop in pieces(text)]


def _columns(array: Tensor, settings: Mapping[str, Any], row: LabRow) -> list[tuple[int, dict[str, Any]]]:
    there = np.flatnonzero(~np.isnan(array[0].numpy())).tolist()
    names = [settings["columns"][place] for place in there]
    told = [{"name": one, "given": row.values.get(one), "unit": row.units.get(one, "")} for one in names]
    return list(zip(there, told, strict=True))


def _kept(
    parts: Sequence[tuple[int, Mapping[str, Any]]], values: npt.NDArray[np.float32], by_strength: bool
) -> list[dict[str, Any]]:
    """The parts with their values in -1..1, without the weakest; those of a text in its order."""
    found = [
        {**told, "value": round(float(value), 3)}
        for (_, told), value in zip(parts, values, strict=True)
        if abs(value) >= WEAKEST
    ]
    return sorted(found, key=lambda one: -abs(one["value"])) if by_strength else found
