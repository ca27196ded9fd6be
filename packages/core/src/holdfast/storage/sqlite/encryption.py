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


def raw_key(key: str | bytes, head: bytes) -> str:
    """Return key and salt in hex, as ``PRAGMA key`` takes them; the salt heads the file.

    Args:
        key: A passphrase, or 32 raw bytes.
        head: The first 16 bytes of the file; shorter: it is new, and gets a salt.
    """
    return derive(key, head if len(head) == SALT_BYTES else os.urandom(SALT_BYTES))


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


def unreadable(path: Path, head: bytes, keyed: bool) -> StorageError:
    """Tell a wrong key from a file that is no database at all, by its first 16 bytes."""
    if head == PLAIN_HEADER:
        return WrongKeyError(f"{path} is not encrypted; open it without key=")
    if keyed:
        return WrongKeyError(
            f"{path} cannot be read with this key; give the key it was written with"
        )
    if len(head) == SALT_BYTES and max(head) > 127:  # of random bytes, all but one in 65,536
        return WrongKeyError(f"{path} looks encrypted; give the key it was written with")
    return SchemaVersionError(f"{path} is no SQLite file; give Holdfast a file of its own")
