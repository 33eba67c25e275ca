"""All hosts at once: which are there, what they do, and what is wrong with them."""

from dashboards.boards.board import (
    BYTES_PER_SECOND,
    FLOPS,
    GRAPH,
    HOST,
    PER_SECOND,
    RATIO,
    TABLE,
    Board,
    Panel,
    Query,
    Row,
    number,
)

_BY_HOST = "{{instance}}"


def _by_host(title: str, recording: str, about: str, unit: str) -> Panel:
    return Panel(title, GRAPH, (Query(f"{recording}{{{HOST}}}", _BY_HOST),), about, unit)


FLEET = Board(
    "neuron-fleet",
    "Neuron: fleet",
    "All hosts with Neuron devices: what they do, and which need somebody.",
    (
        Row(
            "Hosts",
            (
                number("Hosts", f"count(neuron_source_up{{{HOST}}})", "Hosts whose exporter answers."),
                number(
                    "Hosts that cannot be read",
                    f"count(neuron_source_up{{{HOST}}} == 0) or vector(0)",
                    "The exporter answers and could read nothing for its --max-age.",
                    bad_from=1,
                ),
                number("Devices", f"sum(neuron_node_devices{{{HOST}}})", "Neuron devices of all hosts."),
                number(
                    "Devices missing",
                    f"sum(neuron_node_devices_expected{{{HOST}}} - neuron_node_devices{{{HOST}}})",
                    "Devices that hosts of these types should have and do not show.",
                    bad_from=1,
                ),
                number(
                    "Cores busy",
                    f"avg(instance:neuron_core_utilization:avg{{{HOST}}})",
                    "Mean utilization of all NeuronCores of all hosts.",
                    RATIO,
                ),
                number(
                    "Alerts",
                    f'count(ALERTS{{alertname=~"Neuron.+",alertstate="firing",{HOST}}}) or vector(0)',
                    "Alerts that fire, by the rules in dashboards/prometheus.",
                    bad_from=1,
                ),
                Panel(
                    "What hosts are",
                    TABLE,
                    (Query(f"instance_info{{{HOST}}} * on (instance) group_left (origin) neuron_source_info"),),
                    "Type and place of each host, and where its numbers come from; a model is no real host.",
                    width=24,
                    height=7,
                ),
            ),
        ),
        Row(
            "Work",
            (
                _by_host("Utilization", "instance:neuron_core_utilization:avg", "Mean of a host's cores.", RATIO),
                _by_host("Compute", "instance:neuron_core_flops:rate5m", "Of all cores of a host.", FLOPS),
                _by_host("Executions", "instance:neuron_core_executions:rate5m", "Of all cores.", PER_SECOND),
                Panel(
                    "Tokens generated",
                    GRAPH,
                    (
                        Query(
                            "sum by (instance)"
                            f" (instance_runtime_tag:neuron_process_generated_tokens:rate5m{{{HOST}}})",
                            _BY_HOST,
                        ),
                    ),
                    "Of all model servers of a host that report them.",
                    PER_SECOND,
                ),
                _by_host(
                    "Device memory used",
                    "instance:neuron_device_memory_used:ratio",
                    "Neuron servers allocate when they load: nearly full is normal, growth after that is not.",
                    RATIO,
                ),
                _by_host("Power", "instance:neuron_device_power:avg", "Mean of a host's devices.", RATIO),
            ),
        ),
        Row(
            "Trouble",
            (
                _by_host("Execution errors", "instance:execution_errors:rate5m", "Of every kind.", PER_SECOND),
                Panel(
                    "Corrected memory errors",
                    GRAPH,
                    (
                        Query(
                            f"sum by (instance) (increase(neuron_device_ecc_total{{{HOST},"
                            'event=~"(mem|sram)_ecc_corrected"}[1h]))',
                            _BY_HOST,
                        ),
                    ),
                    "In an hour, of all devices of a host; more and more of them announce worse.",
                ),
                Panel(
                    "HBM traffic",
                    GRAPH,
                    (
                        Query(
                            f"sum by (instance) (rate(neuron_core_hbm_read_bytes_total{{{HOST}}}[5m])"
                            f" + rate(neuron_core_hbm_written_bytes_total{{{HOST}}}[5m]))",
                            _BY_HOST,
                        ),
                    ),
                    "Read and written by all cores of a host.",
                    BYTES_PER_SECOND,
                ),
            ),
        ),
    ),
)
