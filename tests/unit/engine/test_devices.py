"""What the machine can do, told from files of a kernel that are made up here."""

from pathlib import Path

import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from diascope.core.errors import BadUsage
from diascope.engine import devices
from diascope.engine.devices import Arithmetic, Capabilities, candidates, lay_out, prepare_process


def a_machine(**changes: object) -> Capabilities:
    plain = {"cores": 4, "amx": False, "avx512_bf16": False, "cuda": 0, "mps": False, "compiler": True}
    return Capabilities(**{**plain, "memory_total": 8 * 10**9, "memory_available": 6 * 10**9, **changes})


def cgroup(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return folder


@pytest.fixture
def threads_restored():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads_restored")
def test_a_process_can_be_prepared_twice():
    first, second = prepare_process(threads=1), prepare_process(threads=1)
    assert first == second
    assert first["threads"] == "1"
    assert set(first) == {"allocator", "denormals", "linear_algebra", "threads"}
    assert torch.get_num_threads() == 1


@pytest.mark.usefixtures("threads_restored")
def test_denormals_are_flushed():
    said = prepare_process()["denormals"]
    value = torch.tensor([1e-40]) * 1
    assert (value == 0) == said.startswith("flushed")


def test_linear_algebra_takes_no_core_from_torch():
    with threadpool_limits(limits=2, user_api="blas"):
        prepare_process()
        assert {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"} == {1}
    prepare_process()


def test_no_threads_are_refused():
    with pytest.raises(BadUsage, match="at least one thread"):
        prepare_process(threads=0)


def test_a_system_without_glibc_keeps_its_allocator(monkeypatch):
    monkeypatch.setattr(devices.sys, "platform", "darwin")
    assert "not glibc" in prepare_process()["allocator"]


@pytest.mark.parametrize(
    ("machine", "dimensions", "expected"),
    [
        (a_machine(), 3, (("fp32", True), ("fp32", False))),
        (a_machine(amx=True, avx512_bf16=True), 2, (("bf16", True), ("fp32", True))),
        (a_machine(avx512_bf16=True), 3, (("fp32", True), ("bf16", True), ("fp32", False))),
        (a_machine(), 2, (("fp32", True), ("fp32", False), ("fp32", True, 1))),
        (a_machine(cuda=1), 3, (("bf16", True), ("fp32", True))),
        (a_machine(mps=True), 2, (("fp32", False),)),
        (a_machine(amx=True), 0, (("fp32", False, 1), ("fp32", False))),
        (a_machine(), 1, (("fp32", False, 1), ("fp32", False))),
    ],
)
def test_the_candidates_follow_the_machine(machine, dimensions, expected):
    wanted = tuple(Arithmetic(*one) if len(one) == 3 else Arithmetic(*one, 4) for one in expected)
    assert candidates(machine, dimensions) == wanted


def test_a_containers_quota_limits_the_cores(monkeypatch, tmp_path):
    monkeypatch.setattr(devices.os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    monkeypatch.setattr(devices, "CGROUP", cgroup(tmp_path, cpu_max="200000 100000\n"))
    assert devices.usable_cores() == 2


def test_no_quota_leaves_the_cores_of_the_affinity(monkeypatch, tmp_path):
    monkeypatch.setattr(devices.os, "sched_getaffinity", lambda _: {3, 5, 7}, raising=False)
    monkeypatch.setattr(devices, "CGROUP", cgroup(tmp_path, cpu_max="max 100000\n"))
    assert devices.usable_cores() == 3


def test_a_containers_memory_limit_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(devices, "CGROUP", cgroup(tmp_path, memory_max="1000000\n", memory_current="400000\n"))
    machine = devices.capabilities()
    assert machine.memory_total == 1_000_000
    assert machine.memory_available == 600_000


def test_units_are_read_from_the_processors_flags(monkeypatch, tmp_path):
    facts = tmp_path / "cpuinfo"
    facts.write_text("model name\t: Invented 1\nflags\t\t: fpu amx_tile amx_bf16 avx512f\n")
    monkeypatch.setattr(devices, "CPU_FACTS", facts)
    assert devices.capabilities().amx
    assert not devices.capabilities().avx512_bf16
    assert devices.describe()["processor"] == "Invented 1"
    assert devices.describe()["bf16 units"] == "AMX"


def test_a_compiler_needs_the_headers_too(monkeypatch, tmp_path):
    monkeypatch.setattr(devices.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(devices.sysconfig, "get_path", lambda _: str(tmp_path))
    assert not devices._has_compiler()
    (tmp_path / "Python.h").touch()
    assert devices._has_compiler()


def test_peak_memory_grows_with_what_is_held():
    before = devices.peak_memory_gb()
    held = torch.ones(int((before + 0.1) * 1e9 / 4))
    assert devices.peak_memory_gb() > before + 0.05
    del held


def test_convolutions_of_both_ranks_are_laid_out():
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Conv3d(1, 4, 3), torch.nn.Linear(2, 2))
    before = [parameter.clone() for parameter in module.parameters()]
    lay_out(module, channels_last=True)
    assert module[0].weight.stride() == (27, 1, 9, 3)
    assert module[1].weight.stride()[1] == 1
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))
    lay_out(module, channels_last=False)
    assert all(parameter.is_contiguous() for parameter in module.parameters())
