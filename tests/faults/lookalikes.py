"""Tenants whose names look alike, over all four ids, in one file.

A `Tenant` is a set of scopes that no other tenant of the file can reach by what it may name. Most
have an id of their own (the anchor) and share every other one: two users talk to one agent, in
one app, in sessions of one name. Some have no user at all: an agent or an app without a user, in
sessions of its own, beside users of the same agent and app.
"""

from __future__ import annotations

import random
import unicodedata
from dataclasses import dataclass

Ids = dict[str, str]

NAMES = (
    "ada",
    "Ada",
    "ADA",
    "ada ",
    " ada",
    "a da",
    "ada.",
    ".ada",
    "ada/",
    "/ada",
    "ada/x",
    "ada//x",
    "ada\\",
    "ada|x",
    "ada=x",
    "user_id=ada",
    "ada,",
    "ada:1",
    "ada%",
    "a%a",
    "ad_",
    "a*",
    "*",
    "%",
    "_",
    "ａｄａ",
    "аdа",  # Cyrillic
    "ada\u200b",
    "a\u200dda",
    "\ufeffada",
    "adá",
    unicodedata.normalize("NFD", "adá"),
    "ﬁ",
    "fi",
    "ß",
    "ss",
    "İ",
    "i̇",
    "1",
    "1.0",
    "01",
    "null",
    "None",
    "' OR 1=1 --",
    "'; DROP TABLE records; --",
    '") OR ("1"="1',
    "ada' --",
    "x" * 256,
    "x" * 255 + "y",
    "{ada}",
    "$ada",
    "../ada",
    "ada%2Fx",
    "🙂",
    "🙂\ufe0f",
    "アダ",
    "ｱﾀﾞ",
)

_ROOMS: dict[str, tuple[Ids, ...]] = {
    "user_id": (
        {},
        {"run_id": "r1"},
        {"run_id": "r2"},
        {"agent_id": "bot", "run_id": "r1"},
        {"agent_id": "bot", "run_id": "r3"},
        {"app_id": "shop", "run_id": "r2"},
        {"agent_id": "bot", "app_id": "shop"},
    ),
    "agent_id": ({}, {"run_id": "r1"}, {"run_id": "r2"}, {"app_id": "shop", "run_id": "r1"}),
    "app_id": ({}, {"run_id": "r1"}, {"agent_id": "bot", "run_id": "r2"}),
    "run_id": ({},),
}
# No user; each reads and writes within sessions of its own name only.
_WITHOUT_USER: tuple[tuple[Ids, tuple[str, ...]], ...] = (
    ({"agent_id": "bot"}, ("anonymous 1", "anonymous 2")),
    ({"app_id": "shop"}, ("anonymous 3", "anonymous 4")),
    ({"agent_id": "bot", "app_id": "shop"}, ("anonymous 5", "anonymous 6")),
)


@dataclass(frozen=True)
class Tenant:
    """Whose memory.

    Attributes:
        number: Its place in the file's list of tenants.
        anchor: Ids that all its scopes have; empty where it has none of its own.
        rooms: The further ids of its scopes.
        mark: A word that no other tenant says.
    """

    number: int
    anchor: Ids
    rooms: tuple[Ids, ...]

    @property
    def mark(self) -> str:
        return f"mk{self.number}x"

    def room(self, rng: random.Random) -> Ids:
        """Return the ids of one of its scopes."""
        return self.anchor | rng.choice(self.rooms)

    def reading(self, rng: random.Random) -> Ids:
        """Return ids to read by: some of those of a scope, so that it sees several."""
        room = dict(rng.choice(self.rooms))
        if self.anchor:
            room = {name: value for name, value in room.items() if rng.random() < 0.6}
        return self.anchor | room


def tenants(rng: random.Random, count: int) -> list[Tenant]:
    """Return tenants: first those without a user, then names alike over all four ids."""
    made = [
        Tenant(number, {}, tuple({**ids, "run_id": run} for run in runs))
        for number, (ids, runs) in enumerate(_WITHOUT_USER)
    ]
    # Names that stand side by side look alike; users have most of them, as in life.
    start = rng.randrange(len(NAMES))
    while len(made) < count:
        name = NAMES[(start + len(made) // 2) % len(NAMES)]
        kind = rng.choice(["user_id", "user_id", "agent_id", "app_id", "run_id"])
        if all(one.anchor != {kind: name} for one in made):
            made.append(Tenant(len(made), {kind: name}, _ROOMS[kind]))
    return made
