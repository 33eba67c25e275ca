"""What is wrong with hosts, or will be: alerts, memory errors, failed executions, resets, hangs."""

from dashboards.boards.board import GRAPH, HOST, RATE, RATIO, STATES, TABLE, Board, Panel, Query, Row

_DEVICE = "{{instance}} device {{neuron_device}}"
_CORE = "{{instance}} core {{neuroncore}}"

HEALTH = Board(
    "neuron-health",
    "Neuron: health",
    "What is wrong with hosts, or will be. An empty panel that says so is a good one.",
    (
        Row(
            "Alerts",
            (
                Panel(
                    "Alerts",
                    TABLE,
                    (Query(f'ALERTS{{alertname=~"Neuron.+",{HOST}}}', in_trouble=True),),
                    "Pending and firing, by the rules in dashboards/prometheus; docs/alerts.md says what to do. "
                    "Empty when nothing is wrong.",
                    width=24,
                    height=7,
                ),
            ),
        ),
        Row(
            "Findings",
            (
                Panel(
                    "Degraded, or to be replaced",
                    TABLE,
                    (Query(f"neuron_finding{{{HOST}}} >= 2", in_trouble=True),),
                    "What neuron-doctor's rules find to be so bad that a host should get no new work; neuron-doctor on "
                    "the host has evidence and advice. Empty when nothing is wrong.",
                    width=12,
                ),
                Panel(
                    "Rules that could look",
                    TABLE,
                    (Query(f"neuron_rule_checked{{{HOST}}} == 1"),),
                    "Of a rule that is not here nothing can be found on that host, and nothing says that it is well.",
                    width=12,
                ),
            ),
        ),
        Row(
            "Source and devices",
            (
                Panel(
                    "Can be read",
                    STATES,
                    (Query(f"neuron_source_up{{{HOST}}}", "{{instance}}"),),
                    "0: the exporter could read nothing for its --max-age.",
                ),
                Panel(
                    "Devices",
                    GRAPH,
                    (
                        Query(f"neuron_node_devices{{{HOST}}}", "{{instance}} there"),
                        Query(f"neuron_node_devices_expected{{{HOST}}}", "{{instance}} of this type"),
                    ),
                    "What the host shows, and what an instance of its type has.",
                ),
                Panel(
                    "Health files",
                    GRAPH,
                    (
                        Query(
                            f'neuron_device_health{{{HOST},item!="healthcheck_heartbeat"}}', f"{_DEVICE} {{{{item}}}}"
                        ),
                    ),
                    "Above 0 an error was seen.",
                ),
            ),
        ),
        Row(
            "Memory errors",
            (
                Panel(
                    "Not corrected",
                    GRAPH,
                    (
                        Query(
                            f'neuron_device_ecc_total{{{HOST},event=~".*uncorrected"}}',
                            f"{_DEVICE} {{{{event}}}}",
                        ),
                    ),
                    "Since the driver was loaded; any is serious.",
                ),
                Panel(
                    "Corrected in an hour",
                    GRAPH,
                    (
                        Query(
                            f'increase(neuron_device_ecc_total{{{HOST},event=~"(mem|sram)_ecc_corrected"}}[1h])',
                            f"{_DEVICE} {{{{event}}}}",
                        ),
                    ),
                    "More and more of them announce worse.",
                ),
                Panel(
                    "As neuron-monitor counts them",
                    GRAPH,
                    (Query(f"hardware_ecc_events_total{{{HOST}}}", "device {{neuron_device_index}} {{event_type}}"),),
                    "The four counts of AWS's script.",
                ),
            ),
        ),
        Row(
            "Executions",
            (
                Panel(
                    "Failed, by the driver's status",
                    GRAPH,
                    (
                        Query(
                            "sum by (instance, status)"
                            f' (increase(neuron_core_status_total{{{HOST},status!="success"}}{RATE}))',
                            "{{instance}} {{status}}",
                        ),
                    ),
                    "timeout and hw_collectives_error: a hang; resource_error: out of memory; hw_…: hardware.",
                ),
                Panel(
                    "Failed, by process",
                    GRAPH,
                    (
                        Query(
                            "sum by (runtime_tag, status_type)"
                            f' (increase(execution_status_total{{{HOST},status_type!="completed"}}{RATE}))',
                            "{{runtime_tag}} {{status_type}}",
                        ),
                    ),
                    "Outcomes other than completed.",
                ),
                Panel(
                    "Errors by kind",
                    GRAPH,
                    (
                        Query(
                            f"sum by (runtime_tag, error_type) (increase(execution_errors_total{{{HOST}}}{RATE}))",
                            "{{runtime_tag}} {{error_type}}",
                        ),
                    ),
                    "As neuron-monitor tells them apart.",
                ),
            ),
        ),
        Row(
            "Hangs, stragglers, resets",
            (
                Panel(
                    "Busy and nothing completed",
                    TABLE,
                    (
                        Query(
                            f"neuron_core_utilization_ratio{{{HOST}}} > 0.95"
                            f" and increase(neuron_core_executions_total{{{HOST}}}{RATE}) == 0",
                            in_trouble=True,
                        ),
                    ),
                    "Cores that hang or wait for one that does. Empty when nothing is wrong.",
                ),
                Panel(
                    "Spread of time in collectives",
                    GRAPH,
                    (
                        Query(
                            f"max by (instance) (neuron_core_collectives_ratio{{{HOST}}})"
                            f" - min by (instance) (neuron_core_collectives_ratio{{{HOST}}} > 0)",
                            "{{instance}}",
                        ),
                    ),
                    "Between the cores that wait most and least: a straggler waits for nobody.",
                    RATIO,
                ),
                Panel(
                    "Resets",
                    GRAPH,
                    (
                        Query(
                            f'increase(neuron_core_driver_counts_total{{{HOST},counter=~"reset_.*"}}[1h])',
                            f"{_CORE} {{{{counter}}}}",
                        ),
                    ),
                    "One request at boot is normal, a failed one never is.",
                ),
            ),
        ),
    ),
)
