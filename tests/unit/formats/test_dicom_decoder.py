"""The decoder child may crash, hang, panic or eat memory: only that request fails, the next is answered (B4)."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from diascope.core.errors import UnreadableFile
from diascope.formats.dicomio.decoder import Decoder, Job, decoder


def a_slice(path: Path) -> Path:
    """A CT slice with the values 0 to 5."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, CTImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.Modality = CTImageStorage, "1.2.3", "CT"
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = 2, 3, 1
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelData = np.arange(6, dtype=np.uint16).tobytes()
    dataset.save_as(path, enforce_file_format=True)
    return path


def pixels_of(pool: Decoder, path: Path) -> list[int]:
    job = Job(path, (0,), (0,), (1.0,), (0.0,))
    return [int(value) for value in pool.pixels([job], (1, 2, 3), np.int32).ravel()]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("segfault", "crashed on it (SIGSEGV)"),
        ("spin", "longer than 1 s"),
        ("panic", "BaseException: panicked at"),
        ("memory", "more memory than a decoder may have"),
    ],
)
def test_a_broken_child_fails_that_file_only(tmp_path: Path, kind: str, reason: str) -> None:
    paths = [a_slice(tmp_path / name) for name in ("a.dcm", f"{kind}.dcm", "b.dcm")]
    pool = Decoder(size=1, seconds=1 if kind == "spin" else 30, arguments=("--faults",))
    try:
        replies = dict(pool.headers(paths))
        assert [isinstance(replies[path], str) for path in paths] == [False, True, False]
        assert reason in str(replies[paths[1]])
        pool.seconds = 30
        started = time.monotonic()
        assert pixels_of(pool, paths[2]) == list(range(6))
        assert time.monotonic() - started < 5  # the limit is 1 s on an idle machine
    finally:
        pool.close()


def test_faults_are_refused_without_the_flag(tmp_path: Path) -> None:
    path = a_slice(tmp_path / "panic.dcm")
    assert pixels_of(decoder(), path) == list(range(6))


def test_one_bad_file_among_many_is_named(tmp_path: Path) -> None:
    paths = [a_slice(tmp_path / f"{k}.dcm") for k in range(3)]
    paths[1].write_bytes(b"\0" * 128 + b"DICM" + os.urandom(100))
    replies = dict(decoder().headers(paths))
    assert [isinstance(replies[path], str) for path in paths] == [False, True, False]


def test_a_file_that_changes_between_header_and_pixels_is_noticed(tmp_path: Path) -> None:
    path = a_slice(tmp_path / "a.dcm")
    pool = Decoder(size=1)
    try:
        list(pool.headers([path], keep=True))
        path.write_bytes(path.read_bytes() + b"\0\0")
        with pytest.raises(UnreadableFile, match="changed while it was read"):
            pixels_of(pool, path)
    finally:
        pool.close()


def test_the_result_is_private_memory_and_writable(tmp_path: Path) -> None:
    path = a_slice(tmp_path / "a.dcm")
    job = Job(path, (0,), (0,), (1.0,), (0.0,))
    array = decoder().pixels([job], (1, 2, 3), np.int32)
    array[:] = 9
    assert array.max() == 9


def _in_a_daemon(path: Path, answers: multiprocessing.SimpleQueue[list[int]]) -> None:
    answers.put(pixels_of(decoder(), path))
    decoder().close()


@pytest.mark.parametrize("how", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")  # Python 3.12 about fork
def test_it_works_in_a_daemonic_worker(tmp_path: Path, how: str) -> None:
    path = a_slice(tmp_path / "a.dcm")
    assert pixels_of(decoder(), path) == list(range(6))  # the parent has a child of its own before the fork
    context = multiprocessing.get_context(how)
    answers = context.SimpleQueue()
    worker = context.Process(target=_in_a_daemon, args=(path, answers), daemon=True)
    worker.start()
    assert answers.get() == list(range(6))
    worker.join()
    assert pixels_of(decoder(), path) == list(range(6))


def test_closing_ends_the_children(tmp_path: Path) -> None:
    pool = Decoder(size=1)
    list(pool.headers([a_slice(tmp_path / "a.dcm")]))
    (child,) = pool._idle
    pool.close()
    assert child.process.poll() is not None


LIMITED = """
import resource, sys
from pathlib import Path
from diascope.formats.dicomio.decoder import Decoder
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
pool = Decoder(size=1)
facts = dict(pool.headers([Path(sys.argv[1])]))[Path(sys.argv[1])]
print(facts["rows"], *resource.prlimit(pool._idle[0].process.pid, resource.RLIMIT_AS))
pool.close()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of another process are Linux's prlimit")
def test_a_hard_limit_on_memory_is_inherited_and_never_raised(tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-c", LIMITED, str(a_slice(tmp_path / "a.dcm"))],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert said.stdout.split() == ["2", str(3 << 30), str(3 << 30)]
