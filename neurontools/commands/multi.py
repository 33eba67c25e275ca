"""`neurontools NAME …`: every tool under one neutral name, for hosts where AWS's own come first on PATH."""

import sys
from collections.abc import Sequence
from importlib import import_module

from neurontools.commands import errors

NAME = "neurontools"

# Subcommand: the module whose main() runs it, imported only then, and what it does.
_COMMANDS = {
    "ls": ("neurontools.commands.ls", "list the Neuron devices and the processes that hold them (neuron-ls)"),
    "top": ("neurontools.commands.top", "watch cores, vCPU and memory on the terminal (neuron-top)"),
    "monitor": ("neurontools.commands.monitor", "print what they do, a line of JSON per period (neuron-monitor)"),
    "prometheus": (
        "neurontools.commands.monitor_prometheus",
        "serve it as a page for Prometheus (neuron-monitor-prometheus)",
    ),
    "cloudwatch": (
        "neurontools.commands.monitor_cloudwatch",
        "publish it as CloudWatch metrics (neuron-monitor-cloudwatch)",
    ),
    "otlp": ("neurontools.commands.monitor_otlp", "send it to an OpenTelemetry collector (neuron-monitor-otlp)"),
    "recorder": ("neurontools.commands.recorder", "record a host, list and print recordings (neuron-recorder)"),
    "doctor": ("neurontools.commands.doctor", "say what is wrong with this host, and what to do (neuron-doctor)"),
    "job": ("neurontools.commands.job", "run a command, and tell what it did to the devices"),
    "capture": ("neurontools.commands.capture", "copy this host's driver files, without what identifies the host"),
}

_EXAMPLES = (
    (f"{NAME} ls --topology", "the devices of this host and their links"),
    (f"{NAME} monitor --once | jq .system_data", "one group of one document"),
    (f"neuron-model run -- {NAME} top", "a simulated host, gone when you quit"),
)


def main(arguments: Sequence[str]) -> int:
    """Runs the tool that the first word names with the others; returns its exit code."""
    if arguments and arguments[0] in _COMMANDS:
        code: int = import_module(_COMMANDS[arguments[0]][0]).main(arguments[1:])
        return code
    return errors.run(NAME, lambda: _about(arguments))


def entry() -> int:
    """The installed command."""
    return main(sys.argv[1:])


def _about(arguments: Sequence[str]) -> None:
    word = arguments[0] if arguments else ""
    if word in ("-h", "--help"):
        errors.write(_usage())
    elif word == "--version":
        from neurontools.commands.version import version

        errors.write(f"{NAME} {version()}\n")
    elif not word:
        raise errors.UsageError(f"which tool? One of: {', '.join(_COMMANDS)}; `{NAME} --help` says what they do")
    else:
        from neurontools.spelling import did_you_mean

        meant = did_you_mean(word, _COMMANDS)
        raise errors.UsageError(f"there is no tool {word!r:.40}{meant}; there is: {', '.join(_COMMANDS)}")


def _usage() -> str:
    tools = "".join(f"  {name:<12}{about}\n" for name, (_, about) in _COMMANDS.items())
    width = max(len(words) for words, _ in _EXAMPLES)
    examples = "".join(f"  {words:<{width}}  {about}\n" for words, about in _EXAMPLES)
    usage = f"Usage:\n  {NAME} TOOL [OPTIONS]\n\nTools:\n{tools}\nExamples:\n{examples}"
    return f"{usage}\n`{NAME} TOOL --help` says more.\n"
