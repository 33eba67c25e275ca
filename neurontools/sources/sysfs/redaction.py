"""What in a host's files identifies it or its people, and what stands for that in a copy."""

import re
from collections.abc import Callable

KINDS = ("instance ids", "serial numbers", "host names", "boot ids", "command lines", "environments", "users")

_INSTANCE = re.compile(rb"\bi-[0-9a-f]{8,17}\b")
_NO_INSTANCE = b"i-0123456789abcdef0"
_NO_BOOT = b"00000000-0000-4000-8000-000000000000\n"
_HOST_NAME = re.compile(rb"(?<=hostname=)\S+")
_SERIAL = re.compile(rb"(?<=serial-num=)\S+")
_NAME_IN_STAT = re.compile(rb"(?<=\()(?s:.*)(?=\))")
_CORE_VARIABLES = re.compile(
    rb"NEURON_(RT_VISIBLE_CORES|RT_NUM_CORES|LOGICAL_NC_CONFIG|RT_VIRTUAL_CORE_SIZE)=[0-9, -]*"
)
_STATUS_LINES = re.compile(rb"(State|Tgid|Pid|PPid|NSpid|VmRSS|VmSize|Threads):")
_USER = b"Uid:\t1000\t1000\t1000\t1000\n"
_PROGRAM = b"program\0"


class Redaction:
    """Replaces what identifies the host, each serial number by one of its own; the rest stays byte for byte."""

    kinds = KINDS

    def __init__(self) -> None:
        self._serials: dict[bytes, bytes] = {}

    def content(self, path: str, held: bytes) -> bytes:
        """What a file's copy holds."""
        for pattern, replace in self._rules():
            if re.fullmatch(pattern, path):
                held = replace(held)
        return _INSTANCE.sub(_NO_INSTANCE, held)

    def _rules(self) -> list[tuple[str, Callable[[bytes], bytes]]]:
        return [
            (r".*/info/serial_number", self._serial_file),
            (r"proc/sys/kernel/random/boot_id", lambda held: _NO_BOOT if held else held),
            (r"proc/\d+/cmdline", lambda held: _PROGRAM if held else held),
            (r"proc/\d+/environ", _environment),
            (r"proc/\d+/stat", lambda held: _NAME_IN_STAT.sub(b"program", held)),
            (r"proc/\d+/status", _status),
            (r"dev/kmsg", self._log),
            (r"sys/class/neuron_device/(server_id|reservation_id).*", lambda held: re.sub(rb"[0-9a-f]", b"0", held)),
        ]

    def _serial_file(self, held: bytes) -> bytes:
        number = held.strip()
        return self._serial(number) + b"\n" if number else held

    def _serial(self, number: bytes) -> bytes:
        return self._serials.setdefault(number, b"%016x" % (len(self._serials) + 1))

    def _log(self, held: bytes) -> bytes:
        held = _HOST_NAME.sub(b"host", held)
        return _SERIAL.sub(lambda found: self._serial(found[0]), held)


def _environment(held: bytes) -> bytes:
    """The variables that say which cores a process uses."""
    return b"".join(pair + b"\0" for pair in held.split(b"\0") if _CORE_VARIABLES.fullmatch(pair))


def _status(held: bytes) -> bytes:
    lines = [line for line in held.splitlines(keepends=True) if _STATUS_LINES.match(line)]
    return b"".join(lines) + (_USER if held else b"")
