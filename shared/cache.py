"""A bounded cache whose entries expire, for the look-ups that threads of a process share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class ExpiringCache(Generic[K, V]):
    """At most `most` entries, each good for `ttl_s` seconds; of too many the oldest go. For all threads of a process."""

    def __init__(self, most: int, ttl_s: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._ttl_s = ttl_s
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._entries: dict[K, tuple[float, V]] = {}  # in the order of their age

    def held(self, keys: Iterable[K]) -> dict[K, V]:
        """The values of those keys that are there and still good."""
        with self._lock:
            now = self._monotonic()
            found = ((key, self._entries.get(key)) for key in keys)
            return {key: entry[1] for key, entry in found if entry and now < entry[0]}

    def put(self, values: Mapping[K, V]) -> None:
        """Remember these values from now on."""
        with self._lock:
            until = self._monotonic() + self._ttl_s
            for key, value in values.items():
                self._entries.pop(key, None)
                self._entries[key] = (until, value)
            while len(self._entries) > self._most:
                del self._entries[next(iter(self._entries))]

    def drop(self, keys: Iterable[K]) -> None:
        """Forget these keys, as far as they are there."""
        with self._lock:
            for key in keys:
                self._entries.pop(key, None)
