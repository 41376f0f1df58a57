"""Frozen baseline: MONAI's SlidingWindowInferer, eager float32, then arg-max. Knows nothing of diascope.

Run by `benchmarks/sliding_window.py` in a process of its own:
python sliding_window_monai.py VOLUME.npy WEIGHTS.safetensors LABELS.npy RESULT.json PATCH WIDTH
"""

import json
import re
import sys
import time
from pathlib import Path

import numpy as np
import torch

CLASSES = 25


def build_network(width: int, patch: int) -> torch.nn.Module:
    """The 3-D U-Net that both sides run (MONAI DynUNet with nnU-Net's layout, no deep supervision)."""
    from monai.networks.nets import DynUNet

    levels = 5 if patch >= 96 else 4
    filters = [width, 2 * width, 4 * width, 8 * width, 10 * width][:levels]
    strides = [1] + [2] * (levels - 1)
    # Organs are told by their grey value: instance norm would take it away, and differ between crops and windows.
    return DynUNet(
        3, 1, CLASSES, [3] * levels, strides, strides[1:], filters=filters, res_block=False, norm_name="batch"
    )


def peak_mib() -> float:
    """Largest resident memory of this program (not `ru_maxrss`, which Linux carries over from the starting process)."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text()).group(1)) / 2**10


def main(volume_path: str, weights_path: str, labels_path: str, result_path: str, patch: int, width: int) -> None:
    from monai.inferers import SlidingWindowInferer
    from safetensors.torch import load_file

    network = build_network(width, patch).eval()
    network.load_state_dict(load_file(weights_path))
    volume = torch.from_numpy(np.load(volume_path))[None, None]
    inferer = SlidingWindowInferer(roi_size=(patch,) * 3, sw_batch_size=1, overlap=0.5, mode="gaussian")
    started = time.perf_counter()
    with torch.inference_mode():
        labels = inferer(volume, network).argmax(dim=1)[0].to(torch.uint8)
    seconds = time.perf_counter() - started
    np.save(labels_path, labels.numpy())
    with open(result_path, "w", encoding="utf-8") as stream:
        json.dump({"seconds": seconds, "peak_mib": peak_mib()}, stream)


if __name__ == "__main__":
    main(*sys.argv[1:5], int(sys.argv[5]), int(sys.argv[6]))
