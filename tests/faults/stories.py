"""All stories, by name, and the ways in which each is run."""

from __future__ import annotations

from typing import Final

from faults.stories_core import FACTS, ITEMS, MEMORY
from faults.stories_files import EXPORT, IMPORT, REEMBED, REKEY
from faults.stories_frameworks import CHATS, CHECKPOINTS
from faults.world import KEYS, Story
from holdfast.storage.sqlite.database import Durability
from holdfast.storage.sqlite.opening import CAN_ENCRYPT

Variant = tuple[Durability, "bytes | None"]

STORIES: Final = {
    story.name: story
    for story in (MEMORY, FACTS, ITEMS, CHECKPOINTS, CHATS, IMPORT, EXPORT, REEMBED, REKEY)
}


def variants(story: Story) -> list[Variant]:
    """Return how a story is run: both durabilities, and with a key where there can be one."""
    keys = [None] if story.keyed is None else []
    keys += [KEYS[0]] if CAN_ENCRYPT and story.keyed is not False else []
    return [(durability, key) for key in keys for durability in _DURABILITIES]


_DURABILITIES: Final[tuple[Durability, ...]] = ("normal", "full")
