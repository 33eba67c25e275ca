"""neuron-monitor-prometheus: what a host's Neuron devices do, as a page for Prometheus to scrape."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from neurontools.commands import errors
from neurontools.commands.flags import Flag, parse, usage
from neurontools.commands.source_flags import PUBLISHER_FLAGS
from neurontools.sources.kubernetes import DEFAULT_SOCKET
from neurontools.units import whole_number

if TYPE_CHECKING:
    from neurontools.commands.feed import Item, Read
    from neurontools.commands.publishing import Wanted
    from neurontools.exporters.prometheus.page import Page
    from neurontools.exporters.prometheus.serve import Server
    from neurontools.schema.inventory import Inventory
    from neurontools.schema.owners import Owners

NAME = "neuron-monitor-prometheus"
OFFICIAL_NAME = f"{NAME}.py"

DEFAULT_PORT = 8000
OWN_ADDRESS, OFFICIAL_ADDRESS = "127.0.0.1", "0.0.0.0"
"""Under AWS's name it is reached from everywhere, as AWS's script is; under ours from this machine, unless told."""

DEFAULT_PERIOD, DEFAULT_MOST_AGE = "5s", "30s"

_ABOUT = (
    "Serves what the Neuron devices of this host do at /metrics, for Prometheus.\n"
    f"As {OFFICIAL_NAME} it reads neuron-monitor's lines from standard input and shows the page of AWS's script;\n"
    "under its own name it reads the host, and the page is lean: no label that repeats, no series of what has ended."
)

_FLAGS = (
    Flag("port", f"Port to listen on; {DEFAULT_PORT} unless given", short="p", value="PORT"),
    Flag("listen", f"Address, or address and port; {OWN_ADDRESS} unless given", value="ADDRESS"),
    Flag("cert-file", "Serve HTTPS with this certificate; read again when it changes", value="FILE"),
    Flag("key-file", "The certificate's key", value="FILE"),
    Flag("web-config", "TLS and users, a file in node_exporter's style", value="FILE"),
    Flag("period", f"How often to read; {DEFAULT_PERIOD} unless given", value="DURATION"),
    Flag("max-age", f"Serve the last reading for so long when no new one comes; {DEFAULT_MOST_AGE}", value="DURATION"),
    Flag("kubernetes", "Name pod, namespace and container on what is of one device, core or process"),
    Flag("pod-resources", f"The kubelet's socket that tells them; {DEFAULT_SOCKET}", value="S"),
    Flag("enable-k8s-info", "As --kubernetes, under AWS's name"),
    Flag("compat", "The page of AWS's script"),
    Flag("lean", "The page of our own, also under AWS's name"),
    Flag("once", "Print the page once and end"),
    Flag("count-series", "Print how many series there are by metric, and end"),
    *PUBLISHER_FLAGS,
    Flag("version", "Print the release"),
    Flag("help", "Show this help message", short="h"),
)

_EXAMPLES = (
    (NAME, f"http://{OWN_ADDRESS}:{DEFAULT_PORT}/metrics"),
    (f"{NAME} --listen 0.0.0.0:9100 --web-config web.yml", "from other machines, with TLS and a password"),
    (f"{NAME} --once | grep finding", "the page, without a server: what is wrong"),
    (f"neuron-monitor | {OFFICIAL_NAME} --port 8000", "as AWS's script is used"),
    (f"{NAME} --kubernetes --listen 0.0.0.0", "in a pod of a DaemonSet: whose each core is"),
    (f"neuron-model run -- {NAME}", "without a Neuron host"),
)


class _Options(NamedTuple):
    name: str
    """Under which it was called."""
    address: str
    port: int
    cert_file: str | None
    key_file: str | None
    web_config: str | None
    period_s: float
    most_age_s: float
    compat: bool
    wanted: Wanted
    pod_resources: str | None
    """The kubelet's socket; None where nobody asked for pods."""


Render = Callable[["Read"], str]


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
    elif "once" in given or "count-series" in given:
        _print(_options(given, official), "count-series" in given)
    else:
        _serve(_options(given, official))


def _options(given: Mapping[str, str], official: bool) -> _Options:
    from neurontools.commands.publishing import STDIN, Wanted, period_s, seconds

    address, port = _address(given.get("listen", OFFICIAL_ADDRESS if official else OWN_ADDRESS))
    if ("cert-file" in given) != ("key-file" in given):
        raise errors.UsageError("--cert-file and --key-file go together")
    if "cert-file" in given and "web-config" in given:
        raise errors.UsageError("--web-config says all about TLS: leave out --cert-file and --key-file")
    return _Options(
        name=_name(official),
        address=address,
        port=_port(given["port"]) if "port" in given else port,
        cert_file=given.get("cert-file"),
        key_file=given.get("key-file"),
        web_config=given.get("web-config"),
        period_s=period_s(given.get("period", DEFAULT_PERIOD)),
        most_age_s=seconds("max-age", given.get("max-age", DEFAULT_MOST_AGE)),
        compat="compat" in given or (official and "lean" not in given),
        wanted=Wanted.of(given, STDIN if official else None),
        pod_resources=_pod_resources(given),
    )


def _pod_resources(given: Mapping[str, str]) -> str | None:
    asked = {"kubernetes", "enable-k8s-info", "pod-resources"} & given.keys()
    return given.get("pod-resources", DEFAULT_SOCKET) if asked else None


def _address(text: str) -> tuple[str, int]:
    """An address with or without a port; one of IPv6 stands in brackets where a port follows."""
    if not text.strip("[]"):
        # To the system no address is all of them, and an unset variable must not mean that.
        raise errors.UsageError(f"--listen takes an address, or an address and a port, not {text!r}")
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]") or (":" in host and not host.endswith("]")):
        return text.strip("[]"), DEFAULT_PORT
    return host.strip("[]") or OFFICIAL_ADDRESS, _port(port)


def _port(text: str) -> int:
    port = whole_number(text)
    if port is None or port > 65535:
        raise errors.UsageError(f"a port is a number from 0 to 65535, not {text!r:.40}")
    return port


def _renderer(is_compat: bool, owners_of: Callable[[Inventory], Owners | None] | None) -> Render:
    """What makes a page of a reading; `owners_of` tells who was given what, where pods were asked for."""
    from time import time

    from neurontools.exporters.prometheus import FAMILIES, OFFICIAL, View, render
    from neurontools.exporters.prometheus.compat import CompatPage, compat_view
    from neurontools.exporters.prometheus.itself import itself_text
    from neurontools.exporters.prometheus.owned import owned

    told = owners_of or (lambda _: None)
    families = OFFICIAL if is_compat else FAMILIES
    shown = owned(families) if owners_of is not None else families
    if not is_compat:
        return lambda read: render(View.of(read.interval, read.inventory, told(read.inventory), read.diagnosis), shown)
    page = CompatPage(shown)

    def compat(read: Read) -> str:
        return itself_text() + page.render(compat_view(read.interval, read.inventory, told(read.inventory)), time())

    return compat


def _print(options: _Options, counted: bool) -> None:
    from neurontools.commands.feed import Lost
    from neurontools.commands.publishing import items_of, say_as
    from neurontools.commands.stream import ending
    from neurontools.schema.source import SourceError

    say = say_as(options.name)
    render = _renderer(options.compat, _owners_of(options, say))
    with ending():
        for item in items_of(options.wanted, options.period_s, say, once=True):
            if not isinstance(item, Lost):
                text = render(item)
                errors.write(_series_counts(text) if counted else text)
                return
    raise SourceError("there was nothing to show: standard input held no document of neuron-monitor")


def _series_counts(text: str) -> str:
    from collections import Counter

    samples = [line for line in text.splitlines() if not line.startswith("#")]
    counts = Counter(line.split("{")[0].split(" ")[0] for line in samples)
    width = max(map(len, counts), default=0)
    lines = [f"{name:<{width}}  {count:>6}" for name, count in counts.items()]
    return "\n".join([*lines, "", f"{len(samples)} series", ""])


def _serve(options: _Options) -> None:
    from neurontools.commands.publishing import items_of, say_as
    from neurontools.commands.stream import ending
    from neurontools.exporters.prometheus import up_text
    from neurontools.exporters.prometheus.page import Page

    say = say_as(options.name)
    page = Page(options.most_age_s, lambda: up_text(False).encode())
    with ending():
        server = _server(options, page)
        try:
            server.start()
            say(f"serving {server.url}/metrics")
            items = items_of(options.wanted, options.period_s, say)
            # The lean page has that family among its own.
            render = _renderer(options.compat, _owners_of(options, say))
            _fill(page, items, render, up_text(True) if options.compat else "")
        finally:
            server.stop()


def _fill(page: Page, items: Iterable[Item], render: Render, ending: str) -> None:
    from neurontools.commands.feed import Lost

    for item in items:
        if not isinstance(item, Lost):
            page.put((render(item) + ending).encode())


def _owners_of(options: _Options, say: Callable[[str], None]) -> Callable[[Inventory], Owners | None] | None:
    if options.pod_resources is None:
        return None
    from neurontools.commands.pods import Pods

    return Pods(options.pod_resources, say).owners


def _server(options: _Options, page: Page) -> Server:
    from neurontools.exporters.prometheus.serve import Server
    from neurontools.exporters.prometheus.webconfig import (
        Certificates,
        TlsServer,
        Users,
        WebConfigError,
        read_web_config,
    )

    try:
        tls, users = None, Users({})
        if options.web_config is not None:
            config = read_web_config(options.web_config)
            tls, users = config.tls_server_config, Users(config.basic_auth_users)
        elif options.cert_file is not None and options.key_file is not None:
            tls = TlsServer(cert_file=options.cert_file, key_file=options.key_file)
        certificates = Certificates(tls) if tls is not None else None
        return Server(options.address, options.port, page, certificates, users)
    except WebConfigError as error:
        raise errors.UsageError(str(error)) from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise errors.OutputError(f"cannot listen on {options.address} port {options.port}: {reason}") from None
