"""How seldom something is read: each access to a device's registers disturbs it, and one that fails is logged."""

from collections.abc import Callable
from typing import Any

from neurontools.units import NS_PER_S

AT_EVERY_READING = 0
ECC_PERIOD_NS = 30 * NS_PER_S
NEVER_AGAIN = 1 << 62
"""For what does not change while a device lives."""

_FIRST_RETRY_NS = 10 * NS_PER_S
_LAST_RETRY_NS = 600 * NS_PER_S


class Seldom:
    """A value that is read once in a period; after failures it is tried ever more seldom."""

    __slots__ = ("_due_ns", "_period_ns", "_retry_ns", "value")

    def __init__(self, period_ns: int) -> None:
        self.value: Any = None
        self._period_ns = period_ns
        self._retry_ns = _FIRST_RETRY_NS
        self._due_ns: int | None = None

    def get(self, now_ns: int, read: Callable[[], tuple[Any, bool]], urgent: bool = False) -> Any:
        """The value, read now if that is due or `urgent`; `read` also tells whether it succeeded."""
        if self._due_ns is not None and now_ns < self._due_ns and not urgent:
            return self.value
        self.value, succeeded = read()
        if succeeded:
            self._due_ns, self._retry_ns = now_ns + self._period_ns, _FIRST_RETRY_NS
        else:
            self._due_ns, self._retry_ns = now_ns + self._retry_ns, min(2 * self._retry_ns, _LAST_RETRY_NS)
        return self.value
