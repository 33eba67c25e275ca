"""The messages of the kubelet's pod-resources API, version v1, as far as they are read.

Source: k8s.io/kubelet/pkg/apis/podresources/v1/api.proto. Fields that are not named here are skipped by protobuf.
"""

from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

PACKAGE = "v1"
LIST = f"/{PACKAGE}.PodResourcesLister/List"

_STRING = "string"

_MESSAGES: dict[str, tuple[tuple[int, str, str, bool], ...]] = {
    # Number, name, type, and whether there may be several.
    "ListPodResourcesRequest": (),
    "ListPodResourcesResponse": ((1, "pod_resources", "PodResources", True),),
    "PodResources": (
        (1, "name", _STRING, False),
        (2, "namespace", _STRING, False),
        (3, "containers", "ContainerResources", True),
    ),
    "ContainerResources": (
        (1, "name", _STRING, False),
        (2, "devices", "ContainerDevices", True),
        (5, "dynamic_resources", "DynamicResource", True),
    ),
    "ContainerDevices": ((1, "resource_name", _STRING, False), (2, "device_ids", _STRING, True)),
    "DynamicResource": ((4, "claim_resources", "ClaimResource", True),),
    "ClaimResource": (
        (1, "cdi_devices", "CDIDevice", True),
        (2, "driver_name", _STRING, False),
        (4, "device_name", _STRING, False),
    ),
    "CDIDevice": ((1, "name", _STRING, False),),
}


def _message_class(name: str) -> Any:
    file = FileDescriptorProto(name="neurontools/podresources.proto", package=PACKAGE, syntax="proto3")
    for message, fields in _MESSAGES.items():
        described = file.message_type.add(name=message)
        for number, field, kind, several in fields:
            is_text = kind == _STRING
            described.field.add(
                name=field,
                number=number,
                type=FieldDescriptorProto.TYPE_STRING if is_text else FieldDescriptorProto.TYPE_MESSAGE,
                type_name=None if is_text else f".{PACKAGE}.{kind}",
                label=FieldDescriptorProto.LABEL_REPEATED if several else FieldDescriptorProto.LABEL_OPTIONAL,
            )
    # A pool of its own: another program's messages of this name in the same process are no conflict.
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))


def encoded_request() -> bytes:
    """The request for all pods of the node."""
    return bytes(_message_class("ListPodResourcesRequest")().SerializeToString())


_RESPONSE = _message_class("ListPodResourcesResponse")


def decoded_response(data: bytes) -> Any:
    """The answer as a message. Raises google.protobuf.message.DecodeError."""
    return _RESPONSE.FromString(data)
