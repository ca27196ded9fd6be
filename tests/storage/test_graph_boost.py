"""What relations boost, by hand, and over views of codes as over whole vectors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from holdfast.ingestion.conductor import index
from holdfast.runtime import SYNC, run
from holdfast.storage.contract.arrays import Floats
from holdfast.storage.contract.memories import Draft
from holdfast.storage.contract.reach import Reach
from holdfast.storage.index.graph_boost import Asked, boosts
from holdfast.storage.index.graphs import GraphView
from holdfast.storage.index.loading import GraphReading, Reading
from holdfast.storage.index.views import View
from holdfast.storage.sqlite.loading import SqliteLoader
from holdfast.storage.sqlite.storage import SqliteStorage
from holdfast.testing import HashEmbedder
from holdfast.types import Scope

MADE = HashEmbedder()
SCOPE = Scope("ann")
REGION = Reach.of_scope(SCOPE)


@pytest.fixture
def storage() -> Iterator[SqliteStorage]:
    opened = SqliteStorage(":memory:")
    yield opened
    opened.file.close()


def state(storage: SqliteStorage, *stated: tuple[str, str, str]) -> None:
    """Store facts that rest on nothing, each stating one relation."""
    texts = [(" ".join(one), None) for one in stated]
    drafts = [
        Draft(
            text,
            "fact",
            indexed,
            relations=({"subject": one[0], "relation": one[1], "object": one[2]},),
        )
        for one, (text, _), indexed in zip(
            stated, texts, run(index(SYNC, MADE, "fact", texts)), strict=True
        )
    ]
    storage.add(SCOPE, drafts, MADE.fingerprint, extract=False)


def boosted(storage: SqliteStorage, query: str, many: int = 1_000) -> Floats:
    view = View(Reading("records", REGION), 64, many)
    network = GraphView(GraphReading(REGION))
    vector = np.array(MADE.embed([query])[0], dtype=np.float32)
    with storage.database.read() as connection:
        loader = SqliteLoader(connection)
        view.follow(loader)
        network.follow(loader)
        return boosts(loader, view, network, Asked(query, vector, None, storage.file.now()))


def test_of_two_names_that_are_asked_for_what_joins_them_counts_most(
    storage: SqliteStorage,
) -> None:
    state(storage, ("Ann", "met", "Bo"), ("Ann", "met", "Cy"), ("Di", "met", "Bo"))
    joins, one, other = boosted(storage, "Ann Bo").tolist()

    assert joins == 1
    assert 0 < one < joins > other > 0


def test_a_neighbour_of_many_relations_boosts_less(storage: SqliteStorage) -> None:
    state(storage, ("Ann", "met", "Bo"), ("Ann", "met", "Cy"), ("Bo", "met", "Di"))
    hub, rare, _ = boosted(storage, "Ann").tolist()

    assert hub < rare


def test_a_question_that_names_nobody_boosts_what_is_near_by_half(storage: SqliteStorage) -> None:
    state(storage, ("Ann", "drinks", "green tea"), ("Bo", "paints", "boats"))
    assert boosted(storage, "who drinks something green").tolist() == [0.5, 0]


def test_a_single_relation_far_from_the_question_boosts_nothing(storage: SqliteStorage) -> None:
    state(storage, ("Ann", "drinks", "tea"))
    assert boosted(storage, "where are the boats").tolist() == [0]


def test_views_of_codes_boost_what_views_of_whole_vectors_boost(storage: SqliteStorage) -> None:
    names = [f"name{number % 17}" for number in range(60)]
    state(storage, *((name, "saw", f"thing{n}") for n, name in enumerate(names)))
    for query in ("name3 saw", "which thing7 did name3 see", "nothing of it"):
        whole, coded = boosted(storage, query), boosted(storage, query, many=10)
        np.testing.assert_allclose(coded, whole, atol=1e-5)
