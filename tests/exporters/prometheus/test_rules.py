"""Which families a rules file asks for, and what is wrong with one that cannot be read."""

import pytest

from neurontools.exporters.prometheus import FAMILIES
from neurontools.exporters.prometheus.rules import RulesError, expressions, named

RULES = """
groups:
  - name: neuron
    rules:
      - alert: EccGrowth
        expr: increase(hardware_ecc_events_total{event_type="mem_ecc_corrected"}[5m]) > 10
      - record: node:utilization
        expr: |
          avg(neuron_core_utilization_ratio)
            / scalar(up)
      - alert: Slow
        expr: histogram_quantile(0.99, sum by (le) (rate(neuron_process_latency_seconds_bucket[5m]))) > 1
      - alert: Always
        expr: 1
"""


def names(text: str) -> list[str]:
    """What a rules file asks for; beside it there is always the mark of where the readings come from."""
    found = [family.name for family in named(FAMILIES, expressions(text))]
    assert ("neuron_source" in found) is bool(found)
    return [name for name in found if name != "neuron_source"]


def one_rule(expression: str) -> str:
    return f"groups: [{{rules: [{{expr: '{expression}'}}]}}]"


def test_the_families_that_are_named() -> None:
    assert names(RULES) == ["hardware_ecc_events", "neuron_core_utilization_ratio", "neuron_process_latency_seconds"]


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("neuron_core_flops", []),
        ("neuron_core_flops_total", ["neuron_core_flops"]),
        ("instance_info * 0", ["instance"]),
        ("neuron_process_latency_seconds_count > 0", ["neuron_process_latency_seconds"]),
        ('{__name__="execution_errors_total"}', ["execution_errors"]),
        ('{__name__=~"execution_(errors|status)_total"}', ["execution_errors", "execution_status"]),
        ('{__name__=~"system_swap.+"}', ["system_swap_total_bytes", "system_swap_used_bytes"]),
    ],
)
def test_what_an_expression_names(expression: str, found: list[str]) -> None:
    assert names(one_rule(expression)) == found


def test_a_pattern_of_another_dialect_takes_everything() -> None:
    assert named(FAMILIES, ['{__name__=~"\\\\pN(("}']) == list(FAMILIES)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no rule with an expression in it"),
        ("[]", "no rule with an expression in it"),
        ("groups: 7", "no rule with an expression in it"),
        ("groups: [{rules: [{alert: x}]}]", "no rule with an expression in it"),
        ("groups: [\n  {", "line 2: not YAML: "),
        ("a: b: c", "line 1: not YAML: "),
        ("!!python/object:os.system {}", "line 1: not YAML: "),
        ("\0", "not YAML: "),
    ],
)
def test_what_is_no_rules_file_is_refused(text: str, reason: str) -> None:
    with pytest.raises(RulesError, match=reason):
        expressions(text)
