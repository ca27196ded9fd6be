from concurrent.futures import ThreadPoolExecutor

from holdfast.context.cache import Cache


def test_what_was_put_is_found() -> None:
    cache = Cache[str]()
    cache.put(("ann", 1), "tea")
    assert cache.get(("ann", 1)) == "tea"
    assert cache.get(("ann", 2)) is None


def test_the_least_recently_used_entry_leaves_first() -> None:
    cache = Cache[int](size=2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 3)


def test_an_entry_answers_for_seconds_only() -> None:
    now = [0.0]
    cache = Cache[int](seconds=10, clock=lambda: now[0])
    cache.put("a", 1)
    now[0] = 9.9
    assert cache.get("a") == 1
    now[0] = 10.0
    assert cache.get("a") is None
    assert len(cache) == 0


def test_clearing_forgets_everything() -> None:
    cache = Cache[int]()
    cache.put("a", 1)
    cache.clear()
    assert cache.get("a") is None


def test_threads_may_share_it() -> None:
    cache = Cache[int](size=8)

    def work(seed: int) -> None:
        for number in range(500):
            cache.put((seed + number) % 20, number)
            cache.get(number % 20)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert len(cache) == 8
