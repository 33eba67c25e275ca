"""neuron-ls: which Neuron devices this host has and who holds them, as AWS's tool prints it."""

import os
import sys
from collections.abc import Mapping, Sequence

from neurontools.commands import errors
from neurontools.commands.flags import Flag, parse, usage
from neurontools.commands.source_flags import SOURCE_FLAGS, open_source
from neurontools.schema.inventory import Holder, Inventory
from neurontools.sources.choose import NO_DEVICES
from neurontools.views.ls import values

NAME = "neuron-ls"

_ABOUT = "Lists the Neuron devices of this host, what they are linked to and which processes hold them."

_FLAGS = (
    Flag("wide", "Show commands with up to 80 characters", short="w"),
    Flag("show-all-procs", "Show processes without a Neuron runtime too, such as tools", short="a"),
    Flag("topology", "Draw the links between the devices", short="t"),
    Flag("json-output", "Print JSON", short="j"),
    Flag("json", "The same as --json-output"),
    *SOURCE_FLAGS,
    Flag("version", "Print the release"),
    Flag("help", "Show this help message", short="h"),
)

_EXAMPLES = (
    ("neuron-ls", "the devices of this host"),
    ("neuron-ls --topology", "their links, drawn"),
    ("neuron-ls --json-output | jq '.[].neuron_processes'", "the processes, for scripts"),
    ("neuron-ls --source model", "a device model that `neuron-model start` has started"),
)


def main(arguments: Sequence[str]) -> int:
    """Runs neuron-ls with the words after its name; returns its exit code."""
    return errors.run(NAME, lambda: _run(arguments))


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
        tool = Holder(os.getpid(), " ".join((NAME, *arguments))) if "show-all-procs" in given else None
        _print(values.listed(_inventory(given), tool), given)


def _inventory(given: Mapping[str, str]) -> Inventory:
    source = open_source(NAME, given, place=False)
    try:
        inventory = source.inventory()
    finally:
        source.close()
    if not inventory.devices:
        from neurontools.schema.source import SourceError

        raise SourceError(NO_DEVICES, inventory.why_no_devices)
    return inventory


def _print(inventory: Inventory, given: dict[str, str]) -> None:
    width = values.WIDE_COMMAND_WIDTH if "wide" in given else values.COMMAND_WIDTH
    # Each format is imported only when it is asked for: programs start neuron-ls once a second.
    if "json-output" in given or "json" in given:
        from neurontools.views.ls import documents

        errors.write(documents.render(inventory, command_width=width))
        return
    from neurontools.views.ls import table

    text = table.render(inventory, command_width=width)
    if "topology" in given:
        from neurontools.views.ls import topology

        errors.write(text + topology.render(inventory), topology.to_ascii)
    else:
        errors.write(text)
