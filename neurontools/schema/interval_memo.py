"""What is made of the parts of a reading that rarely change: made again only when they did."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Memo(Generic[T]):
    """Calls `make` only when what it is called with differs from the last time under the same key.

    Unlike functools.lru_cache it takes what has no hash, as dictionaries: to compare them takes a fraction of what is
    made of them. Callers share the value and must not change it. At most `limit` values are kept.
    """

    def __init__(self, make: Callable[..., T], limit: int = 1024) -> None:
        self._make = make
        self._limit = limit
        self._known: dict[Hashable, tuple[tuple[Any, ...], T]] = {}

    def __call__(self, key: Hashable, *arguments: Any) -> T:
        """The value for these arguments; `key` says whose they are."""
        known = self._known.get(key)
        if known is not None and known[0] == arguments:
            return known[1]
        value = self._make(*arguments)
        if len(self._known) >= self._limit:
            self._known.clear()
        self._known[key] = (arguments, value)
        return value
