"""neuron-doctor: what is wrong with this host, or was in a recording, by which evidence, and what to do next."""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from neurontools.commands import capture, errors
from neurontools.commands.flags import Flag, parse, usage
from neurontools.commands.source_flags import SOURCE_FLAGS
from neurontools.spelling import did_you_mean

if TYPE_CHECKING:
    from neurontools.commands.doctor_look import Looked
    from neurontools.schema.finding import Diagnosis

NAME = "neuron-doctor"

EXIT_WARN = 1
EXIT_DEGRADED = 2
EXIT_BLIND = 3

_NPD_BAD, _NPD_UNKNOWN = 1, 2
STYLES = ("plain", "nagios", "npd")

_ABOUT = (
    "Says what is wrong with this host's Neuron devices and with what runs on them, or was in a recording: findings\n"
    "with their evidence and the next step, then which rules could not be checked, and why.\n"
    "It exits with 0 when nothing was found, 1 for a warning, 2 for what is degraded or to be replaced, 3 when it is\n"
    "blind or cannot print; with --exit-style npd, as the node problem detector wants it: 0, 1 for 2, and 2 for 3."
)

_FLAGS = (
    *SOURCE_FLAGS,
    Flag("quick", "One reading, a second at most but for AWS's lines: for prologs, init containers, node gates"),
    Flag("window", "Watch for so long where the source keeps no past; 30s unless given", value="DURATION"),
    Flag("watch", "Go on, and print a line for every finding that begins or ends"),
    Flag("json", "Print a JSON object; with --watch, one for every change"),
    Flag(
        "exit-style", "plain, nagios (a line and codes as its plug-ins) or npd (node problem detector)", value="STYLE"
    ),
    Flag("require", "Exit with 3 if one of these rules could not be checked", value="RULE,…"),
    Flag("version", "Print the release"),
    Flag("help", "Show this help message", short="h"),
)


class _Verb(NamedTuple):
    """What takes the operands, as module:function, imported only then, and what the help says."""

    function: str
    operands: str
    about: str
    flags: tuple[Flag, ...]
    examples: tuple[tuple[str, str], ...]


_HELP = Flag("help", "Show this help message", short="h")

_BUNDLE_FLAGS = (
    Flag("to", "The archive to write; one that is there is not replaced", value="FILE.tar.gz"),
    *SOURCE_FLAGS,
    Flag("window", "Watch for so long where the source keeps no past; 30s unless given", value="DURATION"),
    Flag("unredacted", "Replace nothing, and keep command lines"),
    _HELP,
)

_VERBS = {
    "explain": _Verb(
        "neurontools.commands.doctor_explain:explain",
        "RULE|NRT_CODE",
        "Says what a rule looks at, claims and advises, or what a status code of the runtime means.",
        (_HELP,),
        (("explain ecc-uncorrected", "a rule"), ("explain 1202", "a status code"), ("explain", "all of them")),
    ),
    "bundle": _Verb(
        "neurontools.commands.doctor_bundle:bundle",
        "",
        "Writes an archive for support: findings, the last minutes as a recording, inventory, versions, kernel log.",
        _BUNDLE_FLAGS,
        (("bundle --to bundle.tar.gz", "without names, ids and command lines"),),
    ),
    "capture": _Verb(
        "neurontools.commands.capture:copy",
        "",
        "Copies the host's driver files, without what identifies it, for others to test on (neurontools capture).",
        capture._FLAGS,
        (("capture --to host.tar.gz", "this host; as root, to have all of it"),),
    ),
}

_EXAMPLES = (
    ("neuron-doctor", "this host, now"),
    ("neuron-doctor --quick --exit-style npd", "a node gate"),
    ("neuron-doctor --json | jq '.findings[].rule'", "for scripts"),
    ("neuron-doctor --watch", "a line for every change, until it is stopped"),
    ("neuron-doctor --require ecc-uncorrected,driver-absent", "exit with 3 unless these could be checked"),
    ("neuron-doctor day.nrec", "everything that was found in a recording"),
    ("neuron-doctor explain 1202", "what a status code of the runtime means"),
    ("neuron-doctor bundle --to bundle.tar.gz", "a support archive"),
)


def main(arguments: Sequence[str]) -> int:
    """Runs neuron-doctor with the words after its name; returns its exit code."""
    codes: list[int] = []
    code = errors.run(NAME, lambda: codes.append(_run(arguments)))
    if code == errors.EXIT_FAILURE and not (arguments and arguments[0] in _VERBS):
        return _failed(arguments)
    return code or (codes[0] if codes else 0)


def entry() -> int:
    """The installed command."""
    return main(sys.argv[1:])


def _run(arguments: Sequence[str]) -> int:
    if arguments and arguments[0] in _VERBS:
        _do(arguments[0], arguments[1:])
        return 0
    operands: list[str] = []
    given = parse(_FLAGS, arguments, operands)
    if "help" in given:
        errors.write(_usage())
        return 0
    if "version" in given:
        from neurontools.commands.version import version

        errors.write(f"{NAME} {version()} (neurontools)\n")
        return 0
    return _diagnose(given, operands)


def _diagnose(given: dict[str, str], operands: Sequence[str]) -> int:
    style = given.get("exit-style", STYLES[0])
    if style not in STYLES:
        raise errors.UsageError(
            f"--exit-style takes {', '.join(STYLES)}, not {style!r:.40}{did_you_mean(style, STYLES)}"
        )
    if len(operands) > 1:
        meant = did_you_mean(operands[0], _VERBS)
        raise errors.UsageError(f"one recording at a time, found {' '.join(operands)}{meant}")
    required = _required(given.get("require", ""))
    if "watch" in given:
        return _watch(given, operands)
    from neurontools.commands.doctor_look import look, look_back

    looked = look_back(operands[0], given) if operands else look(given)
    code = exit_code(looked.diagnosis, required)
    errors.write(_text(looked, code, style, "json" in given))
    return _npd_code(code) if style == "npd" else code


def _watch(given: dict[str, str], operands: Sequence[str]) -> int:
    for option in ("quick", "window", "exit-style", "require"):
        if option in given:
            raise errors.UsageError(f"--{option} does not go with --watch")
    if operands:
        raise errors.UsageError(f"--watch looks at a host, not at {operands[0]!r:.60}; replay it: --source replay:PATH")
    from neurontools.commands.doctor_watch import watch

    return watch(given)


def _required(text: str) -> tuple[str, ...]:
    """The rules that have to be checked. Raises UsageError."""
    from neurontools.diagnosis import BY_ID

    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in BY_ID:
            raise errors.UsageError(
                f"--require: there is no rule {name!r:.40}{did_you_mean(name, BY_ID)}; `{NAME} explain` lists them"
            )
    return names


def exit_code(diagnosis: "Diagnosis", required: Sequence[str] = ()) -> int:
    """0 nothing found, 1 a warning, 2 degraded or worse, 3 blind or a required rule could not be checked."""
    from neurontools.diagnosis.live import is_blind, is_serious, worst

    severity = worst(diagnosis)
    if is_serious(severity):
        return EXIT_DEGRADED
    if is_blind(diagnosis) or any(name not in diagnosis.checked for name in required):
        return EXIT_BLIND
    return EXIT_WARN if severity == "warn" else errors.EXIT_OK


def _failed(arguments: Sequence[str]) -> int:
    """Who could not look, or not tell, has no warning to give: a gate must take it for blindness."""
    style = parse(_FLAGS, arguments, []).get("exit-style")
    return _npd_code(EXIT_BLIND) if style == "npd" else EXIT_BLIND


def _npd_code(code: int) -> int:
    """A warning must not mark a node as bad."""
    return {EXIT_DEGRADED: _NPD_BAD, EXIT_BLIND: _NPD_UNKNOWN}.get(code, 0)


def _text(looked: "Looked", code: int, style: str, as_json: bool) -> str:
    from neurontools.views.doctor import checks, documents, text

    if as_json:
        return documents.render(looked.diagnosis, looked.inventory)
    if style == "nagios":
        return checks.nagios(looked.diagnosis, code)
    if style == "npd":
        return checks.node_problem(looked.diagnosis)
    return text.render(looked.diagnosis, looked.inventory, looked.period)


def _do(word: str, arguments: Sequence[str]) -> None:
    verb = _VERBS[word]
    operands: list[str] = []
    given = parse(verb.flags, arguments, operands)
    if "help" in given:
        examples = [(f"{NAME} {command}", meaning) for command, meaning in verb.examples]
        errors.write(usage(f"{NAME} {word} {verb.operands}".rstrip(), verb.about, verb.flags, examples))
        return
    module, _, function = verb.function.partition(":")
    does: Callable[[dict[str, str], list[str]], None] = getattr(import_module(module), function)
    does(given, operands)


def _usage() -> str:
    page = usage(NAME, _ABOUT, _FLAGS, _EXAMPLES).replace("[OPTIONS]", "[OPTIONS] [RECORDING]", 1)
    verbs = "".join(f"  {f'{word} {verb.operands}':<24}{verb.about}\n" for word, verb in _VERBS.items())
    return f"{page}\nVerbs:\n{verbs}\n`{NAME} VERB --help` says more.\n"
