"""What this machine can do, and how a process is set up so that it does it (`benchmarks/train_step.py` measures it)."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import platform
import resource
import shutil
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil
import torch
from threadpoolctl import threadpool_limits
from torch import nn

from diascope.core.errors import BadUsage

Precision = Literal["fp32", "bf16"]

MALLOC_SETTINGS = {"M_MMAP_MAX": (-4, 0), "M_TRIM_THRESHOLD": (-1, 2**31 - 1), "M_TOP_PAD": (-2, 256 * 2**20)}
"""Name to (number in glibc's malloc.h, value): map no tensor apart, give no memory back, grow in big steps."""
CGROUP = Path("/sys/fs/cgroup")
CPU_FACTS = Path("/proc/cpuinfo")
OWN_STATUS = Path("/proc/self/status")
UNLIMITED = 2**60
"""Bytes; cgroup 1 writes about 2**63 where there is no limit."""


@dataclass(frozen=True)
class Capabilities:
    """What this machine can do.

    Args:
        cores: That this process may use.
        amx: Intel's matrix units for bf16.
        avx512_bf16: Dot products of bf16 in vectors: half the memory traffic, but hardly more arithmetic.
        cuda: Number of CUDA devices.
        mps: Apple's GPU.
        compiler: Whether torch.compile can build kernels: a C++ compiler and Python's headers, or triton for CUDA.
        memory_total: Bytes, of the machine or of the container's limit.
        memory_available: Bytes that can still be taken.
    """

    cores: int
    amx: bool
    avx512_bf16: bool
    cuda: int
    mps: bool
    compiler: bool
    memory_total: int
    memory_available: int


@dataclass(frozen=True, order=True)
class Arithmetic:
    """How a network is computed."""

    precision: Precision
    channels_last: bool
    threads: int


def prepare_process(threads: int | None = None) -> dict[str, str]:
    """Set this process up for computing: kept memory, flushed denormals, threads. Can be called again.

    glibc gives each freed tensor back to the kernel and pays page faults for the next one; keeping the memory is worth
    1.1 to 1.9 times the speed. Denormal numbers cost ten times in resampling. The threads of numpy's linear algebra
    go on spinning after each call and take the cores from torch: a step on small pictures took 2.7 times as long.

    Args:
        threads: Of torch; None keeps what torch chose, but at most the cores that this process may use.

    Returns:
        What was set, for the record of the environment.

    Raises:
        BadUsage: When `threads` is below 1.
    """
    if threads is not None and threads < 1:
        raise BadUsage("a process needs at least one thread", given=threads)
    flushed = torch.set_flush_denormal(True)
    torch.set_num_threads(threads if threads is not None else min(torch.get_num_threads(), usable_cores()))
    return {
        "allocator": _keep_memory(),
        "linear_algebra": _one_blas_thread(),
        "denormals": "flushed to zero" if flushed else "kept: this processor cannot flush them",
        "threads": str(torch.get_num_threads()),
    }


def _one_blas_thread() -> str:
    """Of numpy and scipy, torch brings its own; the variable is for what is loaded later, and for children."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    threadpool_limits(limits=1, user_api="blas")
    return "one thread"


def lay_out(module: nn.Module, channels_last: bool) -> nn.Module:
    """Store the weights of every convolution with the channels last, or first; works where 2-D and 3-D are mixed.

    `Module.to(memory_format=...)` refuses a module that has weights of both ranks, and leaves weights of one channel
    as they are, whose convolution then gives its output with the channels first.
    """
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    for parameter in module.parameters():
        if parameter.dim() in formats:
            wanted = formats[parameter.dim()] if channels_last else torch.contiguous_format
            parameter.data = torch.empty_like(parameter.data, memory_format=wanted).copy_(parameter.data)
    return module


def capabilities() -> Capabilities:
    """What this machine can do, and the memory that is free now."""
    flags = _cpu_flags()
    total, available = _memory()
    cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return Capabilities(
        cores=usable_cores(),
        amx={"amx_tile", "amx_bf16"} <= flags,
        avx512_bf16="avx512_bf16" in flags,
        cuda=cuda,
        mps=torch.backends.mps.is_available(),
        compiler=importlib.util.find_spec("triton") is not None if cuda else _has_compiler(),
        memory_total=total,
        memory_available=available,
    )


def candidates(machine: Capabilities, dimensions: Literal[0, 1, 2, 3]) -> tuple[Arithmetic, ...]:
    """What is worth measuring before a plan is made, the likely fastest first.

    Args:
        machine: From `capabilities`.
        dimensions: Of the images; fewer than 2 for inputs without space, which have no channels to put last.
    """
    plain = Arithmetic("fp32", channels_last=False, threads=machine.cores)
    if machine.mps:
        return (plain,)
    # Small work is sometimes done before other threads are awake.
    alone = machine.cores > 1 and not machine.cuda
    if dimensions < 2:
        # One thread first: beside other work, threads that wait for each other take up to twenty times as long, and
        # nothing is then left of the probe's time.
        return (Arithmetic("fp32", channels_last=False, threads=1), plain) if alone else (plain,)
    last = Arithmetic("fp32", channels_last=True, threads=machine.cores)
    half = Arithmetic("bf16", channels_last=True, threads=machine.cores)
    if machine.cuda or machine.amx:
        return half, last
    found = (last, half, plain) if machine.avx512_bf16 else (last, plain)
    return (*found, Arithmetic("fp32", channels_last=True, threads=1)) if alone and dimensions == 2 else found


def usable_cores() -> int:
    """Cores that this process may use: the machine's, its affinity, and the container's quota."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _read(CGROUP / "cpu.max").partition(" ")
    allowed = int(quota) // int(period) if quota.isdigit() and period.strip().isdigit() else affinity
    return max(1, min(affinity, allowed))


def peak_memory_gb() -> float:
    """The most memory (10**9 bytes) that this process has held in RAM so far."""
    if OWN_STATUS.exists():
        # Not getrusage: its maximum is inherited from the parent through exec.
        line = next(line for line in _read(OWN_STATUS).splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e9


def describe() -> dict[str, str]:
    """The machine and its software, for the environment section of a report."""
    machine = capabilities()
    units = [name for name, has in (("AMX", machine.amx), ("AVX-512 bf16", machine.avx512_bf16)) if has]
    gpus = [torch.cuda.get_device_name(number) for number in range(machine.cuda)] + ["Apple MPS"] * machine.mps
    return {
        "system": platform.platform(),
        "processor": _cpu_name(),
        "cores": str(machine.cores),
        "bf16 units": ", ".join(units) or "none",
        "gpu": ", ".join(gpus) or "none",
        "memory": f"{machine.memory_total / 1e9:.1f} GB",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": str(torch.get_num_threads()),
        "compiler": "present" if machine.compiler else "none",
    }


def _keep_memory() -> str:
    if not sys.platform.startswith("linux") or platform.libc_ver()[0] != "glibc":
        return "as the system has it (not glibc)"
    library = ctypes.CDLL(None)
    refused = [name for name, (number, value) in MALLOC_SETTINGS.items() if library.mallopt(number, value) != 1]
    return f"glibc refused {', '.join(refused)}" if refused else "glibc, freed memory is kept"


def _cpu_flags() -> frozenset[str]:
    for line in _read(CPU_FACTS).splitlines():
        if line.startswith("flags"):
            return frozenset(line.partition(":")[2].split())
    return frozenset()


def _cpu_name() -> str:
    for line in _read(CPU_FACTS).splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _has_compiler() -> bool:
    compiler = next((name for name in (os.environ.get("CXX"), "g++", "clang++") if name and shutil.which(name)), None)
    headers = Path(sysconfig.get_path("include")) / "Python.h"
    return compiler is not None and headers.exists()


def _memory() -> tuple[int, int]:
    """Total and available bytes, of the machine or of the tighter container."""
    machine = psutil.virtual_memory()
    limit = _number(CGROUP / "memory.max") or _number(CGROUP / "memory" / "memory.limit_in_bytes")
    if limit is None or limit > min(machine.total, UNLIMITED):
        return machine.total, machine.available
    used = _number(CGROUP / "memory.current") or _number(CGROUP / "memory" / "memory.usage_in_bytes") or 0
    return limit, min(machine.available, max(0, limit - used))


def _number(path: Path) -> int | None:
    text = _read(path).strip()
    return int(text) if text.isdigit() else None


def _read(path: Path) -> str:
    """The text of a file of the kernel; empty where this system has none."""
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
