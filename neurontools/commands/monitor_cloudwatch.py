"""neuron-monitor-cloudwatch: what a host's Neuron devices do, as CloudWatch metrics that nothing loses on the way."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from neurontools.commands import errors
from neurontools.commands.flags import Flag, parse, usage
from neurontools.commands.source_flags import PUBLISHER_FLAGS
from neurontools.units import whole_number

if TYPE_CHECKING:
    from neurontools.commands.cloudwatch_publisher import Period, SeriesLimit
    from neurontools.commands.publishing import Say, Wanted
    from neurontools.exporters.cloudwatch.datum import Datum
    from neurontools.exporters.cloudwatch.send import Client
    from neurontools.exporters.cloudwatch.spool import Spool

NAME = "neuron-monitor-cloudwatch"
OFFICIAL_NAME = f"{NAME}.py"

DEFAULT_NAMESPACE = "Neuron"
SIMULATED_PREFIX = "Simulated/"
STANDARD_PERIOD, HIGH_RESOLUTION_PERIOD = "60s", "10s"
DEFAULT_MOST_SERIES = 1000
DEFAULT_SPOOL_SIZE = "64MiB"

_DRAIN_S = 30.0

_ABOUT = (
    "Publishes what the Neuron devices of this host do as CloudWatch metrics. What cannot be sent waits on disk.\n"
    f"As {OFFICIAL_NAME} it reads neuron-monitor's lines from standard input, else the host."
)

_FLAGS = (
    Flag("namespace", f"CloudWatch namespace; {DEFAULT_NAMESPACE} unless given", value="NAME"),
    Flag("region", "AWS region; else that of the profile or the environment", value="REGION"),
    Flag("high-resolution-metrics", f"Store by the second; the period is then {HIGH_RESOLUTION_PERIOD}"),
    Flag("period", f"How long a datum covers; {STANDARD_PERIOD} unless given", value="DURATION"),
    Flag("dimensions", "Comma list of dimensions; InstanceId unless given", value="NAMES"),
    Flag("max-series", f"Publish at most N series; {DEFAULT_MOST_SERIES} unless given", value="N"),
    Flag("profile", "Profile of the AWS credentials file", value="NAME"),
    Flag("endpoint-url", "Another CloudWatch endpoint", value="URL"),
    Flag("spool", "Directory for what waits to be sent", value="DIR"),
    Flag("spool-size", f"Most that may wait there, such as {DEFAULT_SPOOL_SIZE}; then the oldest goes", value="SIZE"),
    Flag("dry-run", "Print the requests as JSON lines instead of sending them"),
    Flag("estimate", "Print how many series there would be and what they cost, and end"),
    Flag("once", "Publish one period and end"),
    Flag("allow-simulated", f"Publish simulated or replayed data too, under {SIMULATED_PREFIX}NAMESPACE"),
    Flag("print-dashboard", "Print the body of a CloudWatch dashboard for these metrics, and end"),
    Flag("print-alarms", "Print alarms on these metrics, one PutMetricAlarm request a line, and end"),
    *PUBLISHER_FLAGS,
    Flag("version", "Print the release"),
    Flag("help", "Show this help message", short="h"),
)

_EXAMPLES = (
    (f"{NAME} --namespace Prod/Neuron --region us-west-2", "this host, a datum a minute for each of 20 series"),
    (f"{NAME} --dimensions InstanceId,NeuronCore --estimate", "what a series for each core would cost"),
    (f"{NAME} --dry-run --once | jq", "the first request, without AWS"),
    (f"neuron-monitor | {OFFICIAL_NAME} --namespace N --region R", "as AWS's script is used"),
    (f"neuron-model run -- {NAME} --dry-run --once --allow-simulated", "without a Neuron host"),
)


class _Options(NamedTuple):
    say: Say
    """Says a line in the name under which it was called."""
    namespace: str
    region: str | None
    profile: str | None
    endpoint_url: str | None
    period_s: float
    resolution_s: int
    dimensions: tuple[str, ...]
    most_series: int
    spool: str
    spool_bytes: int
    once: bool
    dry_run: bool
    allow_simulated: bool
    wanted: Wanted


def main(arguments: Sequence[str], official: bool = False) -> int:
    """Runs it with the words after its name; `official`: as AWS's script of that name. Returns its exit code."""
    from neurontools.commands.stream import Ended

    try:
        return errors.run(_name(official), lambda: _run(arguments, official))
    except Ended as end:
        return end.exit_code


def entry() -> int:
    """The installed command."""
    return main(sys.argv[1:])


def official_entry() -> int:
    """The installed command under the name of AWS's script."""
    return main(sys.argv[1:], official=True)


def _name(official: bool) -> str:
    return OFFICIAL_NAME if official else NAME


def _run(arguments: Sequence[str], official: bool) -> None:
    given = parse(_FLAGS, arguments)
    if "help" in given:
        errors.write(usage(_name(official), _ABOUT, _FLAGS, _EXAMPLES))
    elif "version" in given:
        from neurontools.commands.version import version

        errors.write(f"{_name(official)} {version()} (neurontools)\n")
    elif "print-dashboard" in given or "print-alarms" in given:
        _print_assets(given)
    else:
        _publish(_options(given, official), given)


def _options(given: Mapping[str, str], official: bool) -> _Options:
    from neurontools.commands.publishing import STDIN, Wanted, period_s, say_as
    from neurontools.exporters.cloudwatch.render import HIGH_RESOLUTION_S, STANDARD_RESOLUTION_S

    high = "high-resolution-metrics" in given
    return _Options(
        say=say_as(_name(official)),
        namespace=_namespace(given.get("namespace", DEFAULT_NAMESPACE)),
        region=given.get("region"),
        profile=given.get("profile"),
        endpoint_url=given.get("endpoint-url"),
        period_s=period_s(given.get("period", HIGH_RESOLUTION_PERIOD if high else STANDARD_PERIOD)),
        resolution_s=HIGH_RESOLUTION_S if high else STANDARD_RESOLUTION_S,
        dimensions=_dimensions(given.get("dimensions")),
        most_series=_number("max-series", given.get("max-series", str(DEFAULT_MOST_SERIES))),
        spool=given.get("spool") or _default_spool(os.environ),
        spool_bytes=_bytes(given.get("spool-size", DEFAULT_SPOOL_SIZE)),
        once="once" in given,
        dry_run="dry-run" in given,
        allow_simulated="allow-simulated" in given,
        wanted=Wanted.of(given, STDIN if official else None),
    )


def _namespace(text: str) -> str:
    sound = text.isascii() and text.isprintable() and 1 <= len(text) <= 255 and not text.startswith((":", "AWS/"))
    if not sound:
        raise errors.UsageError(
            f"--namespace takes 1 to 255 printable ASCII characters that do not begin with ':' or 'AWS/', not {text!r}"
        )
    return text


def _dimensions(text: str | None) -> tuple[str, ...]:
    from neurontools.exporters.cloudwatch.render import DEFAULT_DIMENSIONS, DIMENSIONS

    if text is None:
        return DEFAULT_DIMENSIONS
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    unknown = next((name for name in names if name not in DIMENSIONS), None)
    if unknown is not None:
        raise errors.UsageError(f"--dimensions: there is no dimension {unknown!r}; there is {', '.join(DIMENSIONS)}")
    return names


def _number(flag: str, text: str) -> int:
    number = whole_number(text)
    if not number:
        raise errors.UsageError(f"--{flag} takes a number from 1 on, not {text!r:.40}")
    return number


def _bytes(text: str) -> int:
    from neurontools.units import parse_bytes

    try:
        return parse_bytes(text)
    except ValueError as error:
        raise errors.UsageError(f"--spool-size: {error}") from None


def _default_spool(environ: Mapping[str, str]) -> str:
    """Where state belongs: systemd's directory for the unit, else the user's (XDG base directories)."""
    base = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    home = environ.get("XDG_STATE_HOME") or os.path.join(environ.get("HOME") or "/var/lib", ".local", "state")
    return os.path.join(base or os.path.join(home, "neurontools"), "cloudwatch")


def _print_assets(given: Mapping[str, str]) -> None:
    from neurontools.exporters.cloudwatch.assets import alarms_text, dashboard_text

    namespace = _namespace(given.get("namespace", DEFAULT_NAMESPACE))
    region = given.get("region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    errors.write(dashboard_text(namespace, region) if "print-dashboard" in given else alarms_text(namespace))


def _publish(options: _Options, given: Mapping[str, str]) -> None:
    from time import time

    from neurontools.commands.cloudwatch_publisher import Periods, SeriesLimit
    from neurontools.commands.publishing import items_of
    from neurontools.commands.stream import ending

    with ending():
        # A source is read once a period, neuron-monitor's lines come when they come.
        least_s = options.period_s if options.wanted.is_stdin and not options.once else 0.0
        once = options.once or "estimate" in given
        items = items_of(options.wanted, options.period_s, options.say, once)
        periods = Periods(items, options.dimensions, options.resolution_s, least_s, time)
        limit = SeriesLimit(options.most_series, options.say)
        if "estimate" in given:
            _print_estimate(iter(periods), options)
        elif options.dry_run:
            _print_requests(iter(periods), limit, options)
        else:
            _send(iter(periods), limit, options)


def _print_estimate(periods: Iterator[Period], options: _Options) -> None:
    from neurontools.exporters.cloudwatch.estimate import estimate, text_of
    from neurontools.exporters.cloudwatch.requests import packed

    data = _first(periods).data
    errors.write(text_of(estimate(data, options.period_s, len(list(packed(data))))) + "\n")


def _print_requests(periods: Iterator[Period], limit: SeriesLimit, options: _Options) -> None:
    import json

    from neurontools.exporters.cloudwatch.requests import member, packed

    for number, period in enumerate(_with_first(periods)):
        namespace = _namespace_for(period, options)
        for request in packed(limit.take(period.data)):
            document = {"Namespace": namespace, "MetricData": [member(datum) for datum in request]}
            errors.write(json.dumps(document, default=lambda time: time.isoformat()) + "\n")
        if options.once and number == 0:
            return


def _send(periods: Iterator[Period], limit: SeriesLimit, options: _Options) -> None:
    from neurontools.exporters.cloudwatch.requests import packed
    from neurontools.exporters.cloudwatch.send import Sender

    client = _client(options)
    spool = _spool(options)
    try:
        sender = Sender(spool, client, options.say)
        sender.start()
        for period in _with_first(periods):
            namespace = _namespace_for(period, options)
            for request in packed(limit.take(_storable(period.data))):
                _keep(spool, namespace, request, options.say)
            sender.wake()
            if options.once:
                break
        if not sender.drain(_DRAIN_S):
            raise errors.OutputError(
                f"not everything could be sent in {_DRAIN_S:g} s: {spool.waiting_bytes} bytes wait in {options.spool} "
                "and go out when it runs again"
            )
    finally:
        spool.close()


def _spool(options: _Options) -> Spool:
    from neurontools.exporters.cloudwatch.spool import Spool, SpoolError

    try:
        return Spool(options.spool, options.spool_bytes)
    except SpoolError as error:
        raise errors.OutputError(f"{error}; --spool names another directory") from None


def _client(options: _Options) -> Client:
    from neurontools.exporters.cloudwatch.send import SetUpError, make_client

    try:
        return make_client(options.region, options.profile, options.endpoint_url)
    except SetUpError as error:
        raise errors.OutputError(f"cannot publish to CloudWatch: {error}") from None


def _storable(data: list[Datum]) -> list[Datum]:
    from math import isfinite

    return [datum for datum in data if isfinite(datum.values.total)]


def _keep(spool: Spool, namespace: str, request: list[Datum], say: Say) -> None:
    from neurontools.exporters.cloudwatch.spool import SpoolError

    try:
        dropped = spool.put(namespace, request)
    except SpoolError as error:
        # A full disk may have room again: to go on without these data is better than to end.
        say(f"{error}: {len(request)} data are lost")
        return
    if dropped:
        say(f"the spool is full: {dropped} of the oldest data were dropped; see --spool-size")


def _namespace_for(period: Period, options: _Options) -> str:
    from neurontools.commands.cloudwatch_publisher import namespace_for

    allowed = options.allow_simulated or options.dry_run
    return namespace_for(options.namespace, period.origin, options.endpoint_url, allowed, SIMULATED_PREFIX)


def _with_first(periods: Iterator[Period]) -> Iterator[Period]:
    """The periods, of which there is at least one."""
    yield _first(periods)
    yield from periods


def _first(periods: Iterator[Period]) -> Period:
    from neurontools.schema.source import SourceError

    found = next(periods, None)
    if found is None:
        raise SourceError("there was nothing to publish: standard input held no document of neuron-monitor")
    return found
