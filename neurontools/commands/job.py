"""neurontools job: runs a command and tells, from counters before and after, what it did to the Neuron devices."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from neurontools.commands import errors
from neurontools.commands.flags import Flag, parse, usage
from neurontools.commands.source_flags import AT_CLOSE, SOURCE_FLAGS, open_source

if TYPE_CHECKING:
    from neurontools.commands.job_account import Account, Meter
    from neurontools.schema.source import Source

NAME = "neurontools job"

DEFAULT_SAMPLE = "5s"

_ABOUT = (
    "Runs COMMAND and tells at its end what it did to the Neuron devices: core-seconds, FLOP, executions and errors\n"
    "by code, the most memory by category, ECC errors. The figures are differences of counters, so they are right\n"
    "with every driver, and those of the whole host: who else used it is told. The exit code is COMMAND's."
)

_FLAGS = (
    Flag("json", "Tell it as JSON"),
    Flag("output", "Write it to this file; else to stderr", short="o", value="FILE"),
    Flag("sample", f"Look so often meanwhile, for memory and for others; {DEFAULT_SAMPLE} unless given", value="TIME"),
    *SOURCE_FLAGS,
    Flag("help", "Show this help message", short="h"),
)

_EXAMPLES = (
    (f"{NAME} -- python train.py --epochs 3", "this host"),
    (f"{NAME} --json --output job.json -- ./benchmark.sh", "for scripts"),
    (f"srun {NAME} -- python train.py", "of each node of a Slurm job"),
    (f"neuron-model run --stepped -- {NAME} -- neuron-model advance 1m", "a simulated minute"),
)

_STILL_CLOSING_S = 1.0
_LOOK_AGAIN_S = 0.1


class _Options(NamedTuple):
    command: tuple[str, ...]
    json: bool
    output: str | None
    sample_s: float


def main(arguments: Sequence[str]) -> int:
    """Runs it with the words after its name; returns the command's exit code, or its own."""
    return errors.run(NAME, lambda: _run(arguments))


def entry() -> int:
    """The command by itself."""
    return main(sys.argv[1:])


def _run(arguments: Sequence[str]) -> int:
    words = list(arguments)
    split = words.index("--") if "--" in words else len(words)
    given = parse(_FLAGS, words[:split])
    if "help" in given:
        errors.write(usage(NAME, _ABOUT, _FLAGS, _EXAMPLES, "-- COMMAND"))
        return errors.EXIT_OK
    if not words[split + 1 :]:
        raise errors.UsageError(f"which command? {NAME} -- COMMAND")
    return _watch(_options(given, words[split + 1 :]), given)


def _options(given: Mapping[str, str], command: list[str]) -> _Options:
    from neurontools.commands.publishing import seconds

    return _Options(
        command=tuple(command),
        json="json" in given,
        output=given.get("output"),
        sample_s=seconds("sample", given.get("sample", DEFAULT_SAMPLE)),
    )


def _watch(options: _Options, given: Mapping[str, str]) -> int:
    from neurontools.commands.job_child import CannotRunError, run

    watched = _Watched(lambda: open_source(NAME, {**given, AT_CLOSE: ""}))
    try:
        code = run(options.command, watched.look, options.sample_s)
        account = watched.account(options.command, code)
    except CannotRunError as error:
        errors.say(f"{NAME}: {error}")
        return error.exit_code
    finally:
        watched.close()
    if account is not None:
        _tell(account, options)
    return code


class _Watched:
    """The host as far as it can be read: a job is run also where nothing can be told of it."""

    def __init__(self, make: Callable[[], Source]) -> None:
        from neurontools.schema.source import SourceError

        self._failure: type[Exception] = SourceError
        self._source: Source | None = None
        self._meter: Meter | None = None
        try:
            self._source = make()
            self._instance_type = self._source.inventory().instance_type
            self._meter = _meter(self._source)
        except SourceError as error:
            errors.say(f"{NAME}: nothing can be told of this job: {error.reason}")

    def look(self) -> None:
        """A reading meanwhile; one that fails is left out."""
        if self._source is not None and self._meter is not None:
            with suppress(self._failure):
                self._meter.add(self._source.snapshot())

    def account(self, command: tuple[str, ...], code: int) -> Account | None:
        """What the command did; None where that cannot be told, which is said."""
        from neurontools.schema.interval import NoInterval
        from neurontools.schema.source import SourceError

        if self._source is None or self._meter is None:
            return None
        try:
            after = self._source.snapshot()
            deadline_s = time.monotonic() + _STILL_CLOSING_S
            # Its processes have ended, but the driver may not have let go of them yet.
            while self._meter.are_left(after) and time.monotonic() < deadline_s:
                time.sleep(_LOOK_AGAIN_S)
                after = self._source.snapshot()
            return self._meter.account(after, command, code, self._instance_type)
        except (SourceError, NoInterval) as error:
            errors.say(f"{NAME}: nothing can be told of this job: {error.reason}")
            return None

    def close(self) -> None:
        if self._source is not None:
            self._source.close()


def _meter(source: Source) -> Meter:
    from neurontools.commands.job_account import Meter
    from neurontools.commands.job_child import is_own

    before = source.snapshot()
    here = before.head.origin.kind in ("driver", "aws") and not before.head.origin.simulated
    # The pids of a simulated host mean nothing to this machine.
    return Meter(before, is_own if here else lambda pid: False)


def _tell(account: Account, options: _Options) -> None:
    from neurontools.commands.job_text import render
    from neurontools.schema.document import encode

    text = f"{encode(account).decode()}\n" if options.json else render(account)
    if options.output is not None:
        try:
            with open(options.output, "w", encoding="utf-8") as file:
                file.write(text)
            return
        except OSError as error:
            errors.say(f"{NAME}: cannot write {options.output}: {error.strerror}")
            # The job is over and cannot be told of again.
    with suppress(OSError, AttributeError):
        sys.stderr.write(text)
        sys.stderr.flush()
