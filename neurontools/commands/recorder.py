"""neuron-recorder: records a host, says what recordings hold, and prints them in the formats of other tools."""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NamedTuple

from neurontools.commands import errors
from neurontools.commands.flags import Flag, parse, usage
from neurontools.commands.source_flags import SOURCE_FLAGS
from neurontools.spelling import did_you_mean

NAME = "neuron-recorder"

_ABOUT = "Records a host, lists recordings and turns them into the formats of other tools."

_INSTANT = "-10m (before the end), 10m (after the start) or 2026-01-05T00:10:00Z"

_HELP = Flag("help", "Show this help message", short="h")
_JSON = Flag("json", "Print JSON")

_DUMP = (
    Flag("format", "json, csv, openmetrics or report (neuron-monitor's lines); json unless given", value="FORMAT"),
    Flag("from", f"Begin there: {_INSTANT}", value="INSTANT"),
    Flag("to", "End there, itself included", value="INSTANT"),
    Flag("match", "With openmetrics: only what the expressions of this rules file of Prometheus name", value="RULES"),
    _HELP,
)


_RECORD = (
    *SOURCE_FLAGS,
    Flag("to", "The directory to record to; among the state of the user, of root in /var/lib", value="DIR"),
    Flag("period", "The time from one reading to the next; 1s unless given", value="DURATION"),
    Flag("keep", "How long recordings are kept; 7d unless given", value="DURATION"),
    Flag("max-size", "How much room they may take; 1GB unless given", value="SIZE"),
    Flag("command-lines", "Record the processes' command lines, not only the programs' names"),
    Flag("for", "End after so long; else a signal ends it", value="DURATION"),
    _HELP,
)


class _Verb(NamedTuple):
    """What takes the options and operands, as module:function, imported only then, and what the help says."""

    function: str
    operands: str
    about: str
    flags: tuple[Flag, ...]
    examples: tuple[tuple[str, str], ...]


_VERBS = {
    "record": _Verb(
        "neurontools.commands.recorder_record:record",
        "",
        "Records a host into a directory until it is stopped: a day as often as told, what is older every 10 s.",
        _RECORD,
        (
            ("record", "this host, a reading a second, the last seven days"),
            ("record --to /data/flight --keep 30d --max-size 4GB", "more of it, elsewhere"),
            ("record --source 'aws:ssh HOST neuron-monitor'", "another host, from afar"),
            ("neuron-model run -- neuron-recorder record --to /tmp/flight --for 1m", "a simulated host, for a minute"),
            ("neuron-top --source replay:@-10m", "what was recorded, as it happened"),
        ),
    ),
    "dump": _Verb(
        "neurontools.commands.recorder_dump:dump",
        "PATH",
        "Prints what the host did from each reading to the next: a line of JSON each, or another format.",
        _DUMP,
        (
            ("dump day.nrec | jq .devices[0].power_avg_percent", "an interval a line, as the tools compute it"),
            ("dump day.nrec --from -10m --format csv > end.csv", "every number of the last ten minutes"),
            ("dump day.nrec --format report", "the lines that neuron-monitor would have printed"),
            ("dump day.nrec --format openmetrics --match rules.yml > day.om", "what alert rules look at, and then:"),
            ("promtool tsdb create-blocks-from openmetrics day.om data", "a Prometheus that was there that day"),
        ),
    ),
    "list": _Verb(
        "neurontools.commands.recorder_info:show_list",
        "[PATH…]",
        "Lists recordings, a line each; of a directory all that end in .nrec; unless named, of this host's recorder.",
        (_JSON, _HELP),
        (
            ("list", "what this host's recorder wrote"),
            ("list .", "all in this directory"),
            ("list day.nrec --json | jq .", "for scripts"),
        ),
    ),
    "info": _Verb(
        "neurontools.commands.recorder_info:show_info",
        "FILE",
        "Says what a recording holds, and reads all of it to tell what of it is damaged.",
        (_JSON, _HELP),
        (("info day.nrec", "span, period, host, marks, damage"), ("info day.nrec --json | jq .damage", "for scripts")),
    ),
}

_EXAMPLES = (
    *((f"{NAME} {command}", meaning) for verb in _VERBS.values() for command, meaning in verb.examples[:1]),
    ("neuron-model record --for 24h --step 15s day.nrec", "a day of a simulated host, as fast as it goes"),
)


def main(arguments: Sequence[str]) -> int:
    """Runs neuron-recorder with the words after its name; returns its exit code."""
    return errors.run(NAME, lambda: _run(arguments))


def entry() -> int:
    """The installed command."""
    return main(sys.argv[1:])


def _run(arguments: Sequence[str]) -> None:
    word = arguments[0] if arguments else ""
    if word in ("-h", "--help"):
        errors.write(_usage())
    elif word == "--version":
        from neurontools.commands.version import version

        errors.write(f"{NAME} {version()} (neurontools)\n")
    elif word in _VERBS:
        _do(word, arguments[1:])
    else:
        wrong = f"there is no verb {word!r:.40}{did_you_mean(word, _VERBS)}" if word else "what shall it do?"
        raise errors.UsageError(f"{wrong}; there is: {', '.join(_VERBS)}; `{NAME} --help` says more")


def _do(word: str, arguments: Sequence[str]) -> None:
    verb = _VERBS[word]
    operands: list[str] = []
    given = parse(verb.flags, arguments, operands)
    if "help" in given:
        examples = [
            (f"{NAME} {command}" if command.startswith(word) else command, meaning)
            for command, meaning in verb.examples
        ]
        errors.write(usage(f"{NAME} {word} {verb.operands}".rstrip(), verb.about, verb.flags, examples))
        return
    least = bool(verb.operands) and not verb.operands.startswith("[")
    most = None if "…" in verb.operands else bool(verb.operands)
    if len(operands) < least or (most is not None and len(operands) > most):
        expected = verb.operands or "options only"
        raise errors.UsageError(f"{word} takes {expected}, found {' '.join(operands) or 'nothing'}")
    module, _, function = verb.function.partition(":")
    does: Callable[[dict[str, str], list[str]], None] = getattr(import_module(module), function)
    does(given, operands)


def _usage() -> str:
    verbs = "".join(f"  {f'{word} {verb.operands}':<14}{verb.about}\n" for word, verb in _VERBS.items())
    width = max(len(words) for words, _ in _EXAMPLES)
    examples = "".join(f"  {words:<{width}}  {meaning}\n" for words, meaning in _EXAMPLES)
    return (
        f"Usage:\n  {NAME} VERB …\n\n{_ABOUT}\n\nVerbs:\n{verbs}\nExamples:\n{examples}\n"
        f"`{NAME} VERB --help` says more.\n"
    )
