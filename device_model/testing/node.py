"""A simulated host as a test holds it: moved, broken, read, and given to the programs that the test runs."""

import math
import os
import subprocess
import sysconfig
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from device_model.commands.failure import Failure
from device_model.commands.verbs import ADVANCE_TIMEOUT_S, LAST_STEPS_S
from device_model.testing.nursery import Cradle, Nursery
from neurontools.schema.inventory import Inventory, from_document
from neurontools.units import NS_PER_S, format_duration_ns, parse_bytes, parse_duration_ns
from neurontools.wire import Client, WireError

if TYPE_CHECKING:
    from neurontools.schema.document import Document
    from neurontools.schema.events import Events
    from neurontools.schema.interval import Interval
    from neurontools.schema.snapshot import Snapshot

D = TypeVar("D", bound="Document")

Duration = str | float
"""A text such as "1h30m" or "500ms", or a number of seconds."""

CALL_TIMEOUT_S = 60.0
"""How long an answer may take that needs no computing: tests run on busy machines."""

RUN_TIMEOUT_S = 60.0

_OF_THE_DYING = ("unreachable", "closed", "internal")
"""Kinds of error that mean the end of the model, where they are not a passing trouble."""

_TOOL = "neuron-ls"


class NeuronNode:
    """A simulated host whose time stands still but for `advance`. The same calls always show the same.

    What cannot be, such as a fault that there is not, fails the test with a line that says why.
    """

    def __init__(self, cradle: Cradle) -> None:
        self._cradle = cradle
        self._stopped = False

    @property
    def socket(self) -> str:
        """The path of the socket on which the host is read."""
        return self._cradle.path

    @property
    def source(self) -> str:
        """What names the host to a program: for NEURONTOOLS_SOURCE, or the option --source."""
        return f"model:{self.socket}"

    @property
    def env(self) -> dict[str, str]:
        """This process's environment, with NEURONTOOLS_SOURCE, and with our tools on the PATH."""
        path = os.pathsep.join([*_tool_directories(), os.environ.get("PATH", os.defpath)])
        return os.environ | {"NEURONTOOLS_SOURCE": self.source, "PATH": path}

    def run(
        self, command: Sequence[str], *, input: str | None = None, timeout: float | None = RUN_TIMEOUT_S
    ) -> "subprocess.CompletedProcess[str]":
        """Runs a program to its end in the environment `env`; gives its exit code and what it printed.

        Raises subprocess.TimeoutExpired after `timeout` seconds.
        """
        words = [command] if isinstance(command, str) else list(command)
        if not words:
            raise _failure("run needs a command, such as ['neuron-ls', '-j']")
        stdin: Any = {"stdin": subprocess.DEVNULL} if input is None else {"input": input}
        try:
            return subprocess.run(
                words, env=self.env, capture_output=True, check=False, timeout=timeout, encoding="utf-8", **stdin
            )
        except OSError as error:
            raise _failure(f"cannot run {words[0]}: {error.strerror}") from None

    def advance(self, duration: Duration) -> None:
        """Moves the host's time on; returns when it is there."""
        self._ask("advance", ADVANCE_TIMEOUT_S, duration_ns=_ns(duration, "advance"))

    def inject(
        self,
        fault: str,
        *,
        device: int | None = None,
        core: int | None = None,
        link: "str | tuple[int, int] | None" = None,
        process: str | None = None,
        for_: Duration | None = None,
        **parameters: float | bool | str,
    ) -> int:
        """Lets something go wrong, as `neuron-model inject` does; returns the number under which it can be healed.

        The target is a device, a NeuronCore (counted over the host), a link such as "0-1", a process's tag, or none
        for the whole node. `for_` is how long it lasts at most. `neuron-model faults` lists faults and parameters.
        """
        targets = {"device": device, "core": core, "link": _ends(link), "process": process}
        number = self._ask(
            "inject",
            fault=fault,
            target={kind: value for kind, value in targets.items() if value is not None},
            parameters={name: _parameter(name, value) for name, value in parameters.items()},
            for_ns=None if for_ is None else _ns(for_, "for_"),
        )["id"]
        return int(number)

    def heal(self, what: int | str = "all") -> list[int]:
        """Ends the lasting faults of that number or name, or all that there are; returns their numbers."""
        return list(self._ask("heal", what=what)["healed"])

    def signal(self, pid: int, number: int) -> None:
        """Sends a signal, such as signal.SIGKILL, to one of the host's processes."""
        self._ask("signal", pid=pid, number=number)

    def inventory(self) -> Inventory:
        """What is installed, and who holds it."""
        return from_document(self._ask("inventory"))

    def snapshot(self) -> "Snapshot":
        """What has been counted since the host's start."""
        from neurontools.schema.snapshot import Snapshot

        return _document(Snapshot, self._ask("snapshot"))

    def interval(self, over: Duration = 1) -> "Interval":
        """What the host did lately, as rates and percentages: since the newest kept reading that is `over` old.

        One is kept every 5 s, for 10 minutes: `duration_ns` of what is given says how long it is. For a period of
        your own take two snapshots, and neurontools.schema.interval.between.
        """
        from neurontools.schema.interval import NoInterval, between
        from neurontools.schema.snapshot import Snapshot

        age_ns = _ns(over, "interval")
        past = self._ask("past", age_ns=age_ns)
        if past is None:
            raise _failure(
                f"no reading is kept that is {format_duration_ns(age_ns)} old",
                "one is, every 5 s of the last 10 minutes",
            )
        try:
            return between(_document(Snapshot, past), self.snapshot())
        except NoInterval as reason:
            raise _failure(f"there is no interval: {reason}") from None

    def events(self, since: int = 0) -> "Events":
        """Lines of the kernel's and the runtimes' logs, processes that started and ended, numbered from `since` + 1."""
        from neurontools.schema.events import Events

        return _document(Events, self._ask("events", since=since))

    def stop(self) -> None:
        """Ends the host, as the end of the test does. From then on its socket is gone; harmless when called twice."""
        said = "" if self._stopped else self._cradle.empty()
        self._stopped = True
        if said:
            raise _failure(said)

    def _ask(self, call: str, timeout_s: float = CALL_TIMEOUT_S, **args: Any) -> Any:
        if self._stopped:
            raise _failure(f"this host was stopped before it was asked for {call}")
        try:
            with Client(self.socket, timeout_s) as client:
                return client.call(call, **args)
        except TypeError as error:
            raise _failure(f"{call}: {error}") from None
        except WireError as error:
            if error.kind in _OF_THE_DYING and self._cradle.ends_within(LAST_STEPS_S):
                said = self._cradle.last_words() or f"the process behind this host was killed: {error.message}"
                raise _failure(said) from None
            raise _failure(error.message, error.hint) from None


class NeuronNodeFactory:
    """What the fixture `neuron_node` is: makes hosts, and ends them with the test."""

    def __init__(self, nursery: Nursery) -> None:
        self._nursery = nursery
        self._nodes: list[NeuronNode] = []

    def __call__(
        self,
        *,
        instance: str | None = None,
        scenario: "str | os.PathLike[str] | Mapping[str, Any]" = "opt-30b",
        seed: int | None = None,
    ) -> NeuronNode:
        """A simulated host at its start.

        `scenario` is the name of one that comes with the program (`neuron-model scenarios`), the path of a TOML file,
        or what such a file would hold. `instance` and `seed` replace the scenario's own.
        """
        given: Any = dict(scenario) if isinstance(scenario, Mapping) else scenario
        if isinstance(given, os.PathLike):
            given = os.path.abspath(given)
        if seed is not None and not (isinstance(seed, int) and 0 <= seed < 2**63):
            raise _failure(f"seed: expected a whole number from 0 to {2**63 - 1}, found {seed!r:.40}")
        try:
            cradle = self._nursery.bear(
                {"directory": os.getcwd(), "scenario": given, "instance": instance, "seed": seed}
            )
        except Failure as failure:
            raise _failure(failure.message) from None
        except TypeError as error:
            raise _failure(f"scenario: expected a name, a path or a table of what TOML can hold: {error}") from None
        node = NeuronNode(cradle)
        self._nodes.append(node)
        return node

    def close(self) -> None:
        """Ends all hosts, also when one of them has failed; that fails the test."""
        failures = []
        while self._nodes:
            try:
                self._nodes.pop().stop()
            except pytest.fail.Exception as failure:
                failures.append(failure)
        if failures:
            raise failures[0]


def _failure(message: str, hint: str = "") -> BaseException:
    """What fails a test with these words alone: where in our code they come from says nothing about the test."""
    return pytest.fail.Exception(f"neuron_node: {message}{f' ({hint})' if hint else ''}", pytrace=False)


def _document(kind: type[D], plain: Any) -> D:
    import msgspec

    from neurontools.schema.document import decode

    return decode(kind, msgspec.json.encode(plain))


def _ns(duration: Duration, what: str) -> int:
    if isinstance(duration, str):
        try:
            return parse_duration_ns(duration)
        except ValueError as error:
            raise _failure(f"{what}: {error}") from None
    if isinstance(duration, bool) or not isinstance(duration, int | float) or not 0 <= duration < math.inf:
        raise _failure(f"{what}: expected a duration such as '10m', or seconds from 0, found {duration!r:.40}")
    return round(duration * NS_PER_S)


def _ends(link: "str | tuple[int, int] | None") -> Any:
    """The two devices of a link; as it stands what is none, for the model to refuse."""
    parts = link.split("-") if isinstance(link, str) else ()
    return [int(part) for part in parts] if parts and all(part.isdecimal() for part in parts) else link


def _parameter(name: str, value: float | bool | str) -> float | bool | str:
    """A fault's parameter; a size may be a text."""
    if name != "bytes" or not isinstance(value, str):
        return value
    try:
        return parse_bytes(value)
    except ValueError as error:
        raise _failure(f"bytes: {error}") from None


def _tool_directories() -> list[str]:
    """Where the tools of this installation are; nothing where none are, as in a source tree."""
    schemes = (sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user"))
    directories = (sysconfig.get_path("scripts", scheme) for scheme in schemes)
    return [directory for directory in directories if os.path.exists(os.path.join(directory, _TOOL))]
