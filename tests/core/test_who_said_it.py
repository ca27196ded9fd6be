"""A question about the wrong person: what is found carries the name of who really said it."""

from __future__ import annotations

import pytest
from holdfast import Memory, Message
from holdfast.testing import HashEmbedder

ALLERGY = Message("I am allergic to nuts, sadly.", name="Ada")
KEYS = Message("I lost my keys in the park yesterday.", name="Jonas")
PUPPY = Message("My sister and I adopted a puppy in June!", name="Ada")
OTHER = [
    Message("I prefer the bus to a car.", name="Jonas"),
    Message("Let me look that up for you.", role="assistant"),
]


@pytest.mark.parametrize(
    ("query", "asked", "told"),
    [
        ("What is Jonas allergic to, nuts?", "Jonas", ALLERGY),
        ("Did Ada lose her keys in the park?", "Ada", KEYS),
        ("When did Jonas adopt a puppy?", "Jonas", PUPPY),
        ("When did Zoe adopt a puppy?", "Zoe", PUPPY),
    ],
)
def test_a_question_about_the_wrong_person_shows_who_said_it(
    query: str, asked: str, told: Message
) -> None:
    with Memory(":memory:", embedder=HashEmbedder(dimension=4_096)) as memory:
        memory.add([ALLERGY, KEYS, PUPPY, *OTHER], user_id="ada", run_id="one")
        matches = memory.search(query, user_id="ada")
        context = memory.context(query, max_tokens=300, user_id="ada")
    assert told.content in [match.record.text for match in matches[:2]]
    assert all(match.record.speaker or match.record.role for match in matches)
    [match] = [match for match in matches if match.record.text == told.content]
    assert match.record.speaker == told.name
    assert f'{told.name}: "{told.content}"' in context.text
    assert f'{asked}: "{told.content}"' not in context.text
