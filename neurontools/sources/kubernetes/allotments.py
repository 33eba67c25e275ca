"""What the kubelet's list of containers says of Neuron devices, device plugin and DRA alike."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from neurontools.schema.owners import Owner, Owners

DEVICE, CORE = "device", "core"

RESOURCES = {
    "aws.amazon.com/neuron": DEVICE,
    "aws.amazon.com/neurondevice": DEVICE,
    "aws.amazon.com/neuroncore": CORE,
}
"""What the Neuron device plugin offers; its ids are indices. A core's is taken for the logical one, which monitors
that join by it do too (assumed: no published list of a node with two physical cores in a logical one)."""

DRA_DRIVER = "neuron.aws.com"
"""Neuron's driver for dynamic resource allocation; a device is called neurondevice0, neurondevice1 and so on."""

_INDEX = re.compile(r"[0-9]{1,4}")
_DRA_DEVICE = re.compile(r"neuron_?device-?([0-9]{1,4})")
_CDI_DEVICE = re.compile(r"[^=]*\bneuron\b[^=]*=(?:.*-)?neuron_?device-?([0-9]{1,4})")
"""The name by which a container runtime knows a device: all that kubelets before 1.34 say of a claim."""


def owners_of(response: Any, cores_per_device: int) -> Owners:
    """Who was given what, of a ListPodResourcesResponse. What is given to two containers belongs to neither."""
    found: dict[tuple[str, int], set[Owner]] = {}
    for pod in response.pod_resources:
        for container in pod.containers:
            owner = Owner(pod.namespace, pod.name, container.name)
            for part in _parts(container):
                found.setdefault(part, set()).add(owner)
    sole = {part: next(iter(owners)) for part, owners in found.items() if len(owners) == 1}
    return Owners(
        cores_per_device,
        {index: owner for (kind, index), owner in sole.items() if kind == DEVICE},
        {index: owner for (kind, index), owner in sole.items() if kind == CORE},
        tuple(sorted(f"{kind} {index}" for (kind, index), owners in found.items() if len(owners) > 1)),
    )


def _parts(container: Any) -> Iterator[tuple[str, int]]:
    for devices in container.devices:
        kind = RESOURCES.get(devices.resource_name)
        if kind is not None:
            yield from ((kind, int(text)) for text in devices.device_ids if _INDEX.fullmatch(text))
    for dynamic in container.dynamic_resources:
        for claimed in dynamic.claim_resources:
            yield from ((DEVICE, index) for index in _claimed(claimed))


def _claimed(claimed: Any) -> Iterator[int]:
    if claimed.driver_name == DRA_DRIVER:
        named = _DRA_DEVICE.fullmatch(claimed.device_name)
        if named is not None:
            yield int(named[1])
    elif not claimed.driver_name:
        names = (_CDI_DEVICE.fullmatch(device.name) for device in claimed.cdi_devices)
        yield from {int(named[1]) for named in names if named is not None}
