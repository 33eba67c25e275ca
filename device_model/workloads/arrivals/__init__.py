"""When requests arrive and how long they are; every draw is keyed, so that a queue's length changes no request."""

from device_model.workloads.arrivals.bursty import Bursty
from device_model.workloads.arrivals.diurnal import Diurnal
from device_model.workloads.arrivals.lengths import Distribution, Lengths
from device_model.workloads.arrivals.loops import RETRY_NS, Arrivals, Clients, ClosedLoop, OpenLoop
from device_model.workloads.arrivals.renewal import Constant, Renewal
from device_model.workloads.arrivals.trace import Row, Trace, checked_rows, read_rows

__all__ = [
    "RETRY_NS",
    "Arrivals",
    "Bursty",
    "Clients",
    "ClosedLoop",
    "Constant",
    "Distribution",
    "Diurnal",
    "Lengths",
    "OpenLoop",
    "Renewal",
    "Row",
    "Trace",
    "checked_rows",
    "read_rows",
]
