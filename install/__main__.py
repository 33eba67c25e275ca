"""`python -m install`: makes pages, links the tools below a prefix, or takes the links away again."""

import argparse
import os
import sys
from importlib.metadata import version

from install import completion, manual
from install.links import RefusedError, install, uninstall, wanted_links
from install.page import DISTRIBUTION, pages, programs

_MAKERS = {
    "man/man1/{name}.1": lambda page: manual.roff(page, version(DISTRIBUTION)),
    "bash-completion/completions/{name}": completion.bash,
    "zsh/site-functions/_{name}": completion.zsh,
    "fish/vendor_completions.d/{name}.fish": completion.fish,
}
"""Files of each program below a directory `share`, where man and the shells look for them."""


def main(arguments: list[str]) -> int:
    """Runs one of them; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m install", description=__doc__, allow_abbrev=False)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("pages", "links", "unlink"):
        added = verbs.add_parser(verb)
        added.add_argument("--pages", metavar="DIR", required=True, help="where the pages are made")
        if verb != "pages":
            added.add_argument("--prefix", metavar="DIR", required=True, help="such as /usr/local")
        if verb == "links":
            added.add_argument("--force", action="store_true", help="also on a Neuron host")
    options = parser.parse_args(arguments)
    made = os.path.abspath(options.pages)
    if options.verb == "pages":
        make_pages(made)
        return 0
    if not options.prefix:
        print("which prefix? Name one: make install-links PREFIX=/usr/local", file=sys.stderr)
        return 2
    return _link(options, os.path.abspath(options.prefix), made)


def make_pages(directory: str) -> None:
    """Writes the pages of every program below a directory."""
    for page in pages():
        for pattern, make in _MAKERS.items():
            path = os.path.join(directory, pattern.format(name=page.name))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(make(page))


def _link(options: argparse.Namespace, prefix: str, made: str) -> int:
    environment = os.path.dirname(os.path.abspath(sys.executable))
    ours = (environment, made)
    names = list(programs())
    links = wanted_links(prefix, environment, made, names, [of.format(name=name) for of in _MAKERS for name in names])
    try:
        if options.verb == "unlink":
            print(f"removed {len(uninstall(links, ours))} links below {prefix}")
            return 0
        done = install(links, ours, options.force)
    except RefusedError as refused:
        print(f"install-links: {refused}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"install-links: {error.filename}: {(error.strerror or str(error)).lower()}", file=sys.stderr)
        return 1
    print(f"made {len(done)} links below {prefix}; to take them away: make uninstall-links PREFIX={prefix}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
