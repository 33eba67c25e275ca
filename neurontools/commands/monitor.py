"""neuron-monitor: what a host's Neuron devices and runtimes do, a line of JSON per period, as AWS's tool prints it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from neurontools.commands import errors
from neurontools.commands.flags import Flag, FlagError, parse, usage
from neurontools.commands.source_flags import SOURCE_FLAGS, open_source
from neurontools.sources.choose import SpecError
from neurontools.units import whole_number

if TYPE_CHECKING:
    from neurontools.commands.monitor_plan import Plan
    from neurontools.commands.stream import Stream
    from neurontools.schema.source import Source

NAME = "neuron-monitor"

_ABOUT = "Prints what the Neuron devices and runtimes of this host do: one JSON document per line and period."

_FLAGS = (
    Flag("config-file", "Read metric groups, periods and tag filters from a JSON file", short="c", value="FILE"),
    Flag("once", "Print one document and end"),
    Flag("count", "Print N documents and end", value="N"),
    Flag("extended", "Add a last key, neurontools: engines, banks, links, power, workloads, origin"),
    Flag("json", "Accepted; the output is always JSON"),
    Flag("verbose", "How much to say on stderr, from 0 (nothing, the default) to 4", value="LEVEL"),
    *SOURCE_FLAGS,
    Flag("version", "Print the release"),
    Flag("help", "Show this help message", short="h"),
)

_EXAMPLES = (
    ("neuron-monitor", "every group, a document each 5 s"),
    ("neuron-monitor -c monitor.json", "the groups and periods of a configuration file"),
    ("neuron-monitor --once | jq .system_data.memory_info", "one group of one document"),
    ("neuron-monitor --source model", "a device model that `neuron-model start` has started"),
    ('{"period": "1s"}', "a configuration file: every group, a document each second"),
)

_NO_PAST_WAIT_S = 1.0
_LEVELS = ("error", "warning", "info", "info", "debug")


class _Options(NamedTuple):
    source: Source
    plan: Plan
    documents: int | None
    verbose: int


def main(arguments: Sequence[str]) -> int:
    """Runs neuron-monitor with the words after its name; returns its exit code."""
    return errors.run(NAME, lambda: _run(arguments))


def entry() -> int:
    """The installed command."""
    return main(sys.argv[1:])


def _run(arguments: Sequence[str]) -> int:
    try:
        given = parse(_FLAGS, arguments)
        if "help" in given:
            errors.write(usage(NAME, _ABOUT, _FLAGS, _EXAMPLES))
        elif "version" in given:
            from neurontools.commands.version import version

            errors.write(f"{NAME} {version()} (neurontools)\n")
        else:
            return _stream(_options(given))
    except (FlagError, SpecError, errors.UsageError) as error:
        # Not on stdout, where neuron-ls answers: whoever reads this program expects documents there.
        _say("fatal", str(error))
        return errors.EXIT_FAILURE
    return errors.EXIT_OK


def _options(given: Mapping[str, str]) -> _Options:
    documents = _number(given, "count", 1, None)
    verbose = _number(given, "verbose", 0, len(_LEVELS) - 1) or 0
    plan = _plan(given.get("config-file"))
    return _Options(
        source=open_source(NAME, given),
        plan=plan._replace(extended=plan.extended or "extended" in given),
        documents=1 if "once" in given else documents,
        verbose=verbose,
    )


def _plan(path: str | None) -> Plan:
    if path is None:
        from neurontools.commands.monitor_plan import default_plan

        return default_plan()
    # It brings pydantic: only who has a configuration file waits for that.
    from neurontools.commands.monitor_config import ConfigError, read_config

    try:
        return read_config(path)
    except ConfigError as error:
        raise errors.UsageError(str(error)) from None


def _number(given: Mapping[str, str], flag: str, least: int, most: int | None) -> int | None:
    text = given.get(flag)
    if text is None:
        return None
    number = whole_number(text)
    if number is None or number < least or (most is not None and number > most):
        expected = f"a number from {least} to {most}" if most is not None else f"a number from {least} on"
        raise errors.UsageError(f"invalid argument for flag `--{flag}': expected {expected}, got {text!r}")
    return number


def _stream(options: _Options) -> int:
    from neurontools.commands.stream import Ended, Stream

    stream = Stream()
    try:
        with stream.signals():
            _report_until_ended(options, stream)
    except Ended as end:
        return end.exit_code
    finally:
        options.source.close()
    return errors.EXIT_OK


def _report_until_ended(options: _Options, stream: Stream) -> None:
    from time import monotonic_ns

    from neurontools.commands.monitor_collect import Collector
    from neurontools.commands.monitor_plan import Schedule
    from neurontools.exporters.report import encode
    from neurontools.units import NS_PER_S

    talk = _talk(options.verbose)
    collector = Collector(options.source, options.plan, talk)
    start_ns = monotonic_ns()
    if not collector.has_interval():
        start_ns += round(_NO_PAST_WAIT_S * NS_PER_S)
    schedule = Schedule(options.plan.periods(), start_ns)
    for number in count(1):
        stream.wait_until(schedule.next_ns() / NS_PER_S)
        began_ns = monotonic_ns()
        due = schedule.due(began_ns)
        line = encode(collector.collect(due))
        stream.write(line)
        talk(3, f"document {number}: {len(due)} groups, {len(line)} bytes, {(monotonic_ns() - began_ns) / 1e6:.1f} ms")
        if number == options.documents:
            return
        talk(4, f"next document in {(schedule.next_ns() - monotonic_ns()) / 1e6:.0f} ms")


def _talk(verbose: int) -> Callable[[int, str], None]:
    def talk(level: int, text: str) -> None:
        if level <= verbose:
            _say(_LEVELS[level], text)

    return talk


def _say(level: str, text: str) -> None:
    """A line of logfmt on stderr, in UTC, as AWS's tool writes; where nobody can read it, it is lost."""
    import json
    from contextlib import suppress
    from time import gmtime, strftime

    with suppress(OSError, AttributeError):
        time = strftime("%Y-%m-%dT%H:%M:%SZ", gmtime())
        sys.stderr.write(f'time="{time}" level={level} msg={json.dumps(text, ensure_ascii=False)}\n')
        sys.stderr.flush()
