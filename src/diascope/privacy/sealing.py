"""Sealing: authenticated encryption of rows and of objects (AES-256-GCM, NIST SP 800-38D).

Two forms, told apart by their first bytes. A row is sealed in one piece with a random nonce; its `context` (the row's
name) is authenticated, so that the bytes of one row cannot stand in another. An object is a stream of chunks of 1 MiB
under a key of its own, each with its number and a mark on the last one in its nonce (STREAM: Hoang, Reyhanitabar,
Rogaway, Vizar, CRYPTO 2015): a chunk that is missing, moved or cut off at the end is noticed.

    row:     "DSr1" | key id (8) | nonce (12) | ciphertext and tag (16)
    stream:  "DSs1" | key id (8) | salt (32)  | chunk and tag (16) | ...
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from diascope.core.errors import MissingPackage, Tampered, UnknownName
from diascope.privacy.keys import ID_BYTES, KEY_BYTES, KeyRing

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ROW, STREAM = b"DSr1", b"DSs1"
NONCE, SALT, TAG = 12, 32, 16
CHUNK = 1 << 20
"""Bytes of plain text in a chunk of a stream."""
ROW_HEADER = len(ROW) + ID_BYTES
STREAM_HEADER = len(STREAM) + ID_BYTES + SALT


class Sealer:
    """Seals with the current key of a ring, and opens with any of its keys.

    Args:
        keys: The ring.
        purpose: What is sealed: what one purpose has sealed cannot be opened as another's.
    """

    def __init__(self, keys: KeyRing, purpose: str) -> None:
        self._keys, self._purpose = keys, purpose
        self._ciphers: dict[str, AESGCM] = {}
        self._lock = threading.Lock()

    def seal(self, content: bytes, context: str) -> bytes:
        """Seal a row.

        Args:
            content: Plain bytes; at most a few megabytes.
            context: The row's name, which is not stored and must be given to open it.
        """
        key_id = self._keys.current
        header = ROW + bytes.fromhex(key_id)
        nonce = os.urandom(NONCE)
        return header + nonce + self._cipher(key_id).encrypt(nonce, content, header + context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        """Open a row.

        Raises:
            Tampered: When a byte differs, when it was sealed under another context, or when its key is not in the ring.
        """
        header, nonce = sealed[:ROW_HEADER], sealed[ROW_HEADER : ROW_HEADER + NONCE]
        if not sealed.startswith(ROW) or len(sealed) < ROW_HEADER + NONCE + TAG:
            raise _tampered("it does not begin as a sealed row does")
        cipher = self._cipher(header[len(ROW) :].hex())
        return _decrypted(cipher, nonce, sealed[ROW_HEADER + NONCE :], header + context.encode())

    def is_current(self, sealed: bytes) -> bool:
        """Whether a row, or the beginning of a stream, was sealed with the current key."""
        return sealed[len(ROW) : ROW_HEADER] == bytes.fromhex(self._keys.current)

    def stream(self, context: str) -> SealingStream:
        """Begin to seal an object."""
        key_id = self._keys.current
        header = STREAM + bytes.fromhex(key_id) + os.urandom(SALT)
        return SealingStream(self._stream_cipher(header), header, context)

    def opened(self, source: BinaryIO, context: str) -> Iterator[bytes]:
        """The plain chunks of a sealed object; each is given only after it was authenticated.

        Args:
            source: The sealed bytes, from the beginning.
            context: The object's name.

        Raises:
            Tampered: When a byte differs, a chunk is missing or moved, or the end is missing.
        """
        header = source.read(STREAM_HEADER)
        if not header.startswith(STREAM) or len(header) < STREAM_HEADER:
            raise _tampered("it does not begin as a sealed object does")
        cipher, authenticated = self._stream_cipher(header), header + context.encode()
        number, chunk = 0, source.read(CHUNK + TAG)
        while True:
            following = source.read(CHUNK + TAG)
            yield _decrypted(cipher, _nonce(number, last=not following), chunk, authenticated)
            if not following:
                return
            number, chunk = number + 1, following

    def _cipher(self, key_id: str) -> AESGCM:
        with self._lock:
            if key_id not in self._ciphers:
                self._ciphers[key_id] = _aes(self._derived(key_id))
            return self._ciphers[key_id]

    def _stream_cipher(self, header: bytes) -> AESGCM:
        """A key for one object, so that nonces may count from zero in each."""
        secret = self._derived(header[len(STREAM) : ROW_HEADER].hex())
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        salt = header[ROW_HEADER:]
        return _aes(HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=STREAM).derive(secret))

    def _derived(self, key_id: str) -> bytes:
        try:
            return self._keys.derived(f"sealing {self._purpose}", key_id)
        except UnknownName as error:
            raise _tampered(f"its key {key_id} is not in the ring") from error


class SealingStream:
    """An object that is being sealed, chunk by chunk; made by `Sealer.stream`."""

    def __init__(self, cipher: AESGCM, header: bytes, context: str) -> None:
        self._cipher, self._authenticated = cipher, header + context.encode()
        self._ready, self._held, self._number = [header], bytearray(), 0

    def update(self, content: bytes) -> bytes:
        """Sealed bytes that are ready after more plain ones; up to one chunk is held back."""
        view = memoryview(content)
        for start in range(0, len(view), CHUNK):
            self._held += view[start : start + CHUNK]
            if len(self._held) > CHUNK:
                self._seal(CHUNK, last=False)
        return self._taken()

    def finish(self) -> bytes:
        """The rest, with the mark of the last chunk. Nothing may follow."""
        self._seal(len(self._held), last=True)
        return self._taken()

    def _seal(self, size: int, last: bool) -> None:
        with memoryview(self._held) as held:
            nonce = _nonce(self._number, last)
            self._ready.append(self._cipher.encrypt(nonce, held[:size], self._authenticated))
        del self._held[:size]
        self._number += 1

    def _taken(self) -> bytes:
        taken = b"".join(self._ready)
        self._ready.clear()
        return taken


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(NONCE - 1, "big") + bytes([last])


def _aes(key: bytes) -> AESGCM:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as error:
        raise MissingPackage("cryptography", "serve", "Encryption") from error
    return AESGCM(key)


def _decrypted(cipher: AESGCM, nonce: bytes, sealed: bytes, authenticated: bytes) -> bytes:
    from cryptography.exceptions import InvalidTag

    if len(sealed) < TAG:
        raise _tampered("its end is missing")
    try:
        return cipher.decrypt(nonce, sealed, authenticated)
    except InvalidTag as error:
        raise _tampered("its bytes are not those that were sealed under this name") from error


def _tampered(reason: str) -> Tampered:
    return Tampered(f"what was sealed cannot be opened: {reason}", todo="Restore it from a back-up, and its key ring")
