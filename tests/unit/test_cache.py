"""The cache of look-ups: bounded, expiring, shared by threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from shared.cache import ExpiringCache


class Clock:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_was_put_is_held_until_its_time_is_over() -> None:
    """Also a None, which is not the same as nothing; putting it again begins a new time."""
    clock = Clock()
    cache = ExpiringCache[str, int | None](10, 60.0, clock)
    cache.put({"a": 1, "b": None})
    clock.now = 59.9
    assert cache.held(["a", "b", "c"]) == {"a": 1, "b": None}
    cache.put({"a": 2})
    clock.now = 60.0
    assert cache.held(["a", "b"]) == {"a": 2}


def test_of_too_many_the_oldest_go() -> None:
    """What was put again is young again."""
    cache = ExpiringCache[str, int](3, 60.0, Clock())
    cache.put({"a": 1, "b": 2, "c": 3})
    cache.put({"a": 4, "d": 5})
    assert cache.held("abcd") == {"a": 4, "c": 3, "d": 5}


def test_what_was_dropped_is_not_held() -> None:
    """Nor is it an error to drop what is not there."""
    cache = ExpiringCache[str, int](3, 60.0, Clock())
    cache.put({"a": 1, "b": 2})
    cache.drop(["a", "c"])
    assert cache.held("abc") == {"b": 2}


def test_threads_may_share_it() -> None:
    """The bound holds, and every value is one that was put."""
    cache = ExpiringCache[int, int](50, 60.0, Clock())

    def use(number: int) -> bool:
        cache.put({number % 80: number % 80, (number * 7) % 80: (number * 7) % 80})
        return all(key == value for key, value in cache.held(range(80)).items())

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(use, range(4000)))
    assert len(cache.held(range(80))) == 50
