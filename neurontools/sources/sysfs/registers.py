"""How seldom something is read: each access to a device's registers disturbs it, and one that fails is logged."""

from collections.abc import Callable
from typing import Any

from neurontools.sources.sysfs.reasons import Reasons
from neurontools.units import NS_PER_S

AT_EVERY_READING = 0
ECC_PERIOD_NS = 30 * NS_PER_S
NEVER_AGAIN = 1 << 62
"""For what does not change while a device lives."""

_FIRST_RETRY_NS = 10 * NS_PER_S
_LAST_RETRY_NS = 600 * NS_PER_S


class Seldom:
    """A value that is read once in a period; after failures ever more seldom, and all the while it says why."""

    __slots__ = ("_due_ns", "_faults", "_period_ns", "_retry_ns", "value")

    def __init__(self, period_ns: int) -> None:
        self.value: Any = None
        self._period_ns = period_ns
        self._retry_ns = _FIRST_RETRY_NS
        self._due_ns: int | None = None
        self._faults = Reasons()

    def get(self, now_ns: int, read: Callable[[Reasons], Any], reasons: Reasons, urgent: bool = False) -> Any:
        """The value, read now if that is due or `urgent`; `read` has failed if it gives reasons."""
        if self._due_ns is None or now_ns >= self._due_ns or urgent:
            self._faults = Reasons()
            self.value = read(self._faults)
            if self._faults.found:
                self._due_ns, self._retry_ns = now_ns + self._retry_ns, min(2 * self._retry_ns, _LAST_RETRY_NS)
            else:
                self._due_ns, self._retry_ns = now_ns + self._period_ns, _FIRST_RETRY_NS
        for part, reason in self._faults.found.items():
            reasons.one(part, reason)
        return self.value
