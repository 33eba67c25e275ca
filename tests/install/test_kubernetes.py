"""The manifests for Kubernetes: valid on every version that is supported, unprivileged, and true to the program."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from neurontools.commands import monitor_prometheus, multi
from neurontools.commands.flags import parse
from neurontools.hardware.instances import INSTANCES
from neurontools.sources.kubernetes import DEFAULT_SOCKET
from tests.conftest import ROOT

MANIFESTS = ROOT / "install" / "kubernetes"
DOCUMENTS: list[dict[str, Any]] = list(yaml.safe_load_all((MANIFESTS / "daemonset.yaml").read_text()))
MONITOR: dict[str, Any] = yaml.safe_load((MANIFESTS / "servicemonitor.yaml").read_text())
VERSIONS = ("1.28", "1.34", "1.37")


def of_kind(kind: str) -> dict[str, Any]:
    (found,) = [document for document in DOCUMENTS if document["kind"] == kind]
    return found


POD: dict[str, Any] = of_kind("DaemonSet")["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document["kind"])
def test_they_are_valid(document: dict[str, Any], version: str) -> None:
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        pytest.fail(str(error))
    assert document["metadata"]["name"]


def test_a_key_that_does_not_exist_would_be_found() -> None:
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(of_kind("Service") | {"spce": {}}, VERSIONS[-1], strict=True)


def test_nothing_is_privileged() -> None:
    context = CONTAINER["securityContext"]
    assert context["capabilities"] == {"drop": ["ALL"]} and context["readOnlyRootFilesystem"]
    assert not context["allowPrivilegeEscalation"] and "privileged" not in context
    assert not {"hostPID", "hostNetwork", "hostIPC"} & POD.keys() and not POD["automountServiceAccountToken"]
    (mount,), (volume,) = CONTAINER["volumeMounts"], POD["volumes"]
    assert mount["readOnly"] and mount["mountPath"] == volume["hostPath"]["path"] == str(Path(DEFAULT_SOCKET).parent)


def test_its_command_is_one_that_there_is() -> None:
    tool, *words = CONTAINER["args"]
    assert tool in multi._COMMANDS and multi._COMMANDS[tool][0].endswith("monitor_prometheus")
    given = parse(monitor_prometheus._FLAGS, words)
    port = CONTAINER["ports"][0]["containerPort"]
    assert given == {"listen": f"0.0.0.0:{port}", "kubernetes": ""}
    assert of_kind("Service")["spec"]["ports"][0]["port"] == port
    probes = {CONTAINER[f"{probe}Probe"]["httpGet"]["path"] for probe in ("liveness", "readiness")}
    assert probes == {"/-/healthy", "/-/ready"}


def test_it_runs_on_every_instance_type() -> None:
    affinity = POD["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    (term,) = affinity["nodeSelectorTerms"]
    assert term["matchExpressions"][0]["values"] == list(INSTANCES)


def test_the_labels_lead_from_one_to_the_other() -> None:
    labels = of_kind("DaemonSet")["spec"]["template"]["metadata"]["labels"].items()
    selector = of_kind("DaemonSet")["spec"]["selector"]["matchLabels"]
    assert selector.items() <= labels and of_kind("Service")["spec"]["selector"].items() <= labels
    assert MONITOR["spec"]["selector"]["matchLabels"].items() <= of_kind("Service")["metadata"]["labels"].items()
    (endpoint,) = MONITOR["spec"]["endpoints"]
    assert endpoint["port"] == of_kind("Service")["spec"]["ports"][0]["name"]


@pytest.mark.slow
def test_prometheus_takes_the_relabelling(tmp_path: Path) -> None:
    """The operator turns an endpoint into a scrape configuration word for word, in snake case."""
    (endpoint,) = MONITOR["spec"]["endpoints"]
    rules = [
        {re.sub("([A-Z])", r"_\1", key).lower(): value for key, value in rule.items()}
        for rule in endpoint["relabelings"]
    ]
    scrape = {"job_name": "neuron", "honor_labels": endpoint["honorLabels"], "scrape_interval": endpoint["interval"]}
    config = tmp_path / "prometheus.yml"
    config.write_text(yaml.safe_dump({"scrape_configs": [scrape | {"relabel_configs": rules}]}))
    checked = subprocess.run(["promtool", "check", "config", config], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_the_kustomization_names_the_files_and_the_image() -> None:
    found = yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text())
    assert all((MANIFESTS / name).is_file() for name in found["resources"])
    assert [image["name"] for image in found["images"]] == [CONTAINER["image"]]
