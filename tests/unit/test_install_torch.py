"""Which torch is installed where: never CUDA packages on a machine without a GPU."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLAIN = ["2.15.0", "2.14.1", "2.13.0", "2.12.1", "2.10.0", "2.9.1"]


def installer():
    spec = importlib.util.spec_from_file_location("install_torch", ROOT / ".ci" / "install_torch.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def installed_where(monkeypatch, *, present=None, system="Linux", gpu=False, here=PLAIN, index=(), plain_cpu=None):
    """What pip is told to install on such a machine, and the exit code."""
    module, told = installer(), []
    monkeypatch.setattr(module, "installed", lambda package: present)
    monkeypatch.setattr(module.platform, "system", lambda: system)
    monkeypatch.setattr(module, "has_gpu", lambda: gpu)
    monkeypatch.setattr(module, "offered", lambda *options: list(index if options else here))
    monkeypatch.setattr(module, "unlabelled_cpu", lambda requirement: plain_cpu)
    monkeypatch.setattr(module, "pip", lambda *arguments: told.append(arguments))
    return module.main(), told


def test_a_cpu_build_that_pip_offers_is_taken_by_its_exact_version(monkeypatch):
    here = [*PLAIN, "2.13.0+cpu", "2.12.0+cpu", "2.14.0+cpu"]
    assert installed_where(monkeypatch, here=here) == (0, [("install", "torch==2.13.0+cpu")])


def test_else_one_from_pytorchs_cpu_index(monkeypatch):
    code, told = installed_where(monkeypatch, index=["2.12.1+cpu", "2.9.0+cpu"])
    expected = ("install", "torch==2.12.1+cpu", "--extra-index-url", "https://download.pytorch.org/whl/cpu")
    assert (code, told) == (0, [expected])


def test_else_a_build_that_asks_for_no_cuda_package(monkeypatch):
    assert installed_where(monkeypatch, plain_cpu="2.13.0") == (0, [("install", "torch==2.13.0")])


def test_else_nothing_is_installed(monkeypatch, capsys):
    assert installed_where(monkeypatch) == (1, [])
    assert "no CPU build of torch" in capsys.readouterr().out


@pytest.mark.parametrize("machine", [{"system": "Darwin"}, {"gpu": True}])
def test_with_a_gpu_or_on_a_mac_it_is_what_pip_offers(monkeypatch, machine):
    code, told = installed_where(monkeypatch, here=[*PLAIN, "2.13.0+cpu"], **machine)
    assert (code, told) == (0, [("install", installer().torch_requirement(ROOT / "pyproject.toml"))])


def test_a_torch_in_range_stays(monkeypatch):
    assert installed_where(monkeypatch, present="2.11.0+cu130") == (0, [])


def test_a_torch_out_of_range_is_replaced(monkeypatch):
    code, told = installed_where(monkeypatch, present="2.9.1", here=["2.13.0+cpu"])
    assert (code, told) == (0, [("install", "torch==2.13.0+cpu")])
