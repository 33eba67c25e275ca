"""The files of /proc that tools read, in the kernel's formats: of the host, and of every simulated process."""

from collections.abc import Iterator, Sequence
from zlib import crc32

from device_model.kernel.clock import NS
from device_model.publish.tree.entries import Entry, File, Link
from device_model.publish.tree.values import MAJOR
from neurontools.hardware.driver import DEVICE_NODE
from neurontools.schema.snapshot import CpuTimes, Host, Process, Snapshot
from neurontools.units import format_ranges

TICKS_PER_S = 100
"""USER_HZ: the kernel's unit of time in /proc."""

_TICK_NS = NS // TICKS_PER_S
_PAGE_BYTES, _KIB = 4096, 1024

_CHARACTER_DEVICES = ((1, "mem"), (5, "/dev/tty"), (5, "/dev/console"), (5, "/dev/ptmx"), (10, "misc"), (136, "pts"))
_BLOCK_DEVICES = ((259, "blkext"),)

_USERS = {"root": 0, "ubuntu": 1000, "ec2-user": 1000}
"""User numbers of AWS's images; every other name has one of its own."""
_FIRST_UID, _UIDS = 1001, 60_000

_OPEN_READ_WRITE = 0o2000002
"""O_RDWR | O_CLOEXEC: how a runtime holds a device; a tool that only looks would show O_WRONLY."""

_STANDARD_STREAMS = 3


def host_files(snapshot: Snapshot, boot_ns: int, driver_loaded: bool) -> Iterator[Entry]:
    """The files about the host, at the snapshot's instant."""
    host = snapshot.host or Host()
    up_ns = snapshot.head.time_ns - boot_ns
    yield File("proc/devices", 0o444, _devices(driver_loaded))
    yield File("proc/stat", 0o444, _stat(host, boot_ns, len(snapshot.processes or ())))
    yield File("proc/meminfo", 0o444, _meminfo(host))
    yield File("proc/vmstat", 0o444, "pgpgin 0\npgpgout 0\npswpin 0\npswpout 0\n")
    yield File("proc/uptime", 0o444, f"{_seconds(up_ns)} {_seconds(sum(cpu.idle for cpu in host.cpus or ()))}\n")
    yield File("proc/sys/kernel/random/boot_id", 0o444, f"{boot_uuid(snapshot.head.boot_id)}\n")


def boot_uuid(boot_id: str) -> str:
    """The model's boot id, sixteen hexadecimal digits, in the kernel's form, which is a random UUID's (version 4)."""
    return f"{boot_id[:8]}-{boot_id[8:12]}-4{boot_id[13:]}-8{boot_id[1:4]}-{boot_id[4:]}"


def process_files(process: Process, devices: Sequence[int], boot_ns: int, lnc: int) -> Iterator[Entry]:
    """The files about one process that has these devices open. `lnc` is physical cores per logical core."""
    home = f"proc/{process.pid}"
    command = process.command or ""
    name = command.split(" ")[0].rpartition("/")[2][:15]
    yield File(f"{home}/stat", 0o444, _process_stat(process, name, boot_ns))
    yield File(f"{home}/statm", 0o444, _process_statm(process))
    yield File(f"{home}/status", 0o444, _process_status(process, name))
    yield File(f"{home}/comm", 0o644, f"{name}\n")
    yield File(f"{home}/cmdline", 0o444, "".join(f"{word}\0" for word in command.split()))
    yield File(f"{home}/environ", 0o400, _environ(process, lnc))
    yield File(f"{home}/cgroup", 0o444, "0::/system.slice/neuron.service\n")
    held = ["/dev/null"] * _STANDARD_STREAMS + [DEVICE_NODE.format(device=device) for device in devices]
    for fd, target in enumerate(held):
        yield Link(f"{home}/fd/{fd}", target)
        flags = _OPEN_READ_WRITE if fd >= _STANDARD_STREAMS else 0o2
        yield File(f"{home}/fdinfo/{fd}", 0o400, f"pos:\t0\nflags:\t0{flags:o}\nmnt_id:\t26\nino:\t{fd + 1}\n")


def _devices(driver_loaded: bool) -> str:
    character = (*_CHARACTER_DEVICES, *([(MAJOR, "neuron")] if driver_loaded else []))
    tables = (("Character devices:", character), ("Block devices:", _BLOCK_DEVICES))
    return "\n".join(
        "".join([f"{title}\n", *(f"{major:3d} {name}\n" for major, name in rows)]) for title, rows in tables
    )


def _ticks(ns: int) -> int:
    return ns // _TICK_NS


def _seconds(ns: int) -> str:
    return f"{ns // NS}.{ns % NS // _TICK_NS:02d}"


def _stat(host: Host, boot_ns: int, processes: int) -> str:
    cpus = host.cpus or ()
    whole = CpuTimes(*(sum(getattr(cpu, state) for cpu in cpus) for state in CpuTimes.__struct_fields__))
    lines = [_cpu_line("cpu ", whole), *(_cpu_line(f"cpu{i}", cpu) for i, cpu in enumerate(cpus))]
    switches = host.context_switches or 0
    others = (
        f"intr 0\nctxt {switches}\nbtime {boot_ns // NS}\nprocesses {processes}\nprocs_running 1\nprocs_blocked 0\n"
    )
    return "".join(lines) + others + "softirq 0 0 0 0 0 0 0 0 0 0 0\n"


def _cpu_line(name: str, cpu: CpuTimes) -> str:
    states = (cpu.user, cpu.nice, cpu.system, cpu.idle, cpu.io_wait, cpu.irq, cpu.soft_irq)
    return f"{name} {' '.join(str(_ticks(ns)) for ns in states)} 0 0 0\n"


def _meminfo(host: Host) -> str:
    """Nothing of the host's memory is a cache: what is not used is free."""
    total, used = host.memory_total_bytes or 0, host.memory_used_bytes or 0
    swap, swapped = host.swap_total_bytes or 0, host.swap_used_bytes or 0
    sizes = {
        "MemTotal": total,
        **dict.fromkeys(("MemFree", "MemAvailable"), total - used),
        **dict.fromkeys(("Buffers", "Cached", "SwapCached"), 0),
        "Active": used,
        "Inactive": 0,
        "SwapTotal": swap,
        "SwapFree": swap - swapped,
        "AnonPages": used,
        **dict.fromkeys(("Shmem", "Slab", "SReclaimable", "SUnreclaim"), 0),
    }
    return "".join(f"{name + ':':<15} {size // _KIB:>8} kB\n" for name, size in sizes.items())


def _process_stat(process: Process, name: str, boot_ns: int) -> str:
    """Fields 1 to 52, see proc_pid_stat(5); those that the model knows nothing about are 0."""
    fields = [0] * 53
    fields[4] = process.parent_pid or 0
    fields[5] = fields[6] = process.pid
    fields[8] = -1
    fields[14], fields[15] = _ticks(process.vcpu_user_ns or 0), _ticks(process.vcpu_system_ns or 0)
    fields[18] = 20
    fields[20] = 1 + len(process.cores)
    fields[22] = _ticks(process.started_ns - boot_ns)
    fields[23] = process.resident_bytes or 0
    fields[24] = fields[23] // _PAGE_BYTES
    fields[25] = (1 << 64) - 1
    fields[38] = 17
    return f"{process.pid} ({name}) S {' '.join(map(str, fields[4:]))}\n"


def _process_statm(process: Process) -> str:
    pages = (process.resident_bytes or 0) // _PAGE_BYTES
    return f"{pages} {pages} 0 0 0 {pages} 0\n"


def _process_status(process: Process, name: str) -> str:
    number = user_number(process.user or "root")
    ids = "\t".join([str(number)] * 4)
    size = f"{(process.resident_bytes or 0) // _KIB:>8} kB"
    fields = {
        "Name": name,
        "Umask": "0022",
        "State": "S (sleeping)",
        "Tgid": process.pid,
        "Ngid": 0,
        "Pid": process.pid,
        "PPid": process.parent_pid or 0,
        "TracerPid": 0,
        "Uid": ids,
        "Gid": ids,
        "FDSize": 64,
        "Groups": number,
        **dict.fromkeys(("VmPeak", "VmSize", "VmHWM", "VmRSS", "RssAnon"), size),
        "VmSwap": f"{0:>8} kB",
        "Threads": 1 + len(process.cores),
        "voluntary_ctxt_switches": 0,
        "nonvoluntary_ctxt_switches": 0,
    }
    return "".join(f"{key}:\t{value}\n" for key, value in fields.items())


def user_number(name: str) -> int:
    """The number of a user of the simulated host, the same on every machine."""
    return _USERS.get(name, _FIRST_UID + crc32(name.encode()) % _UIDS)


def _environ(process: Process, lnc: int) -> str:
    """What a runtime reads of its environment: its tag and its logical cores; of a program without one, neither."""
    variables = {"PATH": "/usr/local/bin:/usr/bin:/bin:/opt/aws/neuron/bin", "USER": process.user or "root"}
    if process.cores:
        variables |= {
            "NEURON_PROCESS_TAG": process.tag or "",
            "NEURON_RT_VISIBLE_CORES": format_ranges({core // lnc for core in process.cores}, ","),
            "NEURON_LOGICAL_NC_CONFIG": str(lnc),
        }
    return "".join(f"{name}={value}\0" for name, value in variables.items())
