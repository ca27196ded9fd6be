"""What the SQLite below can do, for tests that need it."""

from __future__ import annotations

import pytest
from holdfast.storage.sqlite.opening import CAN_ENCRYPT, CUTS_AT_NUL

needs_encryption = pytest.mark.skipif(not CAN_ENCRYPT, reason="only sqlcipher3 encrypts")

# Characters of stored texts over which every filter can answer.
UNCOMPARED = "\x00" if CUTS_AT_NUL else ""
