"""The randomised-weights check (Adebayo 2018): a map that stays when all that was learnt is lost explains nothing."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import rankdata
from torch import Tensor, nn

from diascope.core.record import Record
from diascope.explainers import Explainer

LIMIT = 0.5
"""Highest mean rank correlation with the maps of a random network at which an explanation is shown (ours)."""
_DRAWS = 3
_MOST_VOXELS = 50_000


class SanityResult(Record):
    """What came of the check."""

    similarity: float | None
    """Mean Spearman correlation of the maps before and after; None where every map was flat."""
    limit: float = LIMIT
    passed: bool
    images: int
    """Number of images whose map could be compared."""

    @property
    def words(self) -> dict[str, str]:
        """The result in one sentence, by language."""
        if self.similarity is None:
            return {
                "en": "The explanation maps are empty: nothing to show.",
                "zh-CN": "解释图为空：没有可显示的内容。",
            }
        numbers = f"{self.similarity:.2f}"
        if self.passed:
            return {
                "en": f"The maps depend on what was learnt: correlation with a randomised network {numbers} "
                f"(at most {self.limit}).",
                "zh-CN": f"解释图取决于所学内容：与随机权重网络的相关系数为 {numbers}（上限 {self.limit}）。",
            }
        return {
            "en": f"The maps are hidden: a network with random weights gives nearly the same ones "
            f"(correlation {numbers}, at most {self.limit}).",
            "zh-CN": f"解释图已隐藏：随机权重网络给出几乎相同的图（相关系数 {numbers}，上限 {self.limit}）。",
        }


def weights_check(network: nn.Module, explainer: Explainer, images: Tensor, output: int, seed: int = 0) -> SanityResult:
    """Compare maps of the network with those of copies whose weights are drawn anew.

    Args:
        network: As for `Explainer.explain`; it is not changed.
        explainer: What is checked.
        images: (B, C, Z, Y, X), some that the explanation will be shown for.
        output: Number of the output that is explained.
        seed: Of the weights.
    """
    return checked(network, explainer, images, output, seed)[1]


def checked(
    network: nn.Module,
    explainer: Explainer,
    images: Tensor,
    output: int,
    seed: int = 0,
    look: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[npt.NDArray[np.float32], SanityResult]:
    """The maps of some images, and what came of their check.

    Args:
        network: As for `Explainer.explain`; it is not changed.
        explainer: What is checked.
        images: (B, C, Z, Y, X).
        output: Number of the output that is explained.
        seed: Of the weights.
        look: Told after each explanation how many are done of how many; may raise, to stop.

    Returns:
        What `explainer.explain` gives of the network itself, and the result of the check.
    """
    before = explainer.explain(network, images, output)
    seen: list[float] = []
    compared: set[int] = set()
    for draw in range(_DRAWS):
        look(draw + 1, _DRAWS + 1)
        after = explainer.explain(randomised(network, seed + draw), images, output)
        for number, (mine, random) in enumerate(zip(before, after, strict=True)):
            similarity = spearman(mine, random)
            if similarity is not None:
                seen.append(similarity)
                compared.add(number)
    if not seen:
        return before, SanityResult(similarity=None, passed=False, images=0)
    mean = float(np.mean(seen))
    return before, SanityResult(similarity=mean, passed=mean <= LIMIT, images=len(compared))


def randomised(network: nn.Module, seed: int) -> nn.Module:
    """A copy with all weights drawn anew (He 2015), biases 0, norms at their start.

    Torch's own generator is left alone.
    """
    other = copy.deepcopy(network)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in other.named_parameters():
            if parameter.ndim >= 2:
                fan_in = max(1, parameter[0].numel())
                drawn = torch.randn(parameter.shape, generator=generator) * (2 / fan_in) ** 0.5
                parameter.copy_(drawn)
            else:
                parameter.fill_(1.0 if name.endswith("weight") else 0.0)
    for module in other.modules():
        if isinstance(module, nn.modules.batchnorm._NormBase):
            module.reset_running_stats()
    return other


def spearman(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float | None:
    """Rank correlation of two maps; None where the first is flat, 0 where only the second is.

    Large maps are compared on an even choice of at most 50 000 voxels.
    """
    step = -(-one.size // _MOST_VOXELS)
    first, second = one.ravel()[::step], other.ravel()[::step]
    if np.ptp(first) == 0:
        return None
    if np.ptp(second) == 0:
        return 0.0
    return float(np.corrcoef(rankdata(first), rankdata(second))[0, 1])
