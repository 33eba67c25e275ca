"""A page as completion for bash, zsh and fish."""

import re
from collections.abc import Iterable

from install.page import Option, Page

SOURCES = ("sysfs", "model", "aws", "replay")
_FILES = ("FILE", "PATH", "ROOT", "DIR", "RULES")


def bash(page: Page) -> str:
    """A script that bash-completion loads when the program is completed first."""
    function = _function(page.name)
    lines = [f"{function}() {{", "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}"]
    if not page.verbs:
        lines += _bash_options(page.options, "    ")
    else:
        own = [name for option in page.options for name in option.names]
        verbs = " ".join([*(verb.name for verb in page.verbs), *own])
        lines += [
            "    if ((COMP_CWORD == 1)); then",
            f'        COMPREPLY=($(compgen -W "{verbs}" -- "$word"))',
            "        return",
            "    fi",
            '    case "${COMP_WORDS[1]}" in',
        ]
        for verb in page.verbs:
            if verb.options:
                lines += [f"        {verb.name})", *_bash_options(verb.options, " " * 12), "            ;;"]
        if page.options:
            lines += ["        *)", *_bash_options(page.options, " " * 12), "            ;;"]
        lines += ["    esac"]
    return "\n".join([*lines, "}", f"complete -o bashdefault -o default -F {function} {page.name}"]) + "\n"


def zsh(page: Page) -> str:
    """A function of the directory that $fpath names."""
    lines = [f"#compdef {page.name}", ""]
    if not page.verbs:
        return "\n".join([*lines, *_zsh_options(page.options, "")]) + "\n"
    lines += ["local -a verbs", "verbs=("]
    lines += [f"    {_quoted(f'{verb.name}:{_brief(verb.about)}')}" for verb in page.verbs]
    wanted = '((CURRENT == 2)) && [[ "$PREFIX" != -* ]]' if page.options else "((CURRENT == 2))"
    lines += [")", f"if {wanted}; then", "    _describe verb verbs", "    return", "fi", 'case "$words[2]" in']
    for verb in page.verbs:
        if verb.options:
            lines += [f"    {verb.name})", *_zsh_options(verb.options, "        "), "        ;;"]
    if page.options:
        lines += ["    *)", *_zsh_options(page.options, "        "), "        ;;"]
    return "\n".join([*lines, "esac"]) + "\n"


def fish(page: Page) -> str:
    """A script that fish loads when the program is completed first."""
    lines = [_fish_option(page.name, "", option) for option in page.options]
    for verb in page.verbs:
        about = _quoted(_brief(verb.about))
        lines.append(f"complete -c {page.name} -f -n __fish_use_subcommand -a {verb.name} -d {about}")
        condition = f" -n '__fish_seen_subcommand_from {verb.name}'"
        lines += [_fish_option(page.name, condition, option) for option in verb.options]
    return "\n".join(lines) + "\n"


def _function(name: str) -> str:
    return "_" + re.sub(r"\W", "_", name)


def _words(option: Option) -> tuple[str, ...]:
    """What may follow an option, where that is known."""
    return option.choices or (SOURCES if "--source" in option.names else ())


def _takes_file(option: Option) -> bool:
    return bool(option.value) and option.value.split(".")[0].rstrip("…") in _FILES


def _bash_options(options: Iterable[Option], indent: str) -> list[str]:
    options = list(options)
    cases = []
    for option in options:
        if not option.value:
            continue
        offered = f'-W "{" ".join(_words(option))}"' if _words(option) else "-f" if _takes_file(option) else ""
        reply = f'COMPREPLY=($(compgen {offered} -- "$word")); ' if offered else ""
        cases.append(f"{indent}    {'|'.join(option.names)}) {reply}return ;;")
    names = " ".join(name for option in options for name in option.names)
    choice = [f'{indent}case "$before" in', *cases, f"{indent}esac"] if cases else []
    return [*choice, f'{indent}COMPREPLY=($(compgen -W "{names}" -- "$word"))']


def _zsh_options(options: Iterable[Option], indent: str) -> list[str]:
    specs = [_zsh_option(option) for option in options]
    return [f"{indent}_arguments -s \\", *(f"{indent}    {spec} \\" for spec in specs[:-1]), f"{indent}    {specs[-1]}"]


def _zsh_option(option: Option) -> str:
    about = re.sub(r"([\[\]:])", r"\\\1", _brief(option.help))
    argument = ""
    if option.value:
        words = f"({' '.join(_words(option))})" if _words(option) else "_files" if _takes_file(option) else " "
        argument = f":{re.sub(r'[:|]', ' ', option.value)}:{words}"
    if len(option.names) == 1:
        name = option.names[0] + ("=" if option.value else "")
        return _quoted(f"{name}[{about}]{argument}")
    names = ",".join(name + ("=" if option.value and name.startswith("--") else "") for name in option.names)
    return f"'({' '.join(option.names)})'{{{names}}}{_quoted(f'[{about}]{argument}')}"


def _fish_option(name: str, condition: str, option: Option) -> str:
    names = " ".join(f"-l {each[2:]}" if each.startswith("--") else f"-s {each[1:]}" for each in option.names)
    words = f" -x -a {_quoted(' '.join(_words(option)))}" if _words(option) else " -r" if _takes_file(option) else " -x"
    return f"complete -c {name}{condition} {names}{words if option.value else ''} -d {_quoted(_brief(option.help))}"


def _brief(text: str) -> str:
    """The first line of a text."""
    return text.split("\n")[0]


def _quoted(text: str) -> str:
    """For all three shells: in single quotes, with a quote as their common way to write one."""
    return "'" + text.replace("'", "'\\''") + "'"
