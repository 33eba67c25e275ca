"""What a program says of itself: its options, verbs and examples, from whatever parses its command line."""

import argparse
from collections.abc import Iterable, Iterator
from importlib import import_module
from importlib.metadata import EntryPoint, distribution
from typing import Any, NamedTuple

DISTRIBUTION = "neurontools"


class Option(NamedTuple):
    """An option with its names, such as -j and --json-output; `value` names its argument, empty for a switch."""

    names: tuple[str, ...]
    help: str
    value: str = ""
    choices: tuple[str, ...] = ()


class Page(NamedTuple):
    """A program, or one of its verbs; `examples` are commands and what they do."""

    name: str
    about: str
    options: tuple[Option, ...] = ()
    examples: tuple[tuple[str, str], ...] = ()
    verbs: tuple["Page", ...] = ()


def programs() -> dict[str, str]:
    """The installed programs, and the module of each."""
    found = distribution(DISTRIBUTION).entry_points.select(group="console_scripts")
    return {script.name: _module(script) for script in sorted(found, key=lambda script: script.name)}


def pages() -> Iterator[Page]:
    """A page for every program. Raises LookupError for one whose options are in none of the known forms."""
    for name, module in programs().items():
        yield page_of(name, import_module(module))


def page_of(name: str, module: Any) -> Page:
    """The page of a program, by the tables of the module that runs it. Raises LookupError."""
    examples = tuple(getattr(module, "_EXAMPLES", ()))
    verbs: Iterable[Page] = ()
    if hasattr(module, "_VERBS"):
        verbs = (Page(verb, said.about, _options(said.flags), said.examples) for verb, said in module._VERBS.items())
    if hasattr(module, "_FLAGS") or verbs:
        return Page(name, module._ABOUT, _options(getattr(module, "_FLAGS", ())), examples, tuple(verbs))
    if hasattr(module, "_COMMANDS"):
        verbs = (Page(verb, about) for verb, (_, about) in module._COMMANDS.items())
        return Page(name, "Every tool under one neutral name.", examples=examples, verbs=tuple(verbs))
    if module.__name__ == "device_model.__main__":
        return _page_of_model(name)
    raise LookupError(f"{name}: {module.__name__} has no table of options that is understood here")


def _module(script: EntryPoint) -> str:
    """What runs a program, by the names of its entry: to load that would change what Ctrl-C does here."""
    if script.module == "device_model.entry":
        return "device_model.__main__"
    return f"{script.module.rpartition('.')[0]}.{script.attr.removesuffix('_py')}"


def _page_of_model(name: str) -> Page:
    """neuron-model's, whose verbs are argparse's."""
    from device_model.commands import options

    verbs = []
    for verb, said in options._VERBS.items():
        _, parser = options._parsers(verb)
        verbs.append(Page(verb, f"{said.help[0].upper()}{said.help[1:]}.", tuple(_of_argparse(parser)), said.examples))
    return Page(name, "A simulated AWS Neuron host for the tools to read.", verbs=tuple(verbs))


def _options(flags: Iterable[Any]) -> tuple[Option, ...]:
    """Of a table of Flags."""
    return tuple(
        Option(tuple([f"-{flag.short}"] * bool(flag.short) + [f"--{flag.long}"]), flag.help, flag.value)
        for flag in flags
    )


def _of_argparse(parser: argparse.ArgumentParser) -> Iterator[Option]:
    """Of an argparse parser; operands are no options."""
    for action in parser._actions:
        if not action.option_strings:
            continue
        takes = action.nargs != 0
        value = (action.metavar if isinstance(action.metavar, str) else None) or action.dest.upper()
        text = (action.help or "") % {"default": action.default, "prog": parser.prog} if action.help else ""
        choices = tuple(str(choice) for choice in action.choices or ())
        yield Option(tuple(action.option_strings), text, value if takes else "", choices)
