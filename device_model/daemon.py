"""The only loop and the only reader of real time: it moves one simulation along and lets clients look at it."""

import asyncio
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from device_model.kernel.clock import NS, Pace
from device_model.publish.calls import CALLS, MAX_NS, whole_number
from device_model.publish.server import Server
from device_model.simulation import Simulation
from neurontools.units import format_duration_ns
from neurontools.wire import WireError

if TYPE_CHECKING:
    from device_model.publish.tree.publisher import Publisher

SLICE_S = 0.02
"""Longest time that the loop computes without letting clients in."""

LONGEST_SLEEP_S = 1.0
"""The loop looks at the clock at least this often while anything is to come."""

REFRESH_S = 1.0
"""The published tree shows the model as it was at most this long ago."""

MAX_WAITING = 64
"""Advances at one time; clients that left meanwhile count until theirs is done."""

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""A background daemon has a session of its own: its terminal's end sends it no SIGHUP, so one that comes is meant."""


class ModelFailedError(Exception):
    """The simulation raised what nobody foresaw; the text is one line with the error, its place and the model's time.

    `reproduce` is one line that names what leads there again.
    """

    def __init__(self, error: Exception, model: Simulation) -> None:
        place = traceback.extract_tb(error.__traceback__)[-1:]
        where = "".join(f" ({os.path.basename(frame.filename)}:{frame.lineno})" for frame in place)
        what = " ".join(f"{type(error).__name__}: {error}".splitlines())
        after = format_duration_ns(model.now_ns - model.epoch_ns)
        super().__init__(f"the device model has failed {after} after its start: {what}{where}")
        self.reproduce = (
            f"this is a defect of neurontools; report it with scenario {model.name}, instance {model.instance}, "
            f"seed {model.seed}"
        )


class Daemon:
    """A simulation with a clock, a socket, and a tree where it publishes one.

    Speed 0 is a stepped model, which moves by `advance` only.
    """

    def __init__(self, model: Simulation, speed: float, path: str, publisher: "Publisher | None" = None) -> None:
        self._model = model
        self._publisher = publisher
        self._path = path
        self._pace = Pace(time.monotonic_ns(), model.now_ns, speed)
        self._stepped_goal_ns = model.now_ns
        self._server = Server(self._answer)
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._caught_up = True
        self._failure: ModelFailedError | None = None
        self._wake = asyncio.Event()
        self._stop = asyncio.Event()

    async def run(self, listener: socket.socket, parent_fd: int | None, ready: Callable[[], None]) -> None:
        """Serves on a listening socket until asked to stop, by a signal, a call, or the end of the parent's pipe.

        Raises ModelFailedError when the simulation fails, after clients have been told.
        """
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self._stop.set)
        if parent_fd is not None:
            loop.add_reader(parent_fd, self._stop.set)
        works = [self._stop.wait(), self._drive(), self._server.listen(listener)]
        if self._publisher is not None:
            loop.add_reader(self._publisher.fd, self._take_writes)
            works.append(self._keep_fresh())
        tasks = [asyncio.create_task(work) for work in works]
        ready()
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        self._dismiss_waiting()
        await self._server.close()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._failure is not None:
            raise self._failure
        for task in ended:
            task.result()

    async def _drive(self) -> None:
        try:
            await self._follow_clock()
        except Exception as error:
            self._fail(error)

    async def _follow_clock(self) -> None:
        while True:
            self._wake.clear()
            reached = self._move()
            self._tell_waiting()
            if not reached:
                await asyncio.sleep(0)
                continue
            try:
                async with asyncio.timeout(self._sleep_s()):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _keep_fresh(self) -> None:
        while self._publisher is not None:
            await asyncio.sleep(REFRESH_S)
            self._guarded(self._look)
            self._publish(lambda publisher: publisher.refresh())
        await self._stop.wait()

    def _take_writes(self) -> None:
        self._guarded(self._look)
        self._publish(lambda publisher: publisher.take_writes())

    def _publish(self, does: "Callable[[Publisher], None]") -> None:
        """Does something about the tree. A place that cannot be written to is told once, and ends the tree only."""
        if self._publisher is None or self._stop.is_set():
            return
        try:
            does(self._publisher)
        except OSError as error:
            asyncio.get_running_loop().remove_reader(self._publisher.fd)
            print(f"neuron-model: {self._publisher.stopped(error)}", file=sys.stderr, flush=True)
            self._publisher = None
        except Exception as error:
            self._fail(error)

    def _guarded(self, does: Callable[[], None]) -> None:
        try:
            does()
        except Exception as error:
            self._fail(error)

    def _goal_ns(self) -> int:
        wanted_ns = self._pace.model_time(time.monotonic_ns()) if self._pace.speed else self._stepped_goal_ns
        return min(MAX_NS, max(wanted_ns, self._model.now_ns))

    def _move(self) -> bool:
        """Computes for at most a slice; True when the model is where its clock says."""
        deadline = time.monotonic() + SLICE_S
        self._caught_up = self._model.advance(self._goal_ns(), lambda: time.monotonic() > deadline)
        return self._caught_up

    def _sleep_s(self) -> float | None:
        next_ns = self._model.next_event_ns()
        if next_ns is None:
            return None
        delay = self._pace.real_delay_s(next_ns, time.monotonic_ns())
        return None if delay is None else min(delay, LONGEST_SLEEP_S)

    def _fail(self, error: Exception) -> ModelFailedError:
        """Ends the daemon: nobody knows what the state is worth after an error half-way through an event."""
        self._failure = self._failure or ModelFailedError(error, self._model)
        self._stop.set()
        return self._failure

    def _tell_waiting(self) -> None:
        for goal_ns, done in list(self._waiting):
            if self._model.now_ns >= goal_ns:
                self._waiting.remove((goal_ns, done))
                if not done.done():
                    done.set_result(None)

    def _dismiss_waiting(self) -> None:
        after = format_duration_ns(self._model.now_ns - self._model.epoch_ns, 3)
        reason = str(self._failure or f"the device model was stopped on the way, {after} after its start")
        for _, done in self._waiting:
            if not done.done():
                done.set_exception(WireError("internal" if self._failure else "refused", reason))

    async def _answer(self, call: str, args: dict[str, Any]) -> bytes:
        try:
            return await self._result(call, args)
        except WireError:
            raise
        except Exception as error:
            failure = self._fail(error)
            raise WireError("internal", str(failure), failure.reproduce) from None

    async def _result(self, call: str, args: dict[str, Any]) -> bytes:
        if call in CALLS:
            self._look()
            commands = len(self._model.journal)
            answer = CALLS[call](self._model, args)
            if len(self._model.journal) > commands:
                self._publish(lambda publisher: publisher.refresh())
            return answer
        if call == "status":
            self._look()
            return msgspec.json.encode(self._status())
        if call == "advance":
            return await self._advance(whole_number(args, "duration_ns"))
        if call == "stop":
            asyncio.get_running_loop().call_soon(self._stop.set)
            return b"{}"
        known = ", ".join(sorted([*CALLS, "status", "advance", "stop"]))
        raise WireError("unknown_call", f"no call is named {call!r:.80}; there are {known}")

    def _look(self) -> None:
        """Brings the model to this instant for a reader, unless it is far behind: then the loop does, in its slices."""
        if self._caught_up:
            self._move()

    async def _advance(self, duration_ns: int) -> bytes:
        """Moves the clock on and answers once the model is there. Clients may look on the way."""
        start_ns = self._goal_ns()
        if start_ns + duration_ns > MAX_NS:
            raise WireError("refused", "that is beyond the end of the model's time, the year 2116")
        if len(self._waiting) >= MAX_WAITING:
            raise WireError("busy", f"{MAX_WAITING} clients wait for an advance already", "try again later")
        if self._pace.speed:
            self._pace = self._pace._replace(model_ns=self._pace.model_ns + duration_ns)
        else:
            self._stepped_goal_ns = start_ns + duration_ns
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((start_ns + duration_ns, done))
        self._wake.set()
        await done
        self._publish(lambda publisher: publisher.refresh())
        return msgspec.json.encode({"time_ns": self._model.now_ns})

    def _status(self) -> dict[str, Any]:
        model = self._model
        return {
            "pid": os.getpid(),
            "socket": self._path,
            "scenario": model.name,
            "description": model.scenario.description,
            "instance": model.instance,
            "seed": model.seed,
            "mode": "stepped" if self._pace.speed == 0 else "real time" if self._pace.speed == 1 else "accelerated",
            "speed": self._pace.speed,
            "time_ns": model.now_ns,
            "uptime_ns": model.now_ns - model.epoch_ns,
            "next_event_ns": model.next_event_ns(),
            "commands": len(model.journal),
            "host": None if self._publisher is None else self._publisher.root,
            "faults": [injection.document() for injection in model.faults()],
        }


def real_epoch_ns() -> int:
    """Now, for a model that runs in real time."""
    return time.time_ns() // NS * NS
