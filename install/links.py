"""Links from a prefix to the tools of this environment; nothing that is not ours is ever replaced."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping

from neurontools.sources.sysfs.evidence import neuron_host


class RefusedError(Exception):
    """Nothing was changed; the text says why, in one line, and what to do."""


def wanted_links(
    prefix: str, programs: str, pages: str, names: Iterable[str], page_files: Iterable[str]
) -> dict[str, str]:
    """Each link below the prefix and what it points at: programs, and files of the directory with their pages."""
    links = {f"{prefix}/bin/{name}": f"{programs}/{name}" for name in names}
    return links | {f"{prefix}/share/{file}": f"{pages}/{file}" for file in page_files}


def install(links: Mapping[str, str], ours: Iterable[str], force: bool = False, root: str = "/") -> list[str]:
    """Makes the links; gives those that were not there before. `ours` are directories whose files may be replaced.

    Raises RefusedError when a path is taken by something that is not ours or belongs to a package, and on a Neuron host
    unless `force` asks for that: programs there may rely on AWS's own tools.
    """
    ours = list(ours)
    evidence = neuron_host(root)
    if evidence is not None and not force:
        raise RefusedError(
            f"this is a Neuron host ({evidence}): links could come before AWS's own tools; if that is what you want, "
            "say FORCE=1, else use `neurontools ls` and so on"
        )
    taken = [path for path in links if os.path.lexists(path) and not is_ours(path, ours)]
    if taken:
        raise RefusedError(f"{taken[0]} is there and is not ours{_more(taken)}: nothing was changed")
    owned = owners(links)
    if owned:
        path, package = next(iter(owned.items()))
        raise RefusedError(f"{path} belongs to the package {package}{_more(list(owned))}: nothing was changed")
    made = []
    for path, target in links.items():
        if os.path.islink(path) and os.readlink(path) == target:
            continue
        os.makedirs(os.path.dirname(path), exist_ok=True)
        _replace(path, target)
        made.append(path)
    return made


def uninstall(links: Iterable[str], ours: Iterable[str]) -> list[str]:
    """Removes those of these links that point at something of ours, and nothing else; gives what it removed."""
    ours = list(ours)
    removed = [path for path in links if is_ours(path, ours)]
    for path in removed:
        os.unlink(path)
    return removed


def is_ours(path: str, ours: Iterable[str]) -> bool:
    """Whether a path is a link to something in one of our directories."""
    if not os.path.islink(path):
        return False
    target = os.path.join(os.path.dirname(path), os.readlink(path))
    return any(os.path.normpath(target).startswith(f"{os.path.normpath(top)}/") for top in ours)


def owners(paths: Iterable[str]) -> dict[str, str]:
    """The packages of dpkg or rpm that paths belong to, whether or not they are there."""
    paths = list(paths)
    found = {}
    for line in _asked("dpkg-query", "--search", *paths):
        package, _, path = line.partition(": ")
        if path in paths:
            found[path] = package
    if shutil.which("rpm"):
        for path in paths:
            for package in _asked("rpm", "--query", "--queryformat", "%{NAME}\n", "--file", path):
                found[path] = package
    return found


def _asked(*command: str) -> list[str]:
    """The lines that a command prints; none where it is not installed, or knows nothing."""
    if shutil.which(command[0]) is None:
        return []
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"LC_ALL": "C"})
    lines = result.stdout.splitlines()
    return [line for line in lines if "is not owned by any package" not in line and not line.startswith("error:")]


def _replace(path: str, target: str) -> None:
    """Makes a link in one step, so that a program is never missing meanwhile."""
    beside = f"{path}.neurontools-new"
    os.symlink(target, beside)
    os.replace(beside, path)


def _more(paths: list[str]) -> str:
    return f" (and {len(paths) - 1} more)" if len(paths) > 1 else ""
