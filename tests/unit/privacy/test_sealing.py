from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diascope.core.errors import Tampered
from diascope.privacy.keys import KeyRing
from diascope.privacy.sealing import CHUNK, STREAM_HEADER, TAG, Sealer


def a_sealer(folder: Path, purpose: str = "rows") -> Sealer:
    return Sealer(KeyRing.open(folder / "keys.json"), purpose)


def streamed(sealer: Sealer, content: bytes, context: str = "a", step: int = 300_000) -> bytes:
    stream = sealer.stream(context)
    parts = [stream.update(content[start : start + step]) for start in range(0, len(content), step)]
    return b"".join(parts) + stream.finish()


def opened(sealer: Sealer, sealed: bytes, context: str = "a") -> bytes:
    return b"".join(sealer.opened(io.BytesIO(sealed), context))


def some_bytes(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def test_a_row_comes_back_and_two_of_the_same_differ(tmp_path: Path) -> None:
    sealer = a_sealer(tmp_path)
    one, two = sealer.seal(b"Wang^Xiaoming", "row 1"), sealer.seal(b"Wang^Xiaoming", "row 1")
    assert one != two
    assert b"Wang" not in one
    assert sealer.open(one, "row 1") == sealer.open(two, "row 1") == b"Wang^Xiaoming"


def test_every_flipped_byte_of_a_row_is_tampered(tmp_path: Path) -> None:
    """A12: a flipped byte never gives another plain text."""
    sealer = a_sealer(tmp_path)
    sealed = sealer.seal(b"Wang^Xiaoming", "row 1")
    for place in range(len(sealed)):
        broken = bytearray(sealed)
        broken[place] ^= 1
        with pytest.raises(Tampered):
            sealer.open(bytes(broken), "row 1")


def test_a_row_opens_nowhere_else(tmp_path: Path) -> None:
    sealer = a_sealer(tmp_path)
    sealed = sealer.seal(b"x", "row 1")
    with pytest.raises(Tampered):
        sealer.open(sealed, "row 2")
    with pytest.raises(Tampered):
        a_sealer(tmp_path, "other purpose").open(sealed, "row 1")
    with pytest.raises(Tampered, match="not in the ring"):
        a_sealer(tmp_path / "other ring").open(sealed, "row 1")


@pytest.mark.parametrize("size", [0, 3, 11, 40])
def test_a_row_that_is_cut_off_is_tampered(tmp_path: Path, size: int) -> None:
    sealer = a_sealer(tmp_path)
    with pytest.raises(Tampered):
        sealer.open(sealer.seal(b"some text of a row", "a")[:size], "a")


def test_old_keys_open_after_a_rotation_and_the_new_one_seals(tmp_path: Path) -> None:
    ring = KeyRing.open(tmp_path / "keys.json")
    sealer = Sealer(ring, "rows")
    row, stream = sealer.seal(b"before", "a"), streamed(sealer, b"before")
    ring.rotate()
    assert (sealer.open(row, "a"), opened(sealer, stream)) == (b"before", b"before")
    assert not sealer.is_current(row)
    assert not sealer.is_current(stream)
    assert sealer.is_current(sealer.seal(b"after", "a"))
    assert sealer.is_current(streamed(sealer, b"after"))


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 7])
def test_a_stream_comes_back(tmp_path: Path, size: int) -> None:
    sealer, content = a_sealer(tmp_path), some_bytes(size)
    sealed = streamed(sealer, content)
    assert opened(sealer, sealed) == content
    assert len(sealed) == STREAM_HEADER + size + TAG * max(1, -(-size // CHUNK))


@settings(max_examples=25, deadline=None)
@given(steps=st.lists(st.integers(0, 2 * CHUNK + 3), max_size=4))
def test_how_a_stream_is_written_does_not_matter(tmp_path_factory, steps: list[int]) -> None:
    sealer = a_sealer(tmp_path_factory.getbasetemp())
    stream = sealer.stream("a")
    sealed = b"".join(stream.update(some_bytes(step)) for step in steps) + stream.finish()
    assert opened(sealer, sealed) == b"".join(map(some_bytes, steps))


def test_a_stream_that_is_cut_at_any_place_is_tampered(tmp_path: Path) -> None:
    """A12: also where it is cut between two chunks."""
    sealer = a_sealer(tmp_path)
    sealed = streamed(sealer, some_bytes(2 * CHUNK + 100))
    border = STREAM_HEADER + CHUNK + TAG
    for size in (0, 10, STREAM_HEADER, STREAM_HEADER + 5, border - 1, border, border + 3, 2 * border - STREAM_HEADER):
        with pytest.raises(Tampered):
            opened(sealer, sealed[:size])


def test_chunks_that_are_moved_doubled_or_added_are_tampered(tmp_path: Path) -> None:
    sealer = a_sealer(tmp_path)
    sealed = streamed(sealer, some_bytes(3 * CHUNK))
    header, step = sealed[:STREAM_HEADER], CHUNK + TAG
    one, two, last = (sealed[STREAM_HEADER + n * step : STREAM_HEADER + (n + 1) * step] for n in range(3))
    assert opened(sealer, header + one + two + last) == some_bytes(3 * CHUNK)
    for parts in ((two, one, last), (one, one, two, last), (one, last), (two, last), (one, two, last, last), (last,)):
        with pytest.raises(Tampered):
            opened(sealer, header + b"".join(parts))


def test_a_chunk_of_another_object_is_tampered(tmp_path: Path) -> None:
    sealer = a_sealer(tmp_path)
    one, two = streamed(sealer, some_bytes(10)), streamed(sealer, some_bytes(10))
    with pytest.raises(Tampered):
        opened(sealer, one[:STREAM_HEADER] + two[STREAM_HEADER:])
    with pytest.raises(Tampered):
        opened(sealer, one, "another name")


def test_a_flipped_byte_anywhere_in_a_stream_is_tampered(tmp_path: Path) -> None:
    """A12: header, chunk, tag, last chunk."""
    sealer = a_sealer(tmp_path)
    sealed = streamed(sealer, some_bytes(CHUNK + 50))
    places = [*range(STREAM_HEADER + 2), CHUNK // 2, STREAM_HEADER + CHUNK + 3, len(sealed) - 20, len(sealed) - 1]
    for place in places:
        broken = bytearray(sealed)
        broken[place] ^= 0x10
        with pytest.raises(Tampered):
            opened(sealer, bytes(broken))


def test_what_was_broken_late_gives_only_sound_chunks_before(tmp_path: Path) -> None:
    sealer, content = a_sealer(tmp_path), some_bytes(2 * CHUNK)
    sealed = bytearray(streamed(sealer, content))
    sealed[-1] ^= 1
    chunks = sealer.opened(io.BytesIO(bytes(sealed)), "a")
    assert next(chunks) == content[:CHUNK]
    with pytest.raises(Tampered):
        next(chunks)
