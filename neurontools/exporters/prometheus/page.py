"""The latest metrics page: rendered once a period by one thread, handed to every scrape by others."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable
from typing import NamedTuple


class Text(NamedTuple):
    """A page as text and compressed."""

    plain: bytes
    compressed: bytes


class Page:
    """What a scrape gets: the last good page up to `most_age_s`, then the one that says that the source is down.

    `absent` makes that page; it is asked at each scrape and is small. `clock` is monotonic, in seconds.
    """

    def __init__(
        self, most_age_s: float, absent: Callable[[], bytes], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most_age_s = most_age_s
        self._absent = absent
        self._clock = clock
        self._changing = threading.Lock()
        self._text: Text | None = None
        self._made_s = 0.0

    def put(self, text: bytes) -> None:
        """A new page. It is compressed here, once, and not at each scrape."""
        made = Text(text, gzip.compress(text, 1))
        with self._changing:
            self._text, self._made_s = made, self._clock()

    @property
    def ready(self) -> bool:
        """Whether there is a page that is not too old."""
        with self._changing:
            return self._fresh()

    def get(self) -> Text:
        """What a scrape gets now."""
        with self._changing:
            if self._text is not None and self._fresh():
                return self._text
        text = self._absent()
        return Text(text, gzip.compress(text, 1))

    def _fresh(self) -> bool:
        return self._text is not None and self._clock() - self._made_s <= self._most_age_s
