"""What a network starts from: fresh weights, or those of a file; and which of its stages are never trained."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn

from diascope.core.errors import BadUsage, Tampered
from diascope.core.plan import Plan
from diascope.engine.building import build_network
from diascope.engine.foreign import tensors_of


@dataclass(frozen=True)
class Match:
    """Which weights of a network's encoders a file holds.

    Args:
        taken: Name in the network to name in the file.
        adapted: Those of them that were made for another number of channels.
        left: Weights of the encoders that stay fresh, as the file does not hold them, or in another shape.
        unused: Names in the file that nothing was taken from.
    """

    taken: Mapping[str, str]
    adapted: tuple[str, ...]
    left: tuple[str, ...]
    unused: tuple[str, ...]

    @property
    def words(self) -> str:
        """In one line."""
        found = f"{len(self.taken)} of {len(self.taken) + len(self.left)} weights of the encoder taken"
        if self.adapted:
            found += f", {len(self.adapted)} of them for another number of channels ({', '.join(self.adapted)})"
        if self.left:
            found += f"; fresh: {_some(self.left)}"
        return found + (f"; not used: {_some(self.unused)}" if self.unused else "")


def encoders_of(network: nn.Module) -> dict[str, nn.Module]:
    """The encoders of a network, by their names in it; not those inside of others."""
    found: dict[str, nn.Module] = {}
    for name, module in network.named_modules():
        if getattr(module, "gives", None) is not None and not any(name.startswith(f"{outer}.") for outer in found):
            found[name] = module
    return found


def match(network: nn.Module, tensors: Mapping[str, Tensor]) -> Match:
    """Compare the encoders of a network with a file, by name and shape.

    Names may begin differently on both sides (`module.`, `encoders.image.`): for each encoder the pair of beginnings
    that fits most weights is taken.
    """
    taken: dict[str, str] = {}
    adapted: list[str] = []
    left: list[str] = []
    for name, encoder in encoders_of(network).items():
        wanted = {f"{name}.{key}" if name else key: value for key, value in encoder.state_dict().items()}
        ours, theirs = _beginnings(wanted, tensors, name)
        first = next((key for key, value in wanted.items() if value.ndim > 3), None)
        for key, value in wanted.items():
            source = f"{theirs}{key.removeprefix(ours)}" if key.startswith(ours) else ""
            have = tensors[source].shape if source in tensors else None
            if have is not None and (have == value.shape or (key == first and _adaptable(have, value.shape))):
                taken[key] = source
                adapted += [key] if have != value.shape else []
            else:
                left.append(key)
    used = set(taken.values())
    return Match(taken, tuple(adapted), tuple(left), tuple(key for key in tensors if key not in used))


def _beginnings(wanted: Mapping[str, Tensor], tensors: Mapping[str, Tensor], encoder: str) -> tuple[str, str]:
    """The beginnings of names, here and in the file, after which most weights are called alike."""
    endings: dict[str, list[str]] = {}
    for key in tensors:
        endings.setdefault(key.rsplit(".", 1)[-1], []).append(key)
    votes: Counter[tuple[str, str]] = Counter()
    for key, value in wanted.items():
        for other in endings.get(key.rsplit(".", 1)[-1], ()):
            if tensors[other].shape == value.shape:
                votes[_differing(key, other)] += 1
    if not votes:
        return "", ""
    # Of equals, that of the same name: two encoders of one kind in a file are not mixed up.
    return max(votes, key=lambda pair: (votes[pair], pair[0] == pair[1], pair[1].endswith(f"{encoder}."), pair))


def _differing(one: str, other: str) -> tuple[str, str]:
    """What stands before the longest common end of two names, by their parts."""
    mine, theirs = one.split("."), other.split(".")
    alike = 0
    for a, b in zip(reversed(mine), reversed(theirs), strict=False):
        if a != b:
            break
        alike += 1
    return _joined(mine[: len(mine) - alike]), _joined(theirs[: len(theirs) - alike])


def _joined(parts: Sequence[str]) -> str:
    return "".join(f"{part}." for part in parts)


def _adaptable(have: torch.Size, want: torch.Size) -> bool:
    """Whether a first convolution differs in the number of its input channels alone."""
    return len(have) == len(want) and have[0] == want[0] and have[2:] == want[2:]


def _adapted(weight: Tensor, channels: int) -> Tensor:
    """A first convolution (D, C, ...) for another number of channels, as timm adapts it: alike for an image in grey."""
    if channels == 1:
        return weight.sum(dim=1, keepdim=True)
    times = -(-channels // weight.shape[1])
    repeated = torch.cat([weight] * times, dim=1)[:, :channels]
    return repeated * (weight.shape[1] / channels)


def begun_network(plan: Plan) -> nn.Module:
    """The plan's network as training finds it: fresh weights, those that it starts from, frozen stages.

    Raises:
        Tampered: When the file of the weights is not the one that was planned with.
    """
    network = build_network(plan)
    start = plan["weights"] if "weights" in plan.choices else {}
    if start:
        content = tensors_of(Path(start["file"]))
        if (found := file_hash(Path(start["file"]))) != start["sha256"]:
            raise Tampered(
                f"the weights {start['file']} are not those that the plan was made with",
                given=f"SHA-256 {found[:12]}, and {start['sha256'][:12]} is planned",
                todo="Plan again",
            )
        take(network, content)
    freeze(network, plan["freeze"] if "freeze" in plan.choices else 0)
    return network


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def take(network: nn.Module, tensors: Mapping[str, Tensor]) -> Match:
    """Copy what a file holds of the network's encoders.

    Raises:
        BadUsage: When it holds nothing of them.
    """
    found = match(network, tensors)
    state = network.state_dict()
    if not any(state[key].ndim > 1 for key in found.taken):
        theirs = ", ".join(f"{key} {tuple(value.shape)}" for key, value in list(tensors.items())[:3])
        ours = ", ".join(f"{key} {tuple(state[key].shape)}" for key in list(found.left)[:3])
        raise BadUsage(
            "no weight of the file fits the network, by name and shape",
            given=f"{len(tensors)} weights such as {theirs or 'none'}; the network has {ours or 'no encoder'}",
            todo="Give the weights of this model, or choose theirs with --set model=NAME and --set model_options={...}",
        )
    with torch.no_grad():
        for key, source in found.taken.items():
            own, given = state[key], tensors[source]
            own.copy_(_adapted(given, own.shape[1]) if key in found.adapted else given)
    return found


def freeze(network: nn.Module, count: int) -> None:
    """See that the first stages of every encoder are never trained; what stands before the first belongs to it.

    Raises:
        BadUsage: When an encoder has no stages, or fewer.
    """
    if not count:
        return
    for name, encoder in encoders_of(network).items():
        stages = stages_of(encoder)
        if count > len(stages):
            raise BadUsage(
                f"{name or 'the encoder'} has {len(stages)} stages that could be frozen", given=f"freeze={count}",
                todo=f"Freeze at most {len(stages)}" if stages else "Leave freeze out",
            )  # fmt: skip
        for part in (part for stage in stages[:count] for part in stage):
            part.requires_grad_(False)
            part.eval()
            # Norms keep their statistics: the loop calls `train()` before each step.
            part.train = MethodType(_as_it_is, part)  # type: ignore[method-assign]


def _as_it_is(module: nn.Module, mode: bool = True) -> nn.Module:
    """In place of `train()` of a frozen module."""
    return module


def stages_of(encoder: nn.Module) -> list[list[nn.Module]]:
    """The modules of each stage, from the input on (`stages` of the encoder); none where it names no stages."""
    while isinstance(inner := getattr(encoder, "encoder", None), nn.Module):
        encoder = inner
    stages: Any = getattr(encoder, "stages", None)
    if stages is None:
        return []
    if not isinstance(stages, nn.ModuleList):
        return [list(stage) for stage in stages]
    before = list(takewhile(lambda child: child is not stages, encoder.children()))
    return [[*(before if number == 0 else []), stage] for number, stage in enumerate(stages)]


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:4]) + (f", ... ({len(names)})" if len(names) > 4 else "")
