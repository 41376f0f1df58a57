"""Which form an answer has."""

from __future__ import annotations

import pytest

from diascope.serve.dicomweb.negotiation import EXPLICIT, NotAcceptable, chosen, frame_for, syntax_for

J2K, IMPLICIT = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2"
RELATED = 'multipart/related; type="application/dicom"'


@pytest.mark.parametrize(
    ("accept", "stored", "expected"),
    [
        ("", J2K, (EXPLICIT, False)),
        ("*/*", EXPLICIT, (EXPLICIT, False)),
        (RELATED, J2K, (EXPLICIT, False)),
        (f"{RELATED}; transfer-syntax=*", J2K, (J2K, False)),
        (f"{RELATED}; transfer-syntax={J2K}", J2K, (J2K, False)),
        (f"{RELATED}; transfer-syntax=1.2.3, {RELATED}; transfer-syntax={EXPLICIT};q=0.5", J2K, (EXPLICIT, False)),
        (f"{RELATED}; transfer-syntax={EXPLICIT};q=0.1, {RELATED}; transfer-syntax={J2K}", J2K, (J2K, False)),
        ("application/dicom; transfer-syntax=*", IMPLICIT, (IMPLICIT, True)),
    ],
)
def test_syntax_of_an_instance(accept: str, stored: str, expected: tuple[str, bool]) -> None:
    assert syntax_for(accept, stored) == expected


@pytest.mark.parametrize("accept", [f"{RELATED}; transfer-syntax=1.2.3", "text/html", "application/dicom;q=0"])
def test_syntax_that_there_is_not(accept: str) -> None:
    with pytest.raises(NotAcceptable, match="none of the media types"):
        syntax_for(accept, J2K)


@pytest.mark.parametrize(
    ("accept", "stored", "expected"),
    [
        ("", J2K, ("application/octet-stream", EXPLICIT)),
        ('multipart/related; type="application/octet-stream"', J2K, ("application/octet-stream", EXPLICIT)),
        ('multipart/related; type="image/jp2"', J2K, ("image/jp2", J2K)),
        (f'multipart/related; type="image/jp2"; transfer-syntax={J2K}', J2K, ("image/jp2", J2K)),
        (
            'multipart/related; type="application/octet-stream"; transfer-syntax=*',
            J2K,
            ("application/octet-stream", J2K),
        ),
        ("*/*; transfer-syntax=*", J2K, ("image/jp2", J2K)),
        ("*/*; transfer-syntax=*", IMPLICIT, ("application/octet-stream", EXPLICIT)),
    ],
)
def test_form_of_frames(accept: str, stored: str, expected: tuple[str, str]) -> None:
    assert frame_for(accept, stored) == expected


def test_frames_in_a_form_that_there_is_not() -> None:
    with pytest.raises(NotAcceptable):
        frame_for('multipart/related; type="image/jls"', J2K)


def test_pictures() -> None:
    kinds = ["image/jpeg", "image/png"]
    assert chosen("image/png, image/jpeg;q=0.5", kinds) == "image/png"
    assert chosen("image/*", kinds) == chosen("", kinds) == "image/jpeg"
    with pytest.raises(NotAcceptable):
        chosen("image/gif", kinds)
