"""Options in the style of go-flags, which AWS's tools are written with: its messages are part of their interface.

Also a quarter of the start-up cost of argparse.
"""

from collections.abc import Iterable, Sequence


class FlagError(ValueError):
    """The command line cannot be understood; the message is go-flags' own."""


class Flag:
    """One option. `value` names its argument in the help; without it the option is a switch."""

    __slots__ = ("help", "long", "short", "value")

    def __init__(self, long: str, help: str, *, short: str = "", value: str = "") -> None:
        self.long = long
        self.help = help
        self.short = short
        self.value = value

    def __str__(self) -> str:
        return f"-{self.short}, --{self.long}" if self.short else f"--{self.long}"


def parse(flags: Iterable[Flag], arguments: Sequence[str], operands: list[str] | None = None) -> dict[str, str]:
    """The options given, by long name: a switch with an empty text, the others with their last argument.

    Words that are no options go to `operands`. Raises FlagError for an unknown option, a missing or superfluous
    argument, and without `operands` for anything but options.
    """
    names = {f"--{flag.long}": flag for flag in flags} | {f"-{flag.short}": flag for flag in flags if flag.short}
    given: dict[str, str] = {}
    words = iter(arguments)
    for word in words:
        if word == "--":
            for extra in words:
                _put(extra, operands)
        elif word.startswith("--"):
            name, equals, text = word.partition("=")
            _take(names, name, text if equals else None, words, given)
        elif word.startswith("-") and word != "-":
            _take_short(names, word[1:], words, given)
        else:
            _put(word, operands)
    return given


def _put(word: str, operands: list[str] | None) -> None:
    if operands is None:
        raise FlagError(f"unexpected argument `{word}'")
    operands.append(word)


def _take_short(names: dict[str, Flag], letters: str, words: Iterable[str], given: dict[str, str]) -> None:
    """Switches may be joined, as in -wa; what follows an option with an argument is that argument."""
    while letters:
        name, letters = f"-{letters[0]}", letters[1:]
        flag = names.get(name)
        if flag is not None and flag.value and letters:
            given[flag.long] = letters.removeprefix("=")
            return
        _take(names, name, None, words, given)


def _take(names: dict[str, Flag], name: str, text: str | None, words: Iterable[str], given: dict[str, str]) -> None:
    flag = names.get(name)
    if flag is None:
        raise FlagError(f"unknown flag `{name.lstrip('-')}'")
    if not flag.value:
        if text is not None:
            raise FlagError(f"bool flag `{flag}' cannot have an argument")
        given[flag.long] = ""
        return
    if text is None:
        text = next(iter(words), None)
    if text is None:
        raise FlagError(f"expected argument for flag `{flag}'")
    given[flag.long] = text


def usage(name: str, about: str, flags: Iterable[Flag], examples: Iterable[tuple[str, str]], operands: str = "") -> str:
    """The help page: usage, options and examples, each with what it does."""
    options = [
        (
            (f"-{flag.short}, " if flag.short else "    ") + f"--{flag.long}" + f"={flag.value}" * bool(flag.value),
            flag.help,
        )
        for flag in flags
    ]
    sections = [f"Usage:\n  {name} [OPTIONS] {operands}".rstrip(), about, "Application Options:\n" + _aligned(options)]
    return "\n\n".join([*sections, "Examples:\n" + _aligned(examples)]) + "\n"


def _aligned(pairs: Iterable[tuple[str, str]]) -> str:
    pairs = list(pairs)
    width = max(len(left) for left, _ in pairs)
    return "\n".join(f"  {left:<{width}}  {right}" for left, right in pairs)
