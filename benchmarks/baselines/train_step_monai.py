"""FROZEN. What a user gets today: MONAI's networks, float32, contiguous, default allocator, eager. Prints a JSON line.

It measures one workload in a process of its own; `benchmarks/train_step.py` runs it in turns with ours. Do not tune it.
The network and the supervision are nnU-Net's plan for the hippocampus (MONAI DynUNet, deep supervision, DiceCE loss) or
ResNet-18 in the same topology, optimised by AdamW.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import torch
from monai.losses import DeepSupervisionLoss, DiceCELoss
from monai.networks.nets import DynUNet, resnet18
from torch import Tensor, nn

WORKLOADS = {
    "unet3d": {"shape": (40, 56, 40), "batch": 9, "channels": 1, "classes": 3},
    "resnet28": {"shape": (28, 28), "batch": 128, "channels": 3, "classes": 2},
    "resnet224": {"shape": (224, 224), "batch": 32, "channels": 3, "classes": 2},
}


def network(name: str) -> nn.Module:
    facts = WORKLOADS[name]
    if name == "unet3d":
        return DynUNet(
            3, facts["channels"], facts["classes"], kernel_size=[3] * 4, strides=[1, 2, 2, 2],
            upsample_kernel_size=[2] * 3, filters=[32, 64, 128, 256], norm_name=("INSTANCE", {"affine": True}),
            deep_supervision=True, deep_supr_num=1,
        )  # fmt: skip
    small = facts["shape"][0] <= 64
    stem = {"conv1_t_size": 3, "conv1_t_stride": 1, "no_max_pool": True} if small else {"conv1_t_stride": 2}
    return resnet18(spatial_dims=2, n_input_channels=facts["channels"], num_classes=facts["classes"], **stem)


def a_batch(name: str, step: int, seed: int, size: float = 1.0) -> tuple[Tensor, Tensor]:
    """A task that can be learnt: balls in noise to be found, or discs and rings in noise to be told apart.

    `size` shrinks the batch, and the edges of volumes.
    """
    facts = WORKLOADS[name]
    shape = tuple(int(edge * size) // 8 * 8 for edge in facts["shape"]) if name == "unet3d" else facts["shape"]
    generator = torch.Generator().manual_seed(1_000_003 * seed + step)
    batch = max(2, int(facts["batch"] * size))
    noise = torch.randn((batch, facts["channels"], *shape), generator=generator)
    axes = torch.meshgrid(*(torch.linspace(-1, 1, edge) for edge in shape), indexing="ij")
    centre = torch.rand((batch, len(shape)), generator=generator) - 0.5
    distance = sum((axis - centre[:, n].view(-1, *[1] * len(shape))) ** 2 for n, axis in enumerate(axes)).sqrt()
    if name == "unet3d":
        label = (distance < 0.6).long() + (distance < 0.3).long()
        return noise + 0.7 * label.unsqueeze(1), label
    kind = torch.randint(0, 2, (batch,), generator=generator)
    ring = torch.where(kind.view(-1, 1, 1) == 0, distance < 0.4, (distance > 0.3) & (distance < 0.5))
    return noise + 0.7 * ring.unsqueeze(1), kind


def loss_of(name: str, model: nn.Module) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """What is minimised, and the full-resolution logits."""
    dice = DeepSupervisionLoss(DiceCELoss(to_onehot_y=True, softmax=True, include_background=False, batch=False))

    def plain(images: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        logits = model(images)
        return nn.functional.cross_entropy(logits, target), logits

    def deep(images: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        levels = list(torch.unbind(model(images), dim=1))
        return dice(levels, target.unsqueeze(1)), levels[0]

    return deep if name == "unet3d" else plain


def peak_gb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024 / 1e9


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("--seconds", type=float, default=30.0, help="of timed steps")
    parser.add_argument("--loss", type=int, default=0, help="train so many steps and print the losses instead")
    parser.add_argument("--size", type=float, default=1.0, help="edge of the images and batch, as a share (--loss)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0)
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)
    model = network(given.workload).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-4)
    loss = loss_of(given.workload, model)
    times, losses = [], []
    began = time.monotonic()
    images, target = a_batch(given.workload, 0, given.seed, given.size)
    while len(losses) < given.loss if given.loss else len(times) < 3 or time.monotonic() - began < given.seconds:
        if given.loss:
            images, target = a_batch(given.workload, len(losses), given.seed, given.size)
        start = time.monotonic()
        optimiser.zero_grad()
        value, logits = loss(images, target)
        value.backward()
        optimiser.step()
        times.append(time.monotonic() - start)
        # The same measure for both sides, whatever they minimise.
        losses.append(nn.functional.cross_entropy(logits.detach().float(), target).item() if given.loss else 0.0)
    steady = sorted(times[1:])
    print(json.dumps({
        "workload": given.workload, "seconds_per_step": steady[len(steady) // 2], "fastest_step": steady[0],
        "steps": len(times), "examples_per_s": len(images) / steady[len(steady) // 2], "peak_gb": peak_gb(),
        "last_losses": losses[-20:], "torch": torch.__version__,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
