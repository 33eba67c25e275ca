"""One host in full: cores, engines, memory, links, power, processes, and the computer around them."""

from dashboards.boards.board import (
    BARS,
    BYTES,
    BYTES_PER_SECOND,
    FLOPS,
    GRAPH,
    HOST,
    PER_SECOND,
    RATE,
    RATIO,
    STACK,
    STATES,
    TABLE,
    Board,
    Panel,
    Query,
    Row,
    number,
)

_CORE, _DEVICE, _TAG = "core {{neuroncore}}", "device {{neuron_device}}", "{{runtime_tag}}"


def _graph(title: str, expression: str, legend: str, about: str, unit: str) -> Panel:
    return Panel(title, GRAPH, (Query(expression, legend),), about, unit)


def _stack(title: str, expression: str, legend: str, about: str) -> Panel:
    return Panel(title, STACK, (Query(expression, legend),), about, BYTES)


_OVERVIEW = Row(
    "Host",
    (
        number("Devices", f"neuron_node_devices{{{HOST}}}", "Neuron devices that the host shows."),
        number("Cores", f"neuron_node_cores{{{HOST}}}", "Logical NeuronCores."),
        number("Processes", f"neuron_node_processes{{{HOST}}}", "Processes with a Neuron runtime."),
        number("Utilization", f"avg(neuron_core_utilization_ratio{{{HOST}}})", "Mean of all cores.", RATIO),
        number(
            "Device memory used",
            f"sum(neuron_device_memory_used_bytes{{{HOST}}}) / sum(neuron_device_memory_total_bytes{{{HOST}}})",
            "Of all devices. An allocation can fail earlier: it needs one free extent in one bank.",
            RATIO,
        ),
        number("Busiest core", f"max(neuron_core_utilization_ratio{{{HOST}}})", "Its utilization.", RATIO),
        Panel(
            "What it is",
            TABLE,
            (Query(f"instance_info{{{HOST}}} * on (instance) group_left (origin, scenario) neuron_source_info"),),
            "Instance type and place, and where the numbers come from; a model is no real host.",
            width=24,
            height=5,
        ),
    ),
)

_CORES = Row(
    "Cores",
    (
        _graph(
            "Utilization",
            f"neuron_core_utilization_ratio{{{HOST}}}",
            _CORE,
            "Time in execution; waiting for peers counts as busy.",
            RATIO,
        ),
        _graph(
            "In collectives",
            f"neuron_core_collectives_ratio{{{HOST}}}",
            _CORE,
            "Much of it on all cores but one points to that one as the straggler.",
            RATIO,
        ),
        _graph(
            "Engine activity",
            f"avg by (engine) (neuron_core_engine_ratio{{{HOST}}})",
            "{{engine}}",
            "Mean of all cores. Busy cores with an idle tensor engine wait for memory or for each other.",
            RATIO,
        ),
        _graph("Compute", f"rate(neuron_core_flops_total{{{HOST}}}{RATE})", _CORE, "FLOP/s of each core.", FLOPS),
        _graph(
            "Executions",
            f"rate(neuron_core_executions_total{{{HOST}}}{RATE})",
            _CORE,
            "None while the core is busy: it hangs, or its executions are very long.",
            PER_SECOND,
        ),
        _graph(
            "Time busy",
            f"sum by (neuron_device) (rate(neuron_core_busy_seconds_total{{{HOST}}}{RATE}))",
            _DEVICE,
            "Cores kept busy by device.",
            "short",
        ),
        _graph(
            "HBM read",
            f"sum by (neuron_device) (rate(neuron_core_hbm_read_bytes_total{{{HOST}}}{RATE}))",
            _DEVICE,
            "Decoding of language models is bound by it.",
            BYTES_PER_SECOND,
        ),
        _graph(
            "HBM written",
            f"sum by (neuron_device) (rate(neuron_core_hbm_written_bytes_total{{{HOST}}}{RATE}))",
            _DEVICE,
            "Usually far below what is read.",
            BYTES_PER_SECOND,
        ),
    ),
)

_MEMORY = Row(
    "Device memory",
    (
        _stack(
            "By category",
            f"sum by (category) (neuron_core_memory_bytes{{{HOST}}})",
            "{{category}}",
            "Of all cores. tensors grow with a leak, constants are weights.",
        ),
        Panel(
            "Used by device",
            BARS,
            (Query(f"neuron_device_memory_used_bytes{{{HOST}}} / neuron_device_memory_total_bytes", _DEVICE),),
            "Of what the device has.",
            RATIO,
        ),
        _graph(
            "High-water mark of cores",
            f"neuron_core_memory_peak_bytes{{{HOST}}}",
            _CORE,
            "The most that was in use at once.",
            BYTES,
        ),
        _graph(
            "Largest free extent",
            f"neuron_bank_largest_free_bytes{{{HOST}}}",
            f"{_DEVICE} bank {{{{bank}}}}",
            "The largest allocation that a bank can still serve.",
            BYTES,
        ),
        _graph(
            "Bank in use",
            f"neuron_bank_used_bytes{{{HOST}}} / neuron_bank_total_bytes",
            f"{_DEVICE} bank {{{{bank}}}}",
            "Of each memory bank.",
            RATIO,
        ),
        _graph(
            "Fragmentation",
            f"neuron_bank_fragmentation_ratio{{{HOST}}}",
            f"{_DEVICE} bank {{{{bank}}}}",
            "Part of the free memory that lies outside the largest free extent.",
            RATIO,
        ),
    ),
)

_LINKS = Row(
    "Links and power",
    (
        _graph(
            "Link traffic",
            f"rate(neuron_link_transmitted_bytes_total{{{HOST}}}{RATE})",
            "{{neuron_device}} → {{peer}}",
            "Bytes that each device sends to each neighbour.",
            BYTES_PER_SECOND,
        ),
        _graph(
            "Busiest link of each device",
            f"max by (neuron_device) (rate(neuron_link_received_bytes_total{{{HOST}}}{RATE})"
            " / on (instance, neuron_device, peer) neuron_link_capacity_bytes_per_second)",
            _DEVICE,
            "What it receives, of the link's capacity.",
            RATIO,
        ),
        Panel(
            "Links up",
            STATES,
            (Query(f"min by (neuron_device) (neuron_link_up{{{HOST}}})", _DEVICE),),
            "0 while any link of the device is down.",
        ),
        _graph(
            "Power",
            f"neuron_device_power_avg_ratio{{{HOST}}}",
            _DEVICE,
            "Mean of the last full minute, of the device's maximum, idle power backed out.",
            RATIO,
        ),
        Panel(
            "Power, lowest and highest",
            GRAPH,
            (
                Query(f"min(neuron_device_power_min_ratio{{{HOST}}})", "lowest"),
                Query(f"max(neuron_device_power_max_ratio{{{HOST}}})", "highest"),
            ),
            "Of all devices in the last full minute. Near 100 % alone does not prove throttling.",
            RATIO,
        ),
    ),
)

_PROCESSES = Row(
    "Processes",
    (
        _stack(
            "Device memory",
            f'neuron_runtime_memory_used_bytes{{{HOST},memory_location="neuron_device"}}',
            _TAG,
            "Growth after loading is a leak, or a cache that fills.",
        ),
        _stack(
            "Host memory of the runtime",
            f"sum by (runtime_tag) (neuron_process_host_memory_bytes{{{HOST}}})",
            _TAG,
            "What the runtime holds for each process.",
        ),
        _stack("Resident memory", f"neuron_process_resident_bytes{{{HOST}}}", _TAG, "With the application's own."),
        _graph(
            "vCPUs",
            f"rate(neuron_process_vcpu_user_seconds_total{{{HOST}}}{RATE})"
            f" + rate(neuron_process_vcpu_system_seconds_total{{{HOST}}}{RATE})",
            _TAG,
            "vCPUs that each process keeps busy.",
            "short",
        ),
        _graph(
            "Utilization by process",
            f"avg by (runtime_tag) (neuroncore_utilization_ratio{{{HOST}}})",
            _TAG,
            "Mean of the cores that it holds.",
            RATIO,
        ),
        _graph(
            "Executions completed",
            f'rate(execution_status_total{{{HOST},status_type="completed"}}{RATE})',
            _TAG,
            "By process.",
            PER_SECOND,
        ),
    ),
)

_COMPUTER = Row(
    "The computer around them",
    (
        _graph("vCPUs", f"system_vcpu_usage_ratio{{{HOST}}}", "{{usage_type}}", "Of all vCPUs.", RATIO),
        Panel(
            "Memory",
            GRAPH,
            (
                Query(f"system_memory_used_bytes{{{HOST}}}", "used"),
                Query(f"system_memory_total_bytes{{{HOST}}}", "total"),
            ),
            "Of the instance.",
            BYTES,
        ),
        _graph(
            "Context switches",
            f"rate(neuron_host_context_switches_total{{{HOST}}}{RATE})",
            "switches",
            "Of the whole host.",
            PER_SECOND,
        ),
    ),
)

NODE = Board(
    "neuron-node",
    "Neuron: node",
    "One host with Neuron devices in full.",
    (_OVERVIEW, _CORES, _MEMORY, _LINKS, _PROCESSES, _COMPUTER),
    many=False,
)
