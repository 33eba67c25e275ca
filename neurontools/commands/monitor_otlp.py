"""neuron-monitor-otlp: what a host's Neuron devices do, as OpenTelemetry metrics to a collector."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from neurontools.commands import errors
from neurontools.commands.flags import Flag, parse, usage
from neurontools.commands.source_flags import PUBLISHER_FLAGS

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricsData

    from neurontools.commands.feed import Read
    from neurontools.commands.publishing import Wanted
    from neurontools.exporters.otlp.points import Points
    from neurontools.exporters.otlp.send import Sender, Target

NAME = "neuron-monitor-otlp"

DEFAULT_PERIOD = "15s"
_TIMEOUT_S = 10.0
_DRAIN_S = 30.0

_ABOUT = (
    "Publishes what the Neuron devices of this host do as OpenTelemetry metrics, with the official SDK.\n"
    "Its environment variables hold too: OTEL_EXPORTER_OTLP_ENDPOINT, _HEADERS, _CERTIFICATE, _TIMEOUT and the others."
)

_FLAGS = (
    Flag("endpoint", "Where the receiver is; else OpenTelemetry's variables, else this host", value="URL"),
    Flag("protocol", "grpc (the default) or http/protobuf", value="PROTOCOL"),
    Flag("headers", "Comma list of NAME=VALUE to send along, such as a key", value="HEADERS"),
    Flag("period", f"How long a reading covers; {DEFAULT_PERIOD} unless given", value="DURATION"),
    Flag("once", "Publish one reading and end"),
    Flag("dry-run", "Print what would be sent as lines of JSON"),
    Flag("allow-simulated", "Publish simulated or replayed data to other hosts too; they stay marked"),
    *PUBLISHER_FLAGS,
    Flag("version", "Print the release"),
    Flag("help", "Show this help message", short="h"),
)

_EXAMPLES = (
    (NAME, "this host, to a collector on it (localhost:4317)"),
    (f"{NAME} --protocol http/protobuf --endpoint https://collector:4318", "by HTTP, to another host"),
    (f"neuron-monitor | {NAME} --source -", "the lines of neuron-monitor, AWS's or ours"),
    (f"neuron-model run -- {NAME} --dry-run --once", "without a Neuron host and without a collector"),
)


class _Options(NamedTuple):
    target: Target
    period_s: float
    once: bool
    dry_run: bool
    allow_simulated: bool
    wanted: Wanted


def main(arguments: Sequence[str]) -> int:
    """Runs it with the words after its name; returns its exit code."""
    from neurontools.commands.stream import Ended

    try:
        return errors.run(NAME, lambda: _run(arguments))
    except Ended as end:
        return end.exit_code


def entry() -> int:
    """The installed command."""
    return main(sys.argv[1:])


def _run(arguments: Sequence[str]) -> None:
    given = parse(_FLAGS, arguments)
    if "help" in given:
        errors.write(usage(NAME, _ABOUT, _FLAGS, _EXAMPLES))
    elif "version" in given:
        from neurontools.commands.version import version

        errors.write(f"{NAME} {version()} (neurontools)\n")
    else:
        _publish(_options(given))


def _options(given: Mapping[str, str]) -> _Options:
    from neurontools.commands.publishing import Wanted, period_s
    from neurontools.exporters.otlp.send import PROTOCOLS, Target

    protocol = given.get("protocol", PROTOCOLS[0])
    if protocol not in PROTOCOLS:
        raise errors.UsageError(f"--protocol takes {' or '.join(PROTOCOLS)}, not {protocol!r}")
    headers = _headers(given.get("headers", ""))
    return _Options(
        target=Target(protocol, given.get("endpoint"), headers, _TIMEOUT_S),
        period_s=period_s(given.get("period", DEFAULT_PERIOD)),
        once="once" in given,
        dry_run="dry-run" in given,
        allow_simulated="allow-simulated" in given,
        wanted=Wanted.of(given),
    )


def _headers(text: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    wrong = next(("".join(pair) for pair in pairs if not pair[0].strip() or not pair[1]), None)
    if wrong is not None:
        raise errors.UsageError(f"--headers takes NAME=VALUE,NAME=VALUE, not {wrong!r}")
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _publish(options: _Options) -> None:
    from neurontools.commands.feed import Lost
    from neurontools.commands.publishing import items_of, say_as
    from neurontools.commands.stream import ending
    from neurontools.exporters.otlp.points import Points

    say, points = say_as(NAME), Points()
    sender = None if options.dry_run else _sender(options)
    with ending():
        for item in items_of(options.wanted, options.period_s, say, options.once):
            if isinstance(item, Lost):
                continue
            _check_origin(item, options)
            data = _data(item, points)
            if sender is None:
                errors.write(data.to_json(indent=None) + "\n")
            else:
                sender.put(data)
            if options.once:
                break
        if sender is not None and not sender.drain(_DRAIN_S):
            raise errors.OutputError(f"not everything could be sent in {_DRAIN_S:g} s: what is left is lost")


def _sender(options: _Options) -> Sender:
    from neurontools.commands.publishing import say_as
    from neurontools.exporters.otlp.send import Sender, SetUpError, make_exporter

    try:
        return Sender(make_exporter(options.target), _endpoint(options), say_as(NAME))
    except SetUpError as error:
        raise errors.OutputError(f"cannot publish by OTLP: {error}") from None


def _check_origin(read: Read, options: _Options) -> None:
    """Raises UsageError for simulated and replayed data that would leave this machine unasked."""
    from neurontools.commands.publishing import is_loopback, made_up

    allowed = options.allow_simulated or options.dry_run
    if made_up(read.interval.head.origin) and not allowed and not is_loopback(_endpoint(options)):
        raise errors.UsageError(
            f"these data are simulated or replayed, and {_endpoint(options)} is another machine: "
            "--allow-simulated publishes them, marked as such"
        )


def _endpoint(options: _Options) -> str:
    variables = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    named = next((os.environ[name] for name in variables if os.environ.get(name)), "http://localhost")
    return options.target.endpoint or named


def _data(read: Read, points: Points) -> MetricsData:
    from neurontools.commands.version import version
    from neurontools.exporters.otlp.points import resource_of
    from neurontools.exporters.otlp.send import metrics_data

    resource = resource_of(read.interval, read.inventory)
    return metrics_data(points.of(read.interval, read.diagnosis), resource, read.interval.head.time_ns, version())
