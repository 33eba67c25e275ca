"""A kubelet that speaks the published protocol, and everything else that a socket can be."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from neurontools.schema.owners import Owner
from neurontools.schema.source import SourceError
from neurontools.sources.kubernetes.podresources import PodResources
from tests.sources.kubernetes.kubelets import CORE, DEVICE, OLD_DEVICE, Kubelet, container, kubelet, pods
from tests.sources.server import socket_path

CHAT, EVALUATION = Owner("serving", "chat-0", "server"), Owner("research", "evaluation", "main")


@pytest.fixture(scope="module")
def running() -> Iterator[Kubelet]:
    with kubelet() as started:
        yield started


def asked(found: Kubelet, timeout_s: float = 60.0) -> PodResources:
    return PodResources(found.socket, timeout_s)


def test_the_device_plugins_devices_and_cores(running: Kubelet) -> None:
    first = container("server", devices={CORE: ["2", "3", "4"], "nvidia.com/gpu": ["0"], DEVICE: ["5"]})
    running.say(pods((*CHAT[:2], first), (*EVALUATION[:2], container("main", devices={OLD_DEVICE: ["0", "x"]}))))
    found = asked(running).owners(2)
    assert found.devices == {5: CHAT, 0: EVALUATION}
    assert found.cores == dict.fromkeys((2, 3, 4), CHAT)
    # All of a device that is given away is one container's; of a core's whole device it is the device's.
    assert [found.of_device(device) for device in range(4)] == [EVALUATION, CHAT, CHAT, None]
    assert [found.of_core(core) for core in (0, 1, 4, 5, 10, 11)] == [EVALUATION, EVALUATION, CHAT, None, CHAT, CHAT]


def test_devices_by_dynamic_resource_allocation(running: Kubelet) -> None:
    claims = [
        {"driverName": "neuron.aws.com", "poolName": "node", "deviceName": "neurondevice3", "shareId": "s"},
        {"driverName": "gpu.nvidia.com", "poolName": "node", "deviceName": "neurondevice4"},
        {"driverName": "neuron.aws.com", "poolName": "node", "deviceName": "neuronnode"},
        {"cdiDevices": [{"name": "k8s.neuron.aws.com/device=claim-7-neurondevice6"}, {"name": "amd.com/gpu=1"}]},
    ]
    running.say(pods((*CHAT[:2], container("server", claims=claims))))
    found = asked(running).owners(4)
    assert found.devices == {3: CHAT, 6: CHAT} and not found.cores


def test_what_two_containers_are_said_to_hold_is_neithers(running: Kubelet) -> None:
    both = container("server", devices={DEVICE: ["1", "2"]})
    running.say(pods((*CHAT[:2], both), (*EVALUATION[:2], container("main", devices={DEVICE: ["2"]}))))
    found = asked(running).owners(2)
    assert (found.devices, found.disputed) == ({1: CHAT}, ("device 2",))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("slow", r"no answer in 0\.3 s"),
        ("unimplemented", "it does not know the pod-resources API v1"),
        ("vast", "longer than 16 MiB"),
        ("no JSON", "."),
    ],
)
def test_a_kubelet_that_does_not_tell(running: Kubelet, answer: str, words: str) -> None:
    running.say(answer)
    with pytest.raises(SourceError, match=words) as error:
        asked(running, 0.3 if answer == "slow" else 20.0).owners(2)
    assert running.socket in error.value.reason and "\n" not in error.value.reason


def test_it_comes_and_goes() -> None:
    with kubelet(pods((*CHAT[:2], container("server", devices={DEVICE: ["0"]})))) as first:
        client = asked(first)
        assert client.owners(2).devices == {0: CHAT}
        first.process.kill()
        first.process.wait()
        with pytest.raises(SourceError, match=re.escape(first.socket)):
            PodResources(first.socket, 0.2).owners(2)
    with pytest.raises(SourceError, match="no such file"):
        client.owners(2)


def test_what_is_no_kubelet(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for name, words in (("file", "it is no socket"), ("none", "no such file or directory")):
        with pytest.raises(SourceError, match=words) as error:
            PodResources(str(tmp_path / name)).owners(2)
        assert "mount" in error.value.hint
    with socket_path() as path, socket.socket(socket.AF_UNIX) as silent:
        silent.bind(path)
        silent.listen()
        with pytest.raises(SourceError, match=r"no answer in 0\.2 s"):
            PodResources(path, 0.2).owners(2)


@pytest.mark.skipif(os.geteuid() != 0, reason="root may do everything, and only root can become nobody")
def test_a_socket_of_root(running: Kubelet) -> None:
    os.chmod(running.socket, 0o600)
    client = asked(running)
    pid = os.fork()
    if not pid:
        os.setresuid(65534, 65534, 65534)
        try:
            client.owners(2)
        except SourceError as error:
            os._exit(0 if "permission denied" in error.reason else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
