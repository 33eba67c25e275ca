"""What a person names as a fault's target, found on the node: a device, a logical core, a link, a process, the node."""

from collections.abc import Callable, Mapping
from typing import Any

from device_model.faults.fault import Fault, FaultError, Kind, Target
from device_model.runtime.runtime import Runtime
from neurontools.spelling import did_you_mean

OPTIONS: dict[Kind, str] = {
    "device": "--device N",
    "core": "--core N",
    "link": "--link A-B",
    "process": "--process TAG",
    "node": "no target",
}
"""How each kind of target is spelled on the command line."""


def kind_of(given: Mapping[str, Any]) -> Kind:
    """The kind of target that `given` names by its one key; the node where it has none. Raises FaultError."""
    kinds = [kind for kind in OPTIONS if kind in given]
    if len(kinds) != len(given) or len(kinds) > 1 or "node" in given:
        raise FaultError("expected one target, of device, core, link and process, or none for the node")
    return kinds[0] if kinds else "node"


def check_kind(fault: Fault, kind: Kind) -> None:
    """Raises FaultError when the fault takes another kind of target."""
    if kind != fault.target:
        found = OPTIONS[kind].split()[0] if kind != "node" else OPTIONS[kind]
        raise FaultError(f"{fault.name} takes {OPTIONS[fault.target]}, found {found}")


def find_target(runtime: Runtime, fault: Fault, given: Mapping[str, Any]) -> Target:
    """The target that `given` names: {"device": 3}, {"core": 3}, {"link": [0, 1]}, {"process": "a"} or {}.

    Cores are logical and count over the node. Raises FaultError for another kind than the fault takes, and for what
    there is not.
    """
    kind = kind_of(given)
    check_kind(fault, kind)
    if runtime.node.chip.name not in fault.chips:
        raise FaultError(f"{runtime.node.chip.name} has no {fault.name}: only {' and '.join(fault.chips)} have")
    return _FINDERS[kind](runtime, given.get(kind))


def _device(runtime: Runtime, value: Any) -> Target:
    device = runtime.node.devices[_number(runtime, value, "device", len(runtime.node.devices))]
    return Target("device", f"device {device.index}", (device,), tuple(device.cores))


def _core(runtime: Runtime, value: Any) -> Target:
    node, size = runtime.node, runtime.node.logical_neuroncore_config
    core = _number(runtime, value, "NeuronCore", len(node.cores) // size)
    cores = tuple(node.cores[core * size : (core + 1) * size])
    return Target("core", f"core {core}", (node.devices[cores[0].device],), cores)


def _link(runtime: Runtime, value: Any) -> Target:
    node = runtime.node
    ends = value if isinstance(value, list | tuple) else ()
    if len(ends) != 2:
        raise FaultError(f"expected the two devices of a link, found {value!r:.40}")
    one, other = sorted(_number(runtime, end, "device", len(node.devices)) for end in ends)
    if other not in node.links.neighbours[one]:
        linked = ", ".join(map(str, node.links.neighbours[one])) or "none"
        raise FaultError(f"devices {one} and {other} are not linked; {one} is linked to {linked}")
    return Target("link", f"link {one}-{other}", (node.devices[one], node.devices[other]))


def _process(runtime: Runtime, value: Any) -> Target:
    tags = {process.identity.tag: process for process in runtime.processes.values()}
    if not isinstance(value, str) or value not in tags:
        raise FaultError(f"no process {value!r:.70} runs{did_you_mean(str(value), tags)}; {_running(tags)}")
    process = tags[value]
    devices = tuple(runtime.node.devices[device] for device in process.devices)
    return Target("process", f"process {value}", devices, process.cores, process)


def _node(runtime: Runtime, value: Any) -> Target:
    return Target("node", "node", tuple(runtime.node.devices), tuple(runtime.node.cores))


def _running(tags: Mapping[str, Any]) -> str:
    return f"there are {', '.join(tags)}" if tags else "none does"


def _number(runtime: Runtime, value: Any, what: str, count: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < count:
        raise FaultError(f"there is no {what} {value!r:.40}, {runtime.node.instance.name} has 0 to {count - 1}")
    return value


_FINDERS: dict[Kind, Callable[[Runtime, Any], Target]] = {
    "device": _device,
    "core": _core,
    "link": _link,
    "process": _process,
    "node": _node,
}
