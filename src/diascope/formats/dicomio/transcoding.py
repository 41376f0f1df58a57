"""Writing an object anew in a plain transfer syntax, inside the decoder child, for peers that take no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import pydicom
from pydicom.uid import UID

from diascope.formats.dicomio import nesting
from diascope.formats.dicomio.parsing import BrokenFileError, Parsed, check_size
from diascope.formats.dicomio.pixels import DECODERS

PLAIN = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")
"""Implicit and explicit VR little endian: the only ones that are written."""

BIG_ENDIAN = "1.2.840.10008.1.2.2"


def transcode(parsed: Parsed, target: Path | BinaryIO, syntax: str) -> None:
    """Write the same object in another encoding; every element stays, compressed pixels are decompressed.

    Args:
        parsed: The object.
        target: File that is written over, or an open one.
        syntax: Transfer syntax of the result.

    Raises:
        BrokenFileError: When it can't be done.
    """
    if syntax not in PLAIN:
        raise BrokenFileError("objects are written in plain transfer syntaxes only")
    if parsed.syntax == BIG_ENDIAN:
        raise BrokenFileError("big endian objects are sent as they are or not at all")
    nesting.check_depth(parsed.dataset)
    if "Rows" in parsed.dataset:
        check_size(parsed)
    dataset = pydicom.dcmread(parsed.path)
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        _decompress(dataset)
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.save_as(target, implicit_vr=syntax == PLAIN[0], little_endian=True, enforce_file_format=True)


def _decompress(dataset: Any) -> None:
    syntax = dataset.file_meta.TransferSyntaxUID
    for plugin in DECODERS.get(str(syntax), ("",)):
        try:
            dataset.decompress(decoding_plugin=plugin, generate_instance_uid=False)
            return
        except (ValueError, RuntimeError, AttributeError, NotImplementedError):
            continue
    raise BrokenFileError(f"the pixel data cannot be decoded ({syntax.name})")
