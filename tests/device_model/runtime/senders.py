"""Programs for tests that do nothing but execute, over links that others may use too."""

from collections import Counter
from typing import Any, NamedTuple

import hypothesis.strategies as st

from device_model.kernel.chance import Chance
from device_model.kernel.queue import EventQueue, Order
from device_model.machine.activity import Edge, Pattern
from device_model.runtime.eventlog import EventLog
from device_model.runtime.execution import StepWork
from device_model.runtime.executor import Execution
from device_model.runtime.process import TIMEOUT_NS, Identity, Process, Team
from device_model.runtime.runtime import Runtime
from tests.device_model.machine.lockstep import BOOT_NS, node

INSTANCE = "inf2.48xlarge"
CAPACITY = node(INSTANCE).links.capacity_bytes_per_s or 0
MS = 1_000_000

WAYS = (
    Pattern("there", (((0, 1), 1), ((1, 2), 1))),
    Pattern("back", (((1, 0), 1), ((2, 1), 3)), 3),
    Pattern("round", (((0, 1), 2), ((1, 0), 2), ((2, 3), 1)), 2),
    Pattern("elsewhere", (((7, 8), 1),)),
    Pattern("nowhere", ()),
)
"""Ways of traffic; wherever its cores are, a team may send any of these, as in a torus."""


class Phase(NamedTuple):
    """So many equal steps, a part for each team of a lane, and a rest after them."""

    works: tuple[StepWork, ...]
    steps: int
    rest_ns: int


class Sender(NamedTuple):
    """A process that goes through its phases again and again: a lane of teams of one core each, with their patterns."""

    start_ns: int
    teams: tuple[tuple[Pattern, ...], ...]
    phases: tuple[Phase, ...]
    stages: int = 1


def step(own_ns: int, collectives_ns: int, *sent_bytes: int) -> StepWork:
    """A step that computes, then waits in collectives, in which it sends bytes the way of each pattern."""
    amounts = (own_ns // 2, own_ns // 3, own_ns // 5, 0, 1000 + own_ns, 3 * own_ns, own_ns)
    return StepWork(max(1, own_ns + collectives_ns), collectives_ns, *amounts, sent_bytes)


def full(pattern: Pattern, window_ns: int, share: float = 1.0) -> int:
    """The bytes that fill the busiest link of a pattern to a share for so long."""
    busiest = max((part for _, part in pattern.crossings), default=0)
    return int(share * CAPACITY * window_ns * pattern.parts // (busiest * 10**9)) if busiest else 0


class Crowd:
    """A node with senders, and what each of them has executed."""

    def __init__(
        self, senders: tuple[Sender, ...], longest_run: int | None = None, timeout_ns: int = TIMEOUT_NS
    ) -> None:
        self.queue, self.events, self.node = EventQueue(), EventLog(), node(INSTANCE)
        self.runtime = Runtime(self.node, self.queue, Chance(1), self.events)
        self.start_ns = self.now_ns = BOOT_NS
        self._senders = senders
        self._timeout_ns = timeout_ns
        self.processes: list[Process | None] = [None] * len(senders)
        self._executed: Counter[tuple[int, int]] = Counter()
        self._longest_run = longest_run
        first = 0
        for number, sender in enumerate(senders):
            self._plan(number, sender, first)
            first += len(sender.teams)

    def _plan(self, number: int, sender: Sender, first_core: int) -> None:
        identity = Identity(f"s{number}", f"s{number}", "user", "command")
        teams = tuple(Team((self.node.cores[first_core + i],), patterns) for i, patterns in enumerate(sender.teams))

        def begin(now_ns: int) -> None:
            process = self.processes[number] = self.runtime.start(
                now_ns, identity, teams, lambda _: None, self._timeout_ns
            )
            assert process is not None
            self._enter(now_ns, process, number, sender, 0)

        self.queue.schedule(BOOT_NS + sender.start_ns, Order.PROCESS, identity.name, begin)

    def _enter(self, now_ns: int, process: Process, number: int, sender: Sender, position: int) -> None:
        phase, left = sender.phases[position], sender.phases[position].steps

        def execute(at_ns: int) -> None:
            if process.alive:
                steps = left if self._longest_run is None else min(left, self._longest_run)
                self.runtime.execute(at_ns, process, phase.works, steps, executed, stages=sender.stages)

        def executed(at_ns: int, steps: int) -> None:
            nonlocal left
            left -= steps
            self._executed[number, position] += steps
            following = (position + 1) % len(sender.phases)
            if left:
                execute(at_ns)
            elif phase.rest_ns:
                self.queue.schedule(
                    at_ns + phase.rest_ns, Order.LAUNCH, process.identity.name,
                    lambda then_ns: self._enter(then_ns, process, number, sender, following),
                )  # fmt: skip
            else:
                self._enter(at_ns, process, number, sender, following)

        execute(now_ns)

    def advance(self, duration_ns: int) -> None:
        """Lets everything happen until then, and at that instant."""
        self.now_ns += duration_ns
        while (next_ns := self.queue.next_time()) is not None and next_ns <= self.now_ns:
            self.queue.run_next()

    def end(self, number: int) -> None:
        """A sender's process ends now, if there is one."""
        process = self.processes[number]
        if process is not None and process.alive:
            self.runtime.end(self.now_ns, process, "test")
            self.advance(0)

    def sent(self) -> dict[Edge, int]:
        """Bytes sent over every link until now."""
        return self.node.links.sent_bytes(self.now_ns)

    def under_way(self, number: int) -> Execution | None:
        """The executions that a sender is in the middle of."""
        process = self.processes[number]
        return None if process is None else self.runtime.under_way(process)

    def executions(self, number: int) -> list[int]:
        """The executions of a sender that have ended, by phase."""
        execution, phases = self.under_way(number), self._senders[number].phases
        ended = [self._executed[number, position] for position in range(len(phases))]
        if execution is not None:
            position = next(i for i, phase in enumerate(phases) if phase.works is execution.asked.works)
            ended[position] += execution.steps_done(self.now_ns)
        return ended

    def reading(self) -> list[Any]:
        """All that has been counted until now."""
        now_ns = self.now_ns
        found: list[Any] = [self.sent()]
        for core in self.node.cores[:16]:
            found += [core.read(now_ns), core.credit(now_ns), core.last_step(now_ns)]
        for number, process in enumerate(self.processes):
            if process is not None and process.alive:
                execution = self.under_way(number)
                done = 0 if execution is None else execution.run.steps_done(now_ns)
                pending = [(execution.latency_ns, done)] if execution is not None and execution.run.credit_ns else []
                found += [process.read(now_ns), process.executions(now_ns), process.latency_total.reading(pending)]
        return found


def _phases(patterns: tuple[tuple[Pattern, ...], ...]) -> st.SearchStrategy[Phase]:
    """Steps that have time enough for their bytes, if they are alone on their links."""
    times = st.sampled_from([0, 1, 40_003, 500_000, 2 * MS, 5 * MS + 1])
    windows = st.sampled_from([0, 7, 80_001, 1 * MS, 3 * MS + 1, 7 * MS])

    @st.composite
    def phase(draw: st.DrawFn) -> Phase:
        own, waits = draw(times), [draw(windows) for _ in patterns]
        duration = max(40_003, own + max(waits))
        works = []
        for ways, wait in zip(patterns, waits, strict=True):
            chosen, share = draw(st.integers(0, len(ways) - 1)), draw(st.sampled_from([0.0, 0.3, 0.8, 1.0, 1.0]))
            sent = [full(way, wait, share) if i == chosen else 0 for i, way in enumerate(ways)]
            works.append(step(own, wait, *sent)._replace(duration_ns=duration))
        return Phase(tuple(works), draw(st.integers(1, 6)), draw(st.sampled_from([0, 0, 1, 300_000])))

    return phase()


@st.composite
def _sender(draw: st.DrawFn) -> Sender:
    teams = tuple(
        tuple(draw(st.lists(st.sampled_from(WAYS), min_size=1, max_size=2, unique=True)))
        for _ in range(draw(st.integers(1, 2)))
    )
    phases = tuple(draw(st.lists(_phases(teams), min_size=1, max_size=3)))
    return Sender(draw(st.sampled_from([0, 1, 3 * MS, 10 * MS + 77])), teams, phases, draw(st.sampled_from([1, 1, 2])))


senders = st.lists(_sender(), min_size=1, max_size=5).map(tuple)
moves = st.lists(st.sampled_from([1, 2, 999, 40_003, 777_777, 3 * MS, 8 * MS + 5]), min_size=1, max_size=12)
