"""A page as a manual page in roff, for `man`."""

from collections.abc import Iterable, Iterator

from install.page import Option, Page


def roff(page: Page, release: str) -> str:
    """The text of NAME.1."""
    return "\n".join(_lines(page, release)) + "\n"


def _lines(page: Page, release: str) -> Iterator[str]:
    yield f'.TH "{page.name.upper()}" 1 "" "neurontools {release}" "neurontools"'
    yield ".SH NAME"
    yield f"{_text(page.name)} \\- {_text(_first_sentence(page.about))}"
    yield ".SH SYNOPSIS"
    yield f".B {_text(page.name)}"
    word = "[\\fIVERB\\fR]" if page.options else ".I VERB"
    yield word if page.verbs else "[\\fIOPTIONS\\fR]"
    if page.verbs:
        yield "[\\fIOPTIONS\\fR]"
    yield ".SH DESCRIPTION"
    yield _text(" ".join(page.about.split()))
    if page.options:
        yield ".SH OPTIONS"
        yield from _options(page.options)
    for verb in page.verbs:
        yield f'.SH "{page.name} {verb.name}"'
        yield _text(" ".join(verb.about.split()))
        yield from _options(verb.options)
        if verb.examples:
            yield ".PP"
            yield from _examples(verb.examples)
    if page.examples:
        yield ".SH EXAMPLES"
        yield from _examples(page.examples)


def _options(options: Iterable[Option]) -> Iterator[str]:
    for option in options:
        yield ".TP"
        value = f"=\\fI{_text(option.value)}\\fR" if option.value else ""
        yield ", ".join(f"\\fB{_text(name)}\\fR" for name in option.names) + value
        yield _text(option.help)


def _examples(examples: Iterable[tuple[str, str]]) -> Iterator[str]:
    for command, meaning in examples:
        yield ".TP"
        yield f"\\fB{_text(command)}\\fR"
        yield _text(meaning) or "\\&"


def _text(text: str) -> str:
    """Text that means itself: a backslash, a hyphen and a dot at the start of a line are roff's."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


def _first_sentence(about: str) -> str:
    sentence = " ".join(about.split()).split(". ")[0].rstrip(".")
    return f"{sentence[:1].lower()}{sentence[1:]}"
