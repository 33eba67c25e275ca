"""Who the processes are that hold a device: what stays the same while one lives is read once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from neurontools.sources.sysfs import holders
from neurontools.sources.sysfs.files import Root
from neurontools.sources.sysfs.watch import Held
from neurontools.units import NS_PER_S

if TYPE_CHECKING:
    from neurontools.schema.snapshot import Job

_VERSION_PAUSE_NS = 10 * NS_PER_S
_STATUS_BYTES = 1 << 14
_UID = re.compile(r"[0-9]{1,10}")


class Person(NamedTuple):
    """One process. `tag` is what it calls itself, else its pid in its own namespace where that is another one."""

    started_ticks: int
    command: str
    environment: dict[str, str] | None
    tag: str | None
    user: str | None


class People:
    """The processes of one host by pid."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self._known: dict[int, Person] = {}
        self._versions: dict[int, str] = {}
        self._asked_ns: dict[int, int] = {}
        self._jobs: dict[int, Job | None] = {}
        self._users: dict[int, str] | None = None

    def person(self, held: Held) -> Person:
        """Who holds; a pid that belongs to another process by now is met anew."""
        known = self._known.get(held.pid)
        if known is None or known.started_ticks != held.stat.started_ticks:
            self._forget(held.pid)
            known = self._known[held.pid] = self._meet(held)
        return known

    def job(self, held: Held) -> Job | None:
        """The pod or Slurm job that started it, as far as its control group tells."""
        # Only records of processes need it, and what they are made of; an inventory does without.
        from neurontools.sources.sysfs.cgroup import job_of_process

        if held.pid not in self._jobs:
            self._jobs[held.pid] = job_of_process(self._root, held.pid)
        return self._jobs[held.pid]

    def runtime_version(self, held: Held, now_ns: int) -> str | None:
        """The version of its Neuron runtime: None for a tool, which has none, UNKNOWN_VERSION where it hides it."""
        if not held.handles.runtime:
            return None
        pid = held.pid
        if pid not in self._versions and now_ns >= self._asked_ns.get(pid, now_ns):
            self._asked_ns[pid] = now_ns + _VERSION_PAUSE_NS
            version = holders.runtime_version(self._root, pid)
            if version is not None:
                self._versions[pid] = version
        return self._versions.get(pid, holders.UNKNOWN_VERSION)

    def keep(self, pids: set[int]) -> None:
        """Forgets all processes but these."""
        for gone in self._known.keys() - pids:
            self._forget(gone)

    def _forget(self, pid: int) -> None:
        kept: tuple[dict[int, Any], ...] = (self._known, self._versions, self._asked_ns, self._jobs)
        for by_pid in kept:
            by_pid.pop(pid, None)

    def _meet(self, held: Held) -> Person:
        status = self._status(held.pid)
        environment = holders.environment(self._root, held.pid)
        inner = status.get("NSpid", "").split()
        tag = (environment or {}).get(holders.TAG) or (inner[-1] if len(inner) > 1 else None)
        uid = status.get("Uid", "").split()[:1]
        return Person(
            started_ticks=held.stat.started_ticks,
            command=holders.command_line(self._root, held.pid) or f"[{held.stat.command}]",
            environment=environment,
            tag=tag,
            user=self._user(uid[0]) if uid else None,
        )

    def _status(self, pid: int) -> dict[str, str]:
        try:
            lines = self._root.read(f"proc/{pid}/status", _STATUS_BYTES).decode("utf-8", "replace").splitlines()
        except OSError:
            return {}
        return {name: rest for line in lines for name, colon, rest in [line.partition(":")] if colon}

    def _user(self, uid: str) -> str | None:
        """A user's name on that host; the number where it has none."""
        if not _UID.fullmatch(uid):
            return None
        if self._users is None:
            self._users = {} if self._root.is_this_machine else self._read_users()
        number = int(uid)
        if number not in self._users:
            self._users[number] = _name(number) if self._root.is_this_machine else uid
        return self._users[number]

    def _read_users(self) -> dict[int, str]:
        lines = [line.split(":") for line in self._root.text("etc/passwd").splitlines()]
        return {int(words[2]): words[0] for words in lines if len(words) > 3 and _UID.fullmatch(words[2])}


def _name(uid: int) -> str:
    """Of a user of this machine, wherever it keeps them."""
    import pwd  # only whoever finds a process needs it

    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return str(uid)
