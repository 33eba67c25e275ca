"""The configuration file: the nearest period holds, a real client's file works, every error names its key."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from neurontools.commands.monitor_config import ConfigError, RuntimeGroup, SystemGroup, parse_config, read_config
from neurontools.commands.monitor_plan import DEFAULT_PERIOD_NS, Plan, default_plan
from neurontools.exporters.report import RUNTIME_GROUPS, SYSTEM_GROUPS
from tests.conftest import Golden

SECOND_NS = 1_000_000_000
MS_NS = 1_000_000

CLIENT: dict[str, Any] = {
    "period": "1s",
    "neuron_runtimes": [
        {
            "tag_filter": ".*",
            "metrics": [
                {"type": "neuroncore_counters"},
                {"type": "memory_used"},
                {"type": "neuron_runtime_vcpu_usage"},
            ],
        }
    ],
    "system_metrics": [{"type": "vcpu_usage"}, {"type": "memory_info"}, {"type": "neuron_hw_counters"}],
}
"""What a widely used client writes."""

WRONG = (
    "{",
    "[]",
    '"1s"',
    '{"perod": "1s"}',
    '{"period": 1}',
    '{"period": "1"}',
    '{"period": "0s"}',
    '{"neuron_runtimes": {}}',
    '{"neuron_runtimes": [{"metric": []}]}',
    '{"neuron_runtimes": [{"tag_filter": "("}]}',
    '{"neuron_runtimes": [{"metrics": [{"typ": "memory_used"}]}]}',
    '{"neuron_runtimes": [{"metrics": [{"type": "memory_info"}]}]}',
    '{"neuron_runtimes": [{"metrics": [{"type": "memory_used"}, {"type": "memory_used", "period": "5"}]}]}',
    '{"system_metrics": [{}]}',
    '{"system_metrics": ["vcpu_usage"]}',
    '{"system_metrics": [{"type": "vcpu"}]}',
    '{"extended": 1}',
)


def plan(**document: Any) -> Plan:
    return parse_config(json.dumps(document), "monitor.json")


def test_a_real_clients_file_works() -> None:
    checked = plan(**CLIENT)
    assert checked.system == dict.fromkeys(SYSTEM_GROUPS, SECOND_NS)
    (runtimes,) = checked.runtimes
    assert runtimes.groups == dict.fromkeys(set(RUNTIME_GROUPS) - {"execution_stats"}, SECOND_NS)
    assert runtimes.takes("anything") and runtimes.takes("")


def test_the_nearest_period_holds() -> None:
    checked = plan(
        period="10s",
        neuron_runtimes=[
            {"period": "1m30s", "metrics": [{"type": "memory_used"}, {"type": "execution_stats", "period": "500ms"}]},
            {"metrics": [{"type": "memory_used"}]},
        ],
        system_metrics=[{"type": "vcpu_usage"}, {"type": "memory_info", "period": "1.0s"}],
    )
    first, second = checked.runtimes
    assert first.groups == {"memory_used": 90 * SECOND_NS, "execution_stats": 500 * MS_NS}
    assert second.groups == {"memory_used": 10 * SECOND_NS}
    assert checked.system == {"vcpu_usage": 10 * SECOND_NS, "memory_info": SECOND_NS}


def test_a_file_that_names_no_group_means_all() -> None:
    assert plan() == default_plan()
    assert plan(period="2s") == default_plan(2 * SECOND_NS)
    assert plan(extended=True) == default_plan()._replace(extended=True)
    assert plan(neuron_runtimes=[{}]).runtimes[0].groups == dict.fromkeys(RUNTIME_GROUPS, DEFAULT_PERIOD_NS)


def test_a_file_that_names_one_kind_means_that_alone() -> None:
    assert plan(system_metrics=[{"type": "memory_info"}]).runtimes == ()
    assert plan(neuron_runtimes=[]).system == {}


def test_the_tag_filter_is_searched_for() -> None:
    (runtimes,) = plan(neuron_runtimes=[{"tag_filter": "^prod-|batch"}]).runtimes
    assert [tag for tag in ("prod-1", "my-batch", "a-prod-", "") if runtimes.takes(tag)] == ["prod-1", "my-batch"]


def test_every_error_names_its_key(golden: Golden) -> None:
    said = []
    for text in WRONG:
        with pytest.raises(ConfigError) as caught:
            parse_config(text, "monitor.json")
        assert "\n" not in str(caught.value)
        said.append(f"{text}\n    {caught.value}\n")
    golden("neuron-monitor/config-errors.txt", "".join(said))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"{tmp_path}/none: No such file or directory")):
        read_config(f"{tmp_path}/none")
    (tmp_path / "binary").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_config(f"{tmp_path}/binary")
    (tmp_path / "good").write_text(json.dumps(CLIENT))
    assert read_config(f"{tmp_path}/good") == plan(**CLIENT)


def test_it_knows_every_group() -> None:
    assert set(RuntimeGroup.__args__) == set(RUNTIME_GROUPS)  # type: ignore[attr-defined]
    assert set(SystemGroup.__args__) == set(SYSTEM_GROUPS)  # type: ignore[attr-defined]
