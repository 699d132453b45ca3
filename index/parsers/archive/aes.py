"""Members of zip files that are encrypted with AES, as WinZip defines it."""

from __future__ import annotations

import hashlib
import hmac
import struct
import zipfile
import zlib
from collections.abc import Iterator

from index.parsers.archive import bounds


def decrypted(stored: bytes, field: bytes, password: bytes) -> Iterator[bytes]:
    """A member, unpacked piece by piece; ``field`` says how it is encrypted and packed.

    Raises:
        RuntimeError: It has another password.
        NotImplementedError: The way is unknown.
        ValueError: It was altered.
        EOFError: It is cut off.
    """
    strength, method = struct.unpack_from("<4xBH", field)
    if strength not in (1, 2, 3) or method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise NotImplementedError("encrypted or packed in a rare way")
    size = 8 + 8 * strength
    salt, check = stored[: size // 2], stored[size // 2 : size // 2 + 2]
    keys = hashlib.pbkdf2_hmac("sha1", password, salt, 1000, 2 * size + 2)
    if keys[-2:] != check:
        raise RuntimeError("wrong password")
    pieces = _deciphered(stored[len(salt) + 2 : -10], keys, stored[-10:])
    return pieces if method == zipfile.ZIP_STORED else _inflated(pieces)


def _deciphered(body: bytes, keys: bytes, seal: bytes) -> Iterator[bytes]:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    size = len(keys) // 2 - 1
    if hmac.digest(keys[size:-2], body, "sha1")[:10] != seal:
        raise ValueError("its seal is broken")
    # Their counters begin with the lowest byte, which no mode of the library knows.
    encryptor = Cipher(algorithms.AES(keys[:size]), modes.ECB()).encryptor()
    for place in range(0, len(body), bounds.PIECE):
        piece = body[place : place + bounds.PIECE]
        first = place // 16 + 1
        counters = (number.to_bytes(16, "little") for number in range(first, first + (len(piece) + 15) // 16))
        mask = encryptor.update(b"".join(counters))[: len(piece)]
        yield (int.from_bytes(piece) ^ int.from_bytes(mask)).to_bytes(len(piece))


def _inflated(pieces: Iterator[bytes]) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    for piece in pieces:
        while piece and not unpacker.eof:
            yield unpacker.decompress(piece, bounds.PIECE)
            piece = unpacker.unconsumed_tail
    yield unpacker.flush()
    if not unpacker.eof:
        raise EOFError("it is cut off")
