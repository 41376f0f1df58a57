"""What the decoder child tells an archive of an object, and what it refuses (RELIABILITY B3)."""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless

from diascope.core.errors import UnreadableFile
from diascope.formats.dicomio.decoder import Decoder
from diascope.testing.objects import a_dataset, an_object, as_bytes, seeds


@pytest.fixture(scope="module")
def strict() -> Iterator[Decoder]:
    """With the limits of the service; shared, for a start takes a second."""
    pool = Decoder(1, 4.0, 1 << 30, spare=1)
    yield pool
    pool.close()


def index_of(pool: Decoder, content: bytes, folder: Path) -> dict[str, Any]:
    path = folder / "one.dcm"
    path.write_bytes(content)
    return pool.index(path)


def why_not(pool: Decoder, content: bytes, folder: Path, seconds: float = 5.0) -> str:
    """The reason of a refusal, which must come in time."""
    started = time.monotonic()
    with pytest.raises(UnreadableFile) as caught:
        index_of(pool, content, folder)
    assert time.monotonic() - started < seconds
    return caught.value.reason


def test_every_seed_is_indexed_and_decoded(strict: Decoder, tmp_path: Path) -> None:
    for name, content in seeds():
        facts = index_of(strict, content, tmp_path)
        frames = strict.check(tmp_path / "one.dcm")
        assert frames == (facts["instance"]["frames"] or 0), name
        assert facts["identity"]["number"].startswith("P"), name
        assert facts["odd"] == [], name


NAMES = [
    ("GB18030", "Wang^XiaoDong=王^小东=", "Wang^XiaoDong=王^小东"),
    (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동", "Hong^Gildong=洪^吉洞=홍^길동"),
    ("ISO_IR 192", "Äneas^Rüdiger", "Äneas^Rüdiger"),
    ("ISO_IR 100", "Äneas^Rüdiger", "Äneas^Rüdiger"),
    ("ISO_IR 144", "Люкceмбypг", "Люкceмбypг"),
    ("GBK", "王^小东", "王^小东"),
]


@pytest.mark.parametrize(("charset", "name", "expected"), NAMES, ids=[str(one[0]) for one in NAMES])
def test_names_are_decoded_by_their_character_set(
    strict: Decoder, tmp_path: Path, charset: Any, name: str, expected: str
) -> None:
    facts = index_of(strict, an_object(SpecificCharacterSet=charset, PatientName=name), tmp_path)
    assert facts["identity"]["name"] == expected


@pytest.mark.parametrize("charset", ["NONSENSE", "ISO_IR 192\\GB18030", "\\\\\\", "ISO_IR 999"])
def test_an_unknown_character_set_ends_nothing(strict: Decoder, tmp_path: Path, charset: str) -> None:
    content = an_object(PatientName="Müller", StudyDescription="x\x00y\x1b[31mz")
    index_of(strict, content.replace(b"ISO_IR 192", charset.encode().ljust(10)[:10]), tmp_path)


def test_identity_is_in_its_part_only(strict: Decoder, tmp_path: Path) -> None:
    other = Dataset()
    other.PatientID = "secret-2"
    elements = {
        "PatientName": "secret-1", "OtherPatientIDsSequence": [other], "PatientID": "secret-3",
        "IssuerOfPatientID": "secret-4", "PatientBirthDate": "19331231", "AccessionNumber": "secret-5",
        "StudyID": "secret-6", "ReferringPhysicianName": "secret-7", "PerformingPhysicianName": "secret-8",
        "PatientAge": "093Y",
    }  # fmt: skip
    facts = index_of(strict, an_object(**elements), tmp_path)
    identity = facts.pop("identity")
    assert "secret" not in str(facts)
    assert "1933" not in str(facts)
    assert facts["study"]["attributes"] == {"PatientAge": "090Y"}
    assert (identity["other_numbers"], identity["birth_date"], identity["sex"]) == ("secret-2", "19331231", "F")
    assert sum("secret" in text for text in identity.values()) == 8


def test_what_rules_ask_for(strict: Decoder, tmp_path: Path) -> None:
    measures = Dataset()
    measures.SliceThickness, measures.PixelSpacing = "0.6", [0.5, 0.4]
    shared = Dataset()
    shared.PixelMeasuresSequence = [measures]
    elements = {
        "ConvolutionKernel": "Br40", "ContrastBolusAgent": "yes", "ImageType": ["ORIGINAL", "PRIMARY"],
        "SharedFunctionalGroupsSequence": [shared], "SliceThickness": None, "NumberOfSeriesRelatedInstances": 40,
        "StudyTime": "nonsense", "InstanceNumber": "99999999999", "Laterality": "L",
    }  # fmt: skip
    facts = index_of(strict, an_object(**elements), tmp_path)
    attributes = facts["series"]["attributes"]
    assert (attributes["ConvolutionKernel"], attributes["ContrastBolusAgent"], attributes["Laterality"]) == (
        "Br40", "yes", "L",
    )  # fmt: skip
    assert (attributes["SliceThickness"], attributes["PixelSpacing"]) == ("0.6", "0.5\\0.4")
    assert attributes["ImageType"] == "ORIGINAL\\PRIMARY"
    assert (facts["expected"], facts["study"]["time"], facts["instance"]["number"]) == (40, "", None)


def _nested(depth: int, explicit_length: bool) -> bytes:
    """A private sequence in a sequence in a sequence, implicit little endian."""
    tag = struct.pack("<HH", 0x0040, 0xA730)
    item, end, item_end = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0\0\0\0\0", b"\xfe\xff\x0d\xe0\0\0\0\0"
    if not explicit_length:
        return (tag + b"\xff" * 4 + item + b"\xff" * 4) * depth + (item_end + end) * depth
    parts, size = [], 0
    for _ in range(depth):
        parts.append(tag + struct.pack("<L", size + 8) + item + struct.pack("<L", size))
        size += 16
    return b"".join(reversed(parts))


@pytest.mark.parametrize("explicit_length", [True, False])
@pytest.mark.parametrize("depth", [65, 200, 10_000])
def test_deep_sequences_are_refused(strict: Decoder, tmp_path: Path, depth: int, explicit_length: bool) -> None:
    """B3: sequences 10,000 deep, of known length and of unknown length."""
    content = as_bytes(_headless(), ImplicitVRLittleEndian) + _nested(depth, explicit_length)
    assert "nested" in why_not(strict, content, tmp_path)
    shallow = as_bytes(_headless(), ImplicitVRLittleEndian) + _nested(20, explicit_length)
    assert index_of(strict, shallow, tmp_path)["study_uid"]


def _headless() -> Any:
    """A report without pixels, so that elements can be appended."""
    return a_dataset(pixels=np.zeros((0, 0), np.uint8), Modality="SR")


@pytest.mark.parametrize("frames", ["2147483647", "99999999999999999999", "-5", "1e400"])
def test_impossible_numbers_of_frames_are_refused(strict: Decoder, tmp_path: Path, frames: str) -> None:
    """B3: 2^31 - 1 frames in a small file."""
    content = an_object(NumberOfFrames="7" * len(frames)).replace(b"7" * len(frames), frames.encode())
    assert why_not(strict, content, tmp_path)


def test_a_deflate_bomb_is_refused(strict: Decoder, tmp_path: Path) -> None:
    """B3: half a megabyte that inflates to 640 MB."""
    plain = as_bytes(a_dataset(), DeflatedExplicitVRLittleEndian)
    meta = plain[: 132 + 12 + struct.unpack_from("<L", plain, 140)[0]]
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeros = b"\0" * (1 << 20)
    bomb = b"".join(engine.compress(zeros) for _ in range(640)) + engine.flush()
    assert len(bomb) < 1_000_000
    assert "inflates" in why_not(strict, meta + bomb, tmp_path)
    assert "inflates" in why_not(strict, meta + bomb + b"x" * 5_000_000, tmp_path)


def test_a_flood_of_pixels_is_refused(strict: Decoder, tmp_path: Path) -> None:
    """B3: JPEG 2000 that says it has 60,000 x 60,000 pixels, in the header, or in the codestream alone."""
    dataset = a_dataset(pixels=np.zeros((64, 64), np.uint16))
    content = as_bytes(dataset, JPEG2000Lossless)
    rows = b"\x28\x00\x10\x00US\x02\x00"
    assert "truncated" in why_not(strict, content.replace(rows + b"\x40\x00", rows + b"\x60\xea"), tmp_path)
    at = content.find(b"\xff\x4f\xff\x51")
    huge = content[: at + 8] + struct.pack(">LL", 60_000, 60_000) + content[at + 16 :]
    huge = huge[: at + 24] + struct.pack(">LL", 60_000, 60_000) + huge[at + 32 :]
    index_of(strict, huge, tmp_path)
    started = time.monotonic()
    with pytest.raises(UnreadableFile):
        strict.check(tmp_path / "one.dcm")
    assert time.monotonic() - started < 5.0
    assert index_of(strict, an_object(), tmp_path)["study_uid"]


def test_huge_elements_stay_on_disk(strict: Decoder, tmp_path: Path) -> None:
    private = struct.pack("<HH2sHL", 0x7FD1, 0x1010, b"OB", 0, 900 << 20)
    path = tmp_path / "one.dcm"
    with path.open("wb") as stream:
        stream.write(as_bytes(_headless()) + private)
        stream.truncate(stream.tell() + (900 << 20))
    assert strict.index(path)["study_uid"]
    text = struct.pack("<HH2sHL", 0x7FD1, 0x1012, b"UT", 0, 0x7FFFFFFE)
    path.write_bytes(as_bytes(_headless()) + text)
    assert strict.index(path)["study_uid"]


def test_long_and_strange_texts(strict: Decoder, tmp_path: Path) -> None:
    facts = index_of(strict, an_object(StudyDescription="d" * 5000, SeriesDescription="a\r\nb\x07"), tmp_path)
    assert (len(facts["study"]["description"]), facts["series"]["description"]) == (256, "ab")
    assert facts["odd"] == ["StudyDescription"]
    assert "PatientName" in why_not(strict, an_object(PatientName="n" * 5000), tmp_path)


@pytest.mark.parametrize("content", [b"", b"x" * 200, b"\0" * 128 + b"DICM", b"\0" * 128 + b"DICN" + b"\0" * 300])
def test_what_is_no_dicom_file_is_refused(strict: Decoder, tmp_path: Path, content: bytes) -> None:
    assert why_not(strict, content, tmp_path)


def test_reasons_hold_no_text_of_the_file(strict: Decoder, tmp_path: Path) -> None:
    content = an_object(PatientName="Canary^Name", PatientID="canary-id")
    for at in range(132, len(content) - 600, 3):
        path = tmp_path / "one.dcm"
        path.write_bytes(content[:at] + b"\xff\xff" + content[at + 2 :])
        try:
            strict.index(path)
            strict.check(path)
        except UnreadableFile as error:
            words = error.reason.lower()
            assert "canary" not in words, words


def test_a_spare_child_is_ready_after_a_crash(tmp_path: Path) -> None:
    """B4: the pool is refilled, and the next request is answered in less than a second."""
    pool = Decoder(2, 4.0, 1 << 30, arguments=("--faults",), spare=2)
    pool.refill()
    (tmp_path / "segfault.dcm").write_bytes(an_object())
    (tmp_path / "sound.dcm").write_bytes(an_object())
    for _ in range(2):
        pool.refill()
        with pytest.raises(UnreadableFile, match="SIGSEGV"):
            pool.index(tmp_path / "segfault.dcm")
        started = time.monotonic()
        assert pool.index(tmp_path / "sound.dcm")["study_uid"]
        assert time.monotonic() - started < 1.0
        with pool._started:
            assert pool._started.wait_for(lambda: len(pool._idle) == 2, 60)
    pool.close()
