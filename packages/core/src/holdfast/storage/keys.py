"""Keys of encrypted files: from a passphrase to what SQLCipher takes, and what a failure means."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from holdfast.errors import SchemaVersionError, StorageError, WrongKeyError

# As many as SQLCipher 4 takes itself; done once here instead of once a connection.
KDF_ROUNDS = 256_000
SALT_BYTES = 16
PLAIN_HEADER = b"SQLite format 3\x00"


def raw_key(key: str | bytes, path: Path) -> str:
    """Return key and salt in hex, as ``PRAGMA key`` takes them; the salt heads the file."""
    salt = os.urandom(SALT_BYTES)
    try:
        if path.exists() and path.stat().st_size >= SALT_BYTES:
            with path.open("rb") as file:
                salt = file.read(SALT_BYTES)
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}") from error
    return derive(key, salt)


def derive(key: str | bytes, salt: bytes) -> str:
    """Return key and salt in hex.

    Raises:
        WrongKeyError: The key is empty, or neither text nor bytes.
    """
    if not key:
        raise WrongKeyError("the key is empty; give a passphrase or 32 raw bytes")
    if not isinstance(key, str | bytes | bytearray):
        raise WrongKeyError(f"the key is a {type(key).__name__}; give a passphrase or 32 raw bytes")
    if isinstance(key, bytes) and len(key) == 32:
        return key.hex() + salt.hex()
    try:
        phrase = key.encode() if isinstance(key, str) else key
    except UnicodeEncodeError:  # from nowhere, for it holds the key
        raise WrongKeyError("the key is no UTF-8 text; give its bytes") from None
    # HMAC fills a short key up with zeros, so that a passphrase and the same with NULs behind it
    # would be one; their digests are not.
    digest = hashlib.sha512(phrase).digest()
    return hashlib.pbkdf2_hmac("sha512", digest, salt, KDF_ROUNDS, 32).hex() + salt.hex()


def unreadable(path: Path, keyed: bool) -> StorageError:
    """Tell a wrong key from a file that is no database at all."""
    with path.open("rb") as file:
        head = file.read(512)
    if head.startswith(PLAIN_HEADER):
        return WrongKeyError(f"{path} is not encrypted; open it without key=")
    if keyed:
        return WrongKeyError(
            f"{path} cannot be read with this key; give the key it was written with"
        )
    if len(head) == 512 and sum(byte < 128 for byte in head) < 400:
        return WrongKeyError(f"{path} looks encrypted; give the key it was written with")
    return SchemaVersionError(f"{path} is no SQLite file; give Holdfast a file of its own")
