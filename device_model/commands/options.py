"""The verbs of `neuron-model` and their options, each with help and examples."""

import argparse
import importlib
import os
import re
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from device_model.commands.arguments import DEFAULT_SCENARIO, add_model
from device_model.commands.failure import USAGE, Failure
from device_model.commands.option_values import core, directory, seed, socket, speed
from neurontools.spelling import did_you_mean
from neurontools.wire import default_socket_path

_LIKENESS = 0.7
"""How like a known word another must be to be taken for a slip: words this short are like each other by chance."""

_EXAMPLES = """examples:
  neuron-model run -- neuron-ls                       a model for one command
  neuron-model start --scenario two-tenants           a model that stays, on your default socket
  neuron-model status --follow                        tokens/s, memory, busiest core, once a second
  neuron-model start --stepped                        its time moves by `advance` only:
  neuron-model advance 1h
  neuron-model check my-host.toml                     is this scenario correct?
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Failure(message.removeprefix("argument "), f"see `{self.prog} --help`", USAGE)

    def print_help(self, file: Any = None) -> None:
        # argparse's own way keeps quiet when it cannot be written.
        print(self.format_help(), end="", file=file)


class _Verb(NamedTuple):
    """What `help` says, what parses its options, and the function that does it, imported only then."""

    help: str
    function: str
    options: Callable[[_Parser], None]
    examples: tuple[tuple[str, str], ...]


def parse(arguments: list[str]) -> tuple[str, Any]:
    """The function to call, as `module:name`, and its options; raises Failure for what cannot be understood."""
    if not arguments:
        raise Failure("what shall it do? give a verb", _verbs_hint(), USAGE)
    if arguments[0].startswith("-") and arguments[0] not in ("-h", "--help"):
        raise Failure(f"the verb comes first, found {arguments[0]!r}", _verbs_hint(), USAGE)
    if not arguments[0].startswith("-") and arguments[0] not in _VERBS:
        raise Failure(
            f"there is no verb {arguments[0]!r}{did_you_mean(arguments[0], _VERBS, _LIKENESS)}", _verbs_hint(), USAGE
        )
    parser, named = _parsers(arguments[0])
    options, left = parser.parse_known_args(arguments)
    if left:
        known = re.findall(r"--[a-z-]+", named.format_usage())
        raise Failure(
            f"{options.verb} does not take {left[0]!r}{did_you_mean(left[0], known, _LIKENESS)}",
            f"see `neuron-model {options.verb} --help`",
            USAGE,
        )
    if "socket" in options:
        options.socket = os.path.abspath(options.socket)
    return _VERBS[options.verb].function, options


def _verbs_hint() -> str:
    return f"verbs: {', '.join(_VERBS)}; see `neuron-model --help`"


def _parsers(named: str) -> tuple[_Parser, _Parser]:
    """The parser of everything and that of the named verb, the only one whose options are known."""
    parser = _Parser(
        prog="neuron-model",
        description="A simulated AWS Neuron host for the neurontools to read.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    chosen = parser
    for name, verb in _VERBS.items():
        width = max(len(command) for command, _ in verb.examples)
        lines = [f"  neuron-model {command:<{width}}  {meaning}".rstrip() for command, meaning in verb.examples]
        added = verbs.add_parser(
            name,
            help=verb.help,
            description=f"{verb.help[0].upper()}{verb.help[1:]}.",
            epilog="\n".join(["examples:", *lines]),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        if name == named:
            verb.options(added)
            chosen = added
    return parser, chosen


def _named_socket() -> str:
    """The socket of the model that `run` started around us, else the user's default."""
    kind, _, path = os.environ.get("NEURONTOOLS_SOURCE", "").partition(":")
    return path if kind == "model" and path else default_socket_path()


def _socket(parser: _Parser) -> None:
    parser.add_argument(
        "--socket",
        type=socket,
        default=_named_socket(),
        metavar="PATH",
        help="the model's socket (default: that of NEURONTOOLS_SOURCE, else yours: %(default)s)",
    )


def _scenario(parser: _Parser) -> None:
    add_model(parser)
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument(
        "--stepped", dest="speed", action="store_const", const=0.0, help="time moves by `neuron-model advance` only"
    )
    pace.add_argument("--speed", type=speed, metavar="K", help="K times as fast as real time (default: 1)")
    parser.set_defaults(restore=None, speed=1.0)


def _host(parser: _Parser) -> None:
    parser.add_argument(
        "--host",
        type=directory,
        metavar="ROOT",
        help="keep the host's files below this directory, best on /dev/shm: sys, proc, dev",
    )
    parser.add_argument("--driver-version", metavar="V", help="the driver of those files: 2.21, 2.24, 2.30.2 (default)")
    parser.set_defaults(mounted=False)


def _background(parser: _Parser) -> None:
    parser.add_argument("--foreground", action="store_true", help="stay in this terminal until interrupted")
    parser.add_argument("--parent-fd", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--ready-fd", type=int, help=argparse.SUPPRESS)


def _run(parser: _Parser) -> None:
    _scenario(parser)
    _host(parser)
    parser.add_argument(
        "--mount",
        dest="mounted",
        action="store_true",
        help="with --host, as root: COMMAND has them in /sys, /dev and /opt/aws/neuron",
    )
    parser.add_argument(
        "command", nargs=argparse.REMAINDER, metavar="-- COMMAND …", help="what to run; its exit code is run's own"
    )


def _start(parser: _Parser) -> None:
    _scenario(parser)
    _host(parser)
    _socket(parser)
    _background(parser)
    parser.add_argument("--mounted", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--restore", help=argparse.SUPPRESS)


def _restore(parser: _Parser) -> None:
    parser.add_argument("restore", metavar="FILE", help="what `neuron-model save` wrote")
    parser.set_defaults(scenario=DEFAULT_SCENARIO, instance=None, seed=None)
    _host(parser)
    parser.add_argument(
        "--speed", type=speed, default=0.0, metavar="K", help="0 (stepped, the default) or K times real time"
    )
    _socket(parser)
    _background(parser)


def _status(parser: _Parser) -> None:
    _socket(parser)
    parser.add_argument("--follow", action="store_true", help="a line a second until interrupted")
    parser.add_argument("--for", dest="for_", metavar="DURATION", help="with --follow: end after this long (30s, 5m)")
    parser.add_argument("--json", action="store_true", help="the facts as one line of JSON")


def _explain(parser: _Parser) -> None:
    _socket(parser)
    parser.add_argument("--core", type=core, required=True, metavar="N", help="a NeuronCore, counted over the host")
    parser.add_argument("--json", action="store_true", help="the facts and the sentences as JSON")


def _advance(parser: _Parser) -> None:
    _socket(parser)
    parser.add_argument("duration", metavar="DURATION", help="how far: 500ms, 30s, 1h30m, 7d")


def _heal(parser: _Parser) -> None:
    _socket(parser)
    parser.add_argument("what", nargs="?", metavar="ID|FAULT", help="a fault's number, or all of that name")
    parser.add_argument("--all", action="store_true", help="all that last")


def _faults(parser: _Parser) -> None:
    _socket(parser)
    parser.add_argument("--json", action="store_true", help="the same as JSON, with every path that a fault changes")


def _save(parser: _Parser) -> None:
    _socket(parser)
    parser.add_argument("file", metavar="FILE", help="where to; a file that is there is replaced")


def _scenarios(parser: _Parser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="print this one, as a start for your own")


def _check(parser: _Parser) -> None:
    parser.add_argument(
        "scenario", nargs="?", metavar="NAME|FILE", help="one that comes with the program, or a TOML file"
    )
    parser.add_argument("--instance", metavar="TYPE", help="on this instance type instead of its own")
    parser.add_argument("--seed", type=seed, metavar="N", help="with this seed instead of its own")
    parser.add_argument("--run", action="store_true", help="run it as fast as it goes: does it show what it expects?")
    parser.add_argument("--json", action="store_true", help="with --run: what was found, as JSON")
    parser.add_argument("--schema", action="store_true", help="print the JSON Schema of scenarios, for editors")


def _of(module: str, *more: Callable[[_Parser], None]) -> Callable[[_Parser], None]:
    """The options that a verb's own module adds. It is loaded with them, since no other verb's options need it."""

    def add(parser: _Parser) -> None:
        importlib.import_module(module).add_arguments(parser)
        for each in more:
            each(parser)

    return add


_VERBS = {
    "run": _Verb(
        "start a model, run a command with it, stop it",
        "device_model.commands.run:run",
        _run,
        (
            ("run -- neuron-ls", "on the default scenario"),
            ("run --scenario two-tenants -- bash", "a shell in which all tools see the model"),
            ("run --speed 60 -- neuron-model status --follow", "a minute of the model's time a second"),
            ("run --host /dev/shm/trn -- bash", "with its files in /dev/shm/trn/sys, proc and dev"),
            (
                "run --host /dev/shm/trn --mount -- bash",
                "as root: in /sys, /dev and /opt/aws/neuron",
            ),
        ),
    ),
    "start": _Verb(
        "start a model that stays",
        "device_model.commands.verbs:start",
        _start,
        (
            ("start", "in the background, on your default socket"),
            ("start --scenario idle --instance inf2.xlarge", "another scenario, another host"),
            ("start --stepped --seed 7", "repeatable to the byte: time moves by `advance` only"),
        ),
    ),
    "restore": _Verb(
        "start a model from a file that save wrote",
        "device_model.commands.verbs:start",
        _restore,
        (
            ("restore state.json", "time stands still where it was saved"),
            ("restore state.json --speed 1", "it goes on"),
        ),
    ),
    "status": _Verb(
        "say what the model is and does",
        "device_model.commands.status:status",
        _status,
        (
            ("status", ""),
            ("status --follow --for 30s", "a line a second, thirty of them"),
            ("status --json", "for scripts"),
        ),
    ),
    "explain": _Verb(
        "say why a NeuronCore shows what it shows",
        "device_model.commands.explain:explain",
        _explain,
        (
            ("explain --core 0", "who holds it, what it does, what bounds it, how far to trust that"),
            ("explain --core 0 --json | jq .step", "the facts behind the sentences"),
        ),
    ),
    "stop": _Verb(
        "end the model",
        "device_model.commands.verbs:stop",
        _socket,
        (("stop", "returns when it is gone"), ("stop --socket /tmp/other.sock", "the one that listens there")),
    ),
    "advance": _Verb(
        "move the model's time on",
        "device_model.commands.verbs:advance",
        _advance,
        (("advance 90s", "returns when the model is there"), ("advance 1d", "others may look on the way")),
    ),
    "inject": _Verb(
        "let something go wrong on the model's host",
        "device_model.commands.faults:inject",
        _of("device_model.commands.faults", _socket),
        (
            ("inject hang --core 3", "executions never complete, and time out after 30 s"),
            ("inject straggler --core 5 --factor 1.5 --for 10m", "it is healed after ten minutes"),
            ("inject link-down --link 0-1", "collectives over that link hang"),
            ("inject leak --process chat --bytes 50MB", "the process takes so much more each second"),
            ("inject driver-missing", "the whole node's: it takes no target"),
        ),
    ),
    "heal": _Verb(
        "end a fault that lasts",
        "device_model.commands.faults:heal",
        _heal,
        (("heal 3", "the one with that number"), ("heal hang", "all hangs"), ("heal --all", "everything")),
    ),
    "faults": _Verb(
        "list the faults that are injected now, and all that can be",
        "device_model.commands.faults:faults",
        _faults,
        (
            ("faults", "targets, parameters, what shows and how it is recovered"),
            ("faults --json | jq '.active'", "for scripts"),
        ),
    ),
    "sysfs": _Verb(
        "write the host's files once: the driver's sysfs tree, /proc and /dev",
        "device_model.commands.host:sysfs",
        _of("device_model.commands.host", _socket),
        (
            ("sysfs --to /tmp/tree", "of the model that runs"),
            ("sysfs --to /tmp/tree --scenario two-tenants --after 1m", "of a scenario, a minute after its start"),
            ("sysfs --to /tmp/tree --driver-version 2.21", "as that driver shows it"),
        ),
    ),
    "save": _Verb(
        "write the model to a file",
        "device_model.commands.verbs:save",
        _save,
        (("save state.json", "a small file; `neuron-model restore state.json` starts from there"),),
    ),
    "record": _Verb(
        "simulate a stretch of time as fast as it goes, and write it to a file",
        "device_model.commands.record:record",
        _of("device_model.commands.record"),
        (
            ("record --for 24h --step 15s --scenario busy-day day.nrec", "a day of readings, without a daemon"),
            ("record --for 1h --seed 7 --force hour.nrec", "another hour; a file that is there is replaced"),
        ),
    ),
    "scenarios": _Verb(
        "list the scenarios that come with the program, or print one",
        "device_model.commands.verbs:scenarios",
        _scenarios,
        (("scenarios", "all of them"), ("scenarios opt-30b > my-host.toml", "a start for your own")),
    ),
    "check": _Verb(
        "say whether a scenario is correct, fits on its instance type, and shows what it expects",
        "device_model.commands.check:check",
        _check,
        (
            ("check my-host.toml", "before you start it"),
            ("check opt-30b --instance inf2.24xlarge", "does it fit there?"),
            ("check straggler --run", "a scenario is a test: exit code 1 if an expectation fails"),
            ("check --schema > scenario.schema.json", "so that an editor knows every key"),
        ),
    ),
    "plan": _Verb(
        "say whether a model fits on an instance type, and how fast it will be",
        "device_model.commands.plan:plan",
        _of("device_model.commands.plan"),
        (
            ("plan --model opt-66b", "on an inf2.48xlarge, BF16"),
            ("plan --model Llama-2-70b --instance trn1.32xlarge --dtype all", "every data type"),
            ("plan --model resnet50 --instance inf2.xlarge --batch 1,64", "images per second"),
            ("plan --talk", "the Inferentia2 launch figures, predicted"),
        ),
    ),
    "calibration": _Verb(
        "show how well the cost model predicts published runs",
        "device_model.commands.calibration:calibration",
        _of("device_model.commands.calibration"),
        (
            ("calibration", "the rows that came with the program"),
            ("calibration --rows mine.csv --json", "your own rows, in the same columns"),
            ("calibration --fit", "constants fitted anew, as TOML"),
        ),
    ),
}
