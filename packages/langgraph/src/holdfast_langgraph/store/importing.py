"""Reading another store from end to end, one first label of its namespaces after another."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta, timezone

from holdfast import documents
from langgraph.store.base import BaseStore, SearchItem

from holdfast_langgraph.store.index import Choice, Index
from holdfast_langgraph.store.values import plain

PAGE = 500
# Items put in one batch have one time, and a database may list equals in another order each time it
# is asked for a page (PostgreSQL does). So all that lies under a label is asked for at once.
ALL = 2**31 - 1


def every_item(source: BaseStore) -> Iterator[SearchItem]:
    """Yield all items of a store, those under one first label the oldest first."""
    for root in _roots(source):
        found: list[SearchItem] = []
        while more := source.search(root, limit=ALL, offset=len(found), refresh_ttl=False):
            found += more
        yield from _oldest_first(root, found)


async def aevery_item(source: BaseStore) -> AsyncIterator[SearchItem]:
    """Async twin of `every_item`."""
    roots: list[tuple[str, ...]] = []
    while page := await source.alist_namespaces(max_depth=1, limit=PAGE, offset=len(roots)):
        roots += page
    for root in roots:
        found: list[SearchItem] = []
        while more := await source.asearch(root, limit=ALL, offset=len(found), refresh_ttl=False):
            found += more
        for item in _oldest_first(root, found):
            yield item


def _roots(source: BaseStore) -> list[tuple[str, ...]]:
    roots: list[tuple[str, ...]] = []
    while page := source.list_namespaces(max_depth=1, limit=PAGE, offset=len(roots)):
        roots += page
    return roots


def _oldest_first(root: tuple[str, ...], found: list[SearchItem]) -> list[SearchItem]:
    # To older stores ("note",) is a beginning of ("notes",), too.
    own = [item for item in found if tuple(item.namespace[:1]) == tuple(root)]
    # Listings show the latest put first; so the order of puts is kept.
    ordered = own[::-1]
    ordered.sort(key=lambda item: item.updated_at)
    return ordered


def copied(
    item: SearchItem, index: Index, choice: Choice, lifetime: timedelta | None
) -> documents.Put:
    """Return the put that makes the same item here."""
    value, born = plain(item.value), item.created_at
    return documents.Put(
        tuple(item.namespace),
        item.key,
        value,
        index.texts(value, choice),
        lifetime,
        # The SQLite store's times are UTC without saying so.
        born if born.tzinfo is not None else born.replace(tzinfo=timezone.utc),
    )
