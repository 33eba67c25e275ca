"""Which source has which group of numbers, since which driver version, and why the others have not."""

from __future__ import annotations

from neurontools.hardware.driver import LIVE_COUNTERS_SINCE
from neurontools.metrics.metric import Supply

_YES = Supply(True)
_AT_CLOSE = "older drivers move it only when the process closes the device"
_NOT_IN_STREAM = "AWS's neuron-monitor does not print it"

Supplies = dict[str, Supply]


def model_only(reason: str) -> Supplies:
    """A number that nothing on a real host publishes."""
    return _table(sysfs=Supply(False, note=reason), aws=Supply(False, note=_NOT_IN_STREAM))


def driver(since: str, note: str = "") -> Supplies:
    """A number that the driver keeps at all times."""
    return _table(sysfs=Supply(True, since, note), aws=Supply(False, note=_NOT_IN_STREAM))


def driver_runtime(note: str) -> Supplies:
    """A counter of the runtime that the driver passes on, live from one version on."""
    return _table(sysfs=Supply(True, LIVE_COUNTERS_SINCE, note), aws=Supply(False, note=_NOT_IN_STREAM))


def driver_runtime_and_stream(note: str) -> Supplies:
    """A counter of the runtime that AWS's neuron-monitor prints too, as a number of the period."""
    return driver_runtime(note) | {"aws": _YES}


def stream(reason: str) -> Supplies:
    """A number that on a real host only AWS's neuron-monitor has."""
    return _table(sysfs=Supply(False, note=reason), aws=_YES)


def operating_system(in_stream: bool) -> Supplies:
    """A number of the host's operating system; whoever reads the driver's files reads those of /proc, too."""
    aws = _YES if in_stream else Supply(False, note=_NOT_IN_STREAM)
    return _table(sysfs=_YES, aws=aws) | {"host": _YES}


def _table(sysfs: Supply, aws: Supply) -> Supplies:
    host = Supply(False, note="the operating system knows the host, not its devices")
    return {"model": _YES, "sysfs": sysfs, "aws": aws, "host": host}


COUNTED_DEVICES = driver("2.5.7", "in a container: the devices that were granted to it") | {"aws": _YES}
UTILIZATION = driver_runtime_and_stream(f"{_AT_CLOSE}; time may be credited when an execution ends")
BUSY = driver_runtime(f"{_AT_CLOSE}; time may be credited when an execution ends")
FLOPS = driver_runtime_and_stream(_AT_CLOSE)
RUNTIME = driver_runtime(_AT_CLOSE)
CORE_HOST_MEMORY = driver("2.7.15")
MEMORY = driver("2.7.15") | {"aws": Supply(True, note="of processes with a Neuron runtime")}
MEMORY_BY_CATEGORY = driver("2.10.11") | {"aws": Supply(True, note="of processes with a Neuron runtime")}
DEVICE_HOST_MEMORY = driver("2.10.11") | {
    "aws": Supply(False, note="AWS's neuron-monitor prints host memory by process, not by device")
}
MEMORY_PEAK = driver("2.9.4")
MEMORY_CAPACITY = driver("2.5.7", "from the chip's datasheet") | {"aws": _YES}
ENGINES = driver("2.23.9", "the tensor engine only, from pe_cntrs; the other engines have no live source on hardware")
ECC = driver("2.14.5", "corrected counts from 2.30.2; not on Inferentia1; a 0 may be a failed read") | {"aws": _YES}
HEALTH = driver("2.28", "Trainium2 and Trainium3 only")
_POWER = "not on Inferentia1; a value a minute"
POWER = driver("2.21.37", _POWER) | {"model": Supply(True, note=_POWER)}
NO_HBM_TRAFFIC = model_only("the driver does not count HBM traffic")
NO_COLLECTIVES = model_only("the driver does not tell time in collectives from other execution")
NO_BANKS = model_only("the driver publishes memory by core, not by bank, and no addresses")
NO_LINKS = model_only("no link counters exist; connected_devices is a constant table in the driver")
BY_PROCESS = stream("the driver publishes counters by core, not by process")
NO_DISTRIBUTION = model_only("the driver publishes no latencies") | {
    "aws": Supply(False, note="AWS's neuron-monitor prints percentiles of a period, which do not add up")
}
NO_MEAN_LATENCY = model_only("the driver publishes no latencies")
OF_OWN_CORES = driver_runtime_and_stream("where it is known which process holds which core")
PROCESSES = driver("2.5.7", "needs the host's pid namespace, and root or the same user") | {"aws": _YES}
RESIDENT = operating_system(in_stream=False)
VCPU_TIME = operating_system(in_stream=False)
VCPU_SHARE = operating_system(in_stream=True)
WORKLOAD = model_only("only the model server itself knows its requests and tokens")
HOST = operating_system(in_stream=True)
