"""Multipart bodies as streams."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diascope.serve.dicomweb.multipart import (
    LONGEST_HEADERS,
    Malformed,
    Parts,
    boundary_of,
    media_type,
    new_boundary,
    written,
)

BOUNDARY = b"b0undary"


def in_pieces(body: bytes, length: int) -> Iterator[bytes]:
    return (body[at : at + length] for at in range(0, len(body), length))


def read(body: bytes, length: int = 7) -> list[tuple[str, bytes]]:
    parts = Parts(in_pieces(body, length), BOUNDARY)
    return [(part.media_type.name, b"".join(part.content)) for part in parts]


@given(
    st.lists(st.binary(max_size=200), min_size=1, max_size=5),
    st.integers(1, 64),
)
def test_what_is_written_is_read_whatever_the_pieces(contents: list[bytes], length: int) -> None:
    body = b"".join(written((("application/dicom", [one]) for one in contents), BOUNDARY.decode()))
    assert read(body, length) == [("application/dicom", one) for one in contents]


@given(st.integers(1, 30))
def test_content_that_looks_like_the_boundary(length: int) -> None:
    content = b"\r\n--b0undar\r\n--b0undarx--\r\n\r\n--"
    assert read(b"--b0undary\r\n\r\n" + content + b"\r\n--b0undary--", length) == [("text/plain", content)]


def test_prologue_epilogue_and_spaces() -> None:
    body = b"a remark\r\n--b0undary  \r\nContent-Type: Application/DICOM; x=1\r\n\r\nabc\r\n--b0undary--\r\nafter it"
    assert read(body) == [("application/dicom", b"abc")]


def test_a_part_that_nobody_reads_is_skipped() -> None:
    body = b"".join(written([("a/b", [b"1" * 1000]), ("c/d", [b"2"])], BOUNDARY.decode()))
    assert [part.media_type.name for part in Parts(in_pieces(body, 50), BOUNDARY)] == ["a/b", "c/d"]


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        (b"", "ends before"),
        (b"--b0undary--\r\n", "no part"),
        (b"--other\r\n\r\nabc\r\n--other--", "does not begin"),
        (b"x" * 10_000, "does not begin"),
        (b"--b0undary\r\n\r\nabc", "ends before"),
        (b"--b0undary\r\nContent-Type: a/b", "ends before"),
        (b"--b0undary\r\nno colon\r\n\r\nabc\r\n--b0undary--", "colon"),
        (b"--b0undary and more\r\n\r\nabc\r\n--b0undary--", "something else"),
        (b"--b0undary\r\nX: " + b"y" * 2 * LONGEST_HEADERS, "KiB"),
    ],
)
def test_what_is_no_multipart_is_refused(body: bytes, wrong: str) -> None:
    with pytest.raises(Malformed, match=wrong):
        read(body, 1000)


def test_memory_stays_bounded_while_a_part_has_no_end() -> None:
    """B3: 1 GB of one part, one chunk in memory."""
    chunk, largest = b"\r\n--b0undar" * 25_000, 0

    def body() -> Iterator[bytes]:
        yield b"--b0undary\r\n\r\n"
        for _ in range(1000):
            yield chunk

    parts = Parts(body(), BOUNDARY)
    part = next(iter(parts))
    for _ in range(1000):
        next(part.content)
        largest = max(largest, len(parts._buffer))
    assert largest <= 2 * len(chunk)
    with pytest.raises(Malformed, match="ends before"):
        next(part.content)


@pytest.mark.parametrize(
    "text", ["multipart/related", "multipart/related; boundary=", 'a/b; boundary="ä"', "a/b; boundary=" + "x" * 201]
)
def test_a_boundary_that_is_none(text: str) -> None:
    with pytest.raises(Malformed, match="boundary"):
        boundary_of(media_type(text))


def test_media_types() -> None:
    kind = media_type('Multipart/Related; Type="application/dicom"; boundary="a b=c"')
    assert (kind.name, kind.parameters["type"], boundary_of(kind)) == (
        "multipart/related",
        "application/dicom",
        b"a b=c",
    )
    assert boundary_of(media_type(f"a/b; boundary={new_boundary()}"))
