"""B15, B16: what comes from elsewhere is data and never code; bytes that were changed are not used."""

from __future__ import annotations

import ast
import errno
import io
import json
import os
import pickle
import struct
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

import diascope
from diascope.core.case import Label, Target
from diascope.core.errors import DiascopeError, Tampered
from diascope.core.evaluation import Evaluation, Gate, Release
from diascope.core.plan import Choice, Plan
from diascope.core.record import canonical_json, hash_of
from diascope.engine.fit import load_weights
from diascope.store.releases import INDEX, OpenRelease, open_release, read_arrays, sealed, write_release

SOURCES = sorted(Path(diascope.__file__).parent.rglob("*.py"))


def a_target() -> Target:
    labels = (Label(name="no", value=0), Label(name="yes", value=1))
    return Target(name="label", kind="category", columns=("label",), labels=labels)


def a_plan(model: str = "resnet") -> Plan:
    plain: dict[str, Any] = {
        "model": model,
        "image_inputs": ["image"],
        "readings": {},
        "channels": {"image": 1},
        "intensity": {"image": {"rule": "grey"}},
        "patch": [1, 8, 8],
        "spacing": [1.0, 1.0, 1.0],
        "dropout": 0.0,
        "model_options": {"depth": [1] * 4, "width": 8, "stem": [1, 3, 3], "strides": [[1, 1, 1]] * 6},
    }
    choices = {name: Choice(value=value, kind="fixed", reason="") for name, value in plain.items()}
    return Plan(dataset="d", task="classification", target=a_target(), seed=0, choices=choices)


def a_release(folder: Path, weights: bytes | None = None, **changes: Any) -> Path:
    """A release on disk whose hashes are right, whatever its weights are."""
    decision = {"temperature": 1.0, "point": {"threshold": 0.4}}
    plain: dict[str, Any] = {
        "name": "films",
        "version": "1",
        "task": "classification",
        "target": a_target(),
        "dataset": "films@1",
        "plan_hash": a_plan().content_hash(),
        "backend": "torch",
        "precision": "fp32",
        "decision": decision,
        "gate": Gate(rules=()),
        "members": ("weights-0.safetensors",),
        "hashes": {},
    }
    evaluation = Evaluation(
        dataset="films@1", part="test", task="classification", release="films@1", cases=1, patients=1, metrics={},
        headline=(), decision=decision,
    )  # fmt: skip
    files: dict[str, bytes | Path] = {
        "plan.json": canonical_json(a_plan().to_json()).encode(),
        "evaluation.json": canonical_json(evaluation.to_json()).encode(),
        "weights-0.safetensors": save({"a": np.arange(6.0)}) if weights is None else weights,
        "reference.safetensors": save({"0/answer": np.zeros((1, 2))}),
    }
    write_release(folder, Release(**{**plain, **changes}), files)
    return folder


def test_what_was_written_is_opened(tmp_path: Path) -> None:
    folder = a_release(tmp_path / "films@1")
    opened = open_release(folder)
    assert isinstance(opened, OpenRelease)
    assert opened.release.label == "films@1"
    assert opened.plan == a_plan()
    assert np.array_equal(opened.arrays("weights-0.safetensors")["a"], np.arange(6.0))
    assert [path.name for path in tmp_path.iterdir()] == ["films@1"]


def test_a_release_is_never_overwritten(tmp_path: Path) -> None:
    folder = a_release(tmp_path / "films@1")
    with pytest.raises(DiascopeError, match="never overwritten"):
        a_release(folder)


def test_every_single_bit_counts(tmp_path: Path) -> None:
    folder = a_release(tmp_path / "films@1")
    chance = np.random.default_rng(0)
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        for _ in range(12):
            place, bit = int(chance.integers(len(whole))), int(chance.integers(8))
            changed = bytearray(whole)
            changed[place] ^= 1 << bit
            path.write_bytes(bytes(changed))
            with pytest.raises(Tampered):
                open_release(folder)
        path.write_bytes(whole)
        open_release(folder)


def test_a_release_of_an_earlier_version_without_a_later_field_is_opened(tmp_path: Path) -> None:
    folder = a_release(tmp_path / "films@1")
    content = json.loads((folder / INDEX).read_text())
    del content["licence"]  # as if no release had had one when this was made
    content["seal"] = hash_of({**content, "seal": ""})
    (folder / INDEX).write_text(json.dumps(content))
    assert open_release(folder).release.licence == ""


def test_a_changed_threshold_in_the_index_is_noticed(tmp_path: Path) -> None:
    folder = a_release(tmp_path / "films@1")
    content = json.loads((folder / INDEX).read_text())
    content["decision"]["point"]["threshold"] = 0.9
    (folder / INDEX).write_text(json.dumps(content))
    with pytest.raises(Tampered, match=r"release\.json of release films@1 was changed"):
        open_release(folder)


def _extra_file(folder: Path) -> None:
    (folder / "extra.py").write_text("boom")


def _extra_folder(folder: Path) -> None:
    (folder / "code").mkdir()
    (folder / "code" / "hook.py").write_text("boom")


def _missing(folder: Path) -> None:
    (folder / "reference.safetensors").unlink()


def _link(folder: Path) -> None:
    real = folder.parent / "elsewhere"
    (folder / "plan.json").rename(real)
    (folder / "plan.json").symlink_to(real)


def _unsealed(folder: Path, **changes: Any) -> None:
    release = Release.read(folder / INDEX)
    sealed(release.model_copy(update=changes)).write(folder / INDEX)


def _traversal_in_hashes(folder: Path) -> None:
    known = Release.read(folder / INDEX).hashes
    _unsealed(folder, hashes={**known, "../elsewhere": "0" * 64})


def _absolute_in_hashes(folder: Path) -> None:
    known = Release.read(folder / INDEX).hashes
    _unsealed(folder, hashes={**known, "/etc/hostname": "0" * 64})


def _traversal_in_members(folder: Path) -> None:
    _unsealed(folder, members=("../elsewhere.safetensors",))


def _no_plan(folder: Path) -> None:
    known = {name: digest for name, digest in Release.read(folder / INDEX).hashes.items() if name != "plan.json"}
    (folder / "plan.json").unlink()
    _unsealed(folder, hashes=known)


def _deep_index(folder: Path) -> None:
    (folder / INDEX).write_text("[" * 200_000)


def _index_of_another_version(folder: Path) -> None:
    content = json.loads((folder / INDEX).read_text())
    (folder / INDEX).write_text(json.dumps({**content, "schema_version": 99}))


def _unknown_key(folder: Path) -> None:
    content = json.loads((folder / INDEX).read_text())
    (folder / INDEX).write_text(json.dumps({**content, "on_load": "os.system"}))


@pytest.mark.parametrize(
    "harm",
    [
        _extra_file, _extra_folder, _missing, _link, _traversal_in_hashes, _absolute_in_hashes, _traversal_in_members,
        _no_plan, _deep_index, _index_of_another_version, _unknown_key,
    ],
)  # fmt: skip
def test_a_folder_that_is_not_what_its_index_says_is_refused(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    folder = a_release(tmp_path / "films@1")
    harm(folder)
    with pytest.raises(Tampered):
        open_release(folder)


def test_what_is_no_release_is_said(tmp_path: Path) -> None:
    with pytest.raises(Tampered, match=r"has no release\.json"):
        open_release(tmp_path)


@pytest.mark.parametrize("call", ["fsync", "replace", "mkdir", "rename"])
def test_a_full_disk_leaves_no_half_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises((DiascopeError, OSError), match="No space left"):
            a_release(tmp_path / "films@1")
    assert list(tmp_path.iterdir()) == []
    open_release(a_release(tmp_path / "films@1"))


class Canary:
    """Pickled, it makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def _zip(name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, content)
    return stream.getvalue()


def _tar(name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def _header(content: bytes, size: int | None = None, body: bytes = b"") -> bytes:
    return struct.pack("<Q", len(content) if size is None else size) + content + body


def _tensor(dtype: str = "F32", shape: tuple[int, ...] = (2,), ends: tuple[int, int] = (0, 8)) -> bytes:
    return json.dumps({"a": {"dtype": dtype, "shape": list(shape), "data_offsets": list(ends)}}).encode()


MANY = json.dumps({f"k{n}": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} for n in range(100_000)}).encode()


def malicious(canary: Path) -> dict[str, bytes]:
    """Model files that must never be believed."""
    harmful = Canary(canary)
    pickles = {
        f"pickle protocol {number}": pickle.dumps(harmful, number) for number in range(pickle.HIGHEST_PROTOCOL + 1)
    }
    plain, sound = pickle.dumps(harmful), save({"a": np.arange(2, dtype=np.float32)})
    flipped = bytearray(sound)
    flipped[12] ^= 0xFF
    return pickles | {
        "torch zip": _zip("archive/data.pkl", plain),
        "torchscript": _zip("archive/code/__torch__.py", b"import os") + plain,
        "nested zip": _zip("a.zip", _zip("archive/data.pkl", plain)),
        "zip slip": _zip("../../canary", b"x"),
        "7z": b"7z\xbc\xaf\x27\x1c" + plain,
        "gzip": b"\x1f\x8b\x08" + plain,
        "tar": _tar("../../canary", plain),
        "legacy torch tar": _tar("pickle", plain),
        "numpy of objects": b"\x93NUMPY\x01\x00" + plain,
        "hdf5": b"\x89HDF\r\n\x1a\n" + plain,
        "onnx": b"\x08\x07\x12\x07pytorch" + plain,
        "python": b"import os; os.mkdir('canary')",
        "script": b"#!/bin/sh\nmkdir canary\n",
        "elf": b"\x7fELF\x02\x01\x01" + plain,
        "empty": b"",
        "a byte": b"{",
        "zeros": bytes(4096),
        "text": b"not weights at all",
        "pickle before tensors": plain + sound,
        "tensors cut off": sound[:-3],
        "header cut off": sound[:20],
        "flipped": bytes(flipped),
        "huge header": _header(_tensor(), 2**63),
        "header of the whole memory": _header(_tensor(), 2**40),
        "header beyond the file": _header(_tensor(), 4096),
        "header of nothing": _header(b""),
        "100,000 keys that overlap": _header(MANY, body=bytes(4)),
        "huge dimensions": _header(_tensor(shape=(2**40, 2**40))),
        "dimensions that overflow": _header(_tensor(shape=(2**63, 2), ends=(0, 0))),
        "offsets beyond the file": _header(_tensor(shape=(2**30,), ends=(0, 2**32))),
        "offsets that go back": _header(_tensor(ends=(8, 0)), body=bytes(8)),
        "unknown dtype": _header(_tensor("PICKLE"), body=bytes(8)),
        "header of no object": _header(b"[1, 2]  ", body=bytes(8)),
        "deep header": _header(b'{"a":' * 100_000),
        "two headers": _header(_tensor() * 2, body=bytes(8)),
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(malicious(Path("canary"))))
def test_malicious_weights_are_refused_with_a_reason_and_do_nothing(tmp_path: Path, name: str) -> None:
    canary = tmp_path / "canary"
    folder = a_release(tmp_path / "films@1", malicious(canary)[name])
    opened, began = open_release(folder), time.monotonic()  # Its hashes are right: who made it was malicious.
    with pytest.raises(Tampered) as caught:
        load_weights(opened.plan, folder / "weights-0.safetensors")
    with pytest.raises(Tampered):
        read_arrays(folder / "weights-0.safetensors")
    assert time.monotonic() - began < 5
    assert len(str(caught.value)) > 40
    assert not canary.exists()
    assert not (tmp_path.parent / "canary").exists()


def test_the_canary_would_fire(tmp_path: Path) -> None:
    pickle.loads(malicious(tmp_path / "canary")["pickle protocol 4"])
    assert (tmp_path / "canary").is_dir()


def test_sound_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    folder = a_release(tmp_path / "films@1")
    with pytest.raises(Tampered, match="do not fit the plan's network"):
        load_weights(a_plan(), folder / "weights-0.safetensors")


FORBIDDEN = {"pickle", "cPickle", "joblib", "dill", "cloudpickle", "shelve", "marshal", "jsonpickle"}


def forbidden(source: str) -> list[str]:
    """Imports and calls in a program that could run code from a file."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [name.name for name in node.names if name.name.split(".")[0] in FORBIDDEN]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in FORBIDDEN:
            found.append(str(node.module))
        elif isinstance(node, ast.Call):
            found += _of_call(node)
    return found


def _of_call(node: ast.Call) -> list[str]:
    name = ast.unparse(node.func)
    allowed = [one.value for one in node.keywords if one.arg == "allow_pickle"]
    if any(not (isinstance(value, ast.Constant) and value.value is False) for value in allowed):
        return [f"{name}(allow_pickle=...)"]
    if name == "torch.load" and "weights_only=True" in ast.unparse(node):
        return []  # arrays alone, of a network that somebody else trained (decision 0011)
    bare = {"torch.load", "torch.jit.load", "torch.package.PackageImporter", "eval", "exec", "__import__"}
    return [name] if name in bare or (name in ("np.load", "numpy.load") and not allowed) else []


TRUSTED = ["torch.jit.load"]
"""Of networks that others made, where the user says that the file may run code (decision 0014)."""


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(SOURCES[0].parent)))
def test_no_module_reads_pickles_or_runs_text(path: Path) -> None:
    trusted = TRUSTED if path.parts[-3:] == ("models", "files", "opening.py") else []
    assert forbidden(path.read_text(encoding="utf-8")) == trusted


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "from joblib import load", "torch.load(p)", "torch.load(p, weights_only=False)", "np.load(p)",
        "np.load(p, allow_pickle=True)",
        "np.load(p, allow_pickle=yes)", "eval(x)", "exec(x)", "torch.jit.load(p)",
    ],
)  # fmt: skip
def test_the_rule_finds_what_it_forbids(source: str) -> None:
    assert forbidden(source)
