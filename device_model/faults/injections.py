"""The faults that are injected into one host now, by number: how they begin, replace each other, and end."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from device_model.faults.fault import Fault, FaultError, Target, Undo
from device_model.faults.table import fault_named
from device_model.faults.targets import find_target
from device_model.kernel.queue import Order, Ticket
from device_model.runtime.runtime import Runtime

ALL = "all"


class Injection(NamedTuple):
    """A lasting fault: `until_ns` is when it ends by itself, None if it does not."""

    id: int
    fault: Fault
    target: Target
    parameters: dict[str, Any]
    since_ns: int
    until_ns: int | None
    undo: Undo
    ticket: Ticket | None

    @property
    def over(self) -> bool:
        """Whether it has ended with its process."""
        return self.target.process is not None and not self.target.process.alive

    def document(self) -> dict[str, Any]:
        """It as plain values, for who asks the model what is injected."""
        return {
            "id": self.id,
            "fault": self.fault.name,
            "target": self.target.name,
            "parameters": self.parameters,
            "since_ns": self.since_ns,
            "until_ns": self.until_ns,
        }


class Injections:
    """What has been injected; only what lasts is kept."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._active: dict[int, Injection] = {}
        self._count = 0

    @property
    def active(self) -> list[Injection]:
        """Those that last, in the order of their beginnings."""
        return [injection for injection in self._active.values() if not injection.over]

    def inject(
        self, time_ns: int, name: str, target: Mapping[str, Any], parameters: Mapping[str, Any], for_ns: int | None
    ) -> int:
        """Begins a fault and returns its number. One of the same kind on the same target that lasts ends before.

        `for_ns` is how long it lasts at most. Raises FaultError, and changes nothing, when that cannot be.
        """
        fault = fault_named(name)
        found, values = find_target(self._runtime, fault, target), fault.checked(parameters)
        if for_ns is not None and not fault.lasting:
            raise FaultError(f"{name} happens once: it lasts for no time")
        for each in list(self._active.values()):
            if each.over or (each.fault, each.target) == (fault, found):
                self._end(time_ns, each)
        undo = fault.begin(self._runtime, found, values, time_ns, self._count + 1)
        self._count += 1
        if undo is not None:
            self._keep(Injection(self._count, fault, found, values, time_ns, None, undo, None), for_ns)
        return self._count

    def heal(self, time_ns: int, what: int | str) -> list[int]:
        """Ends a lasting fault by its number, all of a name, or all; returns their numbers.

        Raises FaultError where there is none, but for all.
        """
        healed = [injection for injection in self.active if what in (injection.id, injection.fault.name, ALL)]
        if not healed and what != ALL:
            raise FaultError(self._nothing(what))
        for injection in healed:
            self._end(time_ns, injection)
        return [injection.id for injection in healed]

    def _nothing(self, what: int | str) -> str:
        if isinstance(what, str) and not fault_named(what).lasting:
            return f"{what} happens once: there is nothing to heal"
        named = f"fault {what}" if isinstance(what, int) else what
        active = ", ".join(f"{each.id} ({each.fault.name}, {each.target.name})" for each in self.active)
        return f"no {named} is active; {f'active: {active}' if active else 'none is'}"

    def _keep(self, injection: Injection, for_ns: int | None) -> None:
        own_ns = injection.fault.lasts_ns(injection.parameters)
        lasts_ns = min((ns for ns in (own_ns, for_ns) if ns is not None), default=None)
        if lasts_ns is not None:
            until_ns, id = injection.since_ns + lasts_ns, injection.id
            ticket = self._runtime.queue.schedule(
                until_ns, Order.FAULT, f"fault {id}", lambda now_ns: self._end(now_ns, self._active[id])
            )
            injection = injection._replace(until_ns=until_ns, ticket=ticket)
        self._active[injection.id] = injection

    def _end(self, time_ns: int, injection: Injection) -> None:
        del self._active[injection.id]
        if injection.ticket is not None:
            injection.ticket.cancel()
        injection.undo(time_ns)
