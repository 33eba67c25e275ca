"""What only EC2's instance metadata service knows: asked by its version 2, within one second in all.

Speaks the little HTTP that this needs by itself: the libraries for it would cost neuron-ls more than all the rest.
"""

import json
from _socket import AF_INET, SOCK_STREAM, socket
from time import monotonic
from typing import Any, NamedTuple

ENDPOINT = ("169.254.169.254", 80)
TIMEOUT_S = 1.0
"""For all questions together: where packets to the service are dropped, nobody should wait for longer."""

_TOKEN_PATH = "/latest/api/token"
_DOCUMENT_PATH = "/latest/dynamic/instance-identity/document"
_ZONE_ID_PATH = "/latest/meta-data/placement/availability-zone-id"
_NAME_PATH = "/latest/meta-data/tags/instance/Name"
_MAC_PATH = "/latest/meta-data/mac"
_SUBNET_PATH = "/latest/meta-data/network/interfaces/macs/{mac}/subnet-id"
_SPOT_PATH = "/latest/meta-data/spot/instance-action"
_SCHEDULED_PATH = "/latest/meta-data/events/maintenance/scheduled"
_REBALANCE_PATH = "/latest/meta-data/events/recommendations/rebalance"
_LIFETIME = ("X-aws-ec2-metadata-token-ttl-seconds", "60")
_TOKEN = "X-aws-ec2-metadata-token"

_MOST_BYTES = 1 << 16
_OK = 200


class Metadata(NamedTuple):
    """The instance; what the service does not say is empty, such as the name where tags are not shown to it."""

    instance_id: str = ""
    instance_type: str = ""
    name: str = ""
    region: str = ""
    availability_zone: str = ""
    availability_zone_id: str = ""
    ami_id: str = ""
    subnet_id: str = ""


class MetadataError(Exception):
    """The service cannot be asked; the text says why."""


def ask(endpoint: tuple[str, int] = ENDPOINT, timeout_s: float = TIMEOUT_S) -> Metadata:
    """What the service says of this instance. Raises MetadataError."""
    service = _Service(endpoint, monotonic() + timeout_s)
    document = _object(service.get(_DOCUMENT_PATH))
    mac = service.try_get(_MAC_PATH)
    return Metadata(
        instance_id=_text(document.get("instanceId")),
        instance_type=_text(document.get("instanceType")),
        name=service.try_get(_NAME_PATH),
        region=_text(document.get("region")),
        availability_zone=_text(document.get("availabilityZone")),
        availability_zone_id=service.try_get(_ZONE_ID_PATH),
        ami_id=_text(document.get("imageId")),
        subnet_id=service.try_get(_SUBNET_PATH.format(mac=mac)) if mac else "",
    )


def notices(timeout_s: float = TIMEOUT_S, endpoint: tuple[str, int] = ENDPOINT) -> list[tuple[str, str, str]]:
    """What EC2 plans for this instance: (spot, scheduled or rebalance; its word for the action; when). Raises
    MetadataError where the service cannot be asked; that it knows of no such plan is an empty list."""
    service = _Service(endpoint, monotonic() + timeout_s)
    found = []
    spot = _parsed(service.try_get(_SPOT_PATH))
    if isinstance(spot, dict):
        found.append(("spot", _text(spot.get("action")), _text(spot.get("time"))))
    scheduled = _parsed(service.try_get(_SCHEDULED_PATH))
    # An event that is over is still listed for a while.
    events = [event for event in scheduled if isinstance(event, dict)] if isinstance(scheduled, list) else []
    found += [
        ("scheduled", _text(event.get("Code")), _text(event.get("NotBefore")))
        for event in events
        if event.get("State", "active") == "active"
    ]
    rebalance = _parsed(service.try_get(_REBALANCE_PATH))
    if isinstance(rebalance, dict):
        found.append(("rebalance", "", _text(rebalance.get("noticeTime"))))
    return found


class _Service:
    """The service at an address until a time of the monotonic clock."""

    def __init__(self, endpoint: tuple[str, int], deadline_s: float) -> None:
        self._endpoint = endpoint
        self._deadline_s = deadline_s
        self._token = self._exchange("PUT", _TOKEN_PATH, _LIFETIME).decode("ascii", "replace").strip()
        if not self._token or not self._token.isprintable():
            raise MetadataError("the instance metadata service gave no token")

    def get(self, path: str) -> bytes:
        return self._exchange("GET", path, (_TOKEN, self._token))

    def try_get(self, path: str) -> str:
        """A line of text; nothing where the service has none."""
        try:
            return self.get(path).decode("utf-8", "replace").strip()
        except MetadataError:
            return ""

    def _exchange(self, method: str, path: str, header: tuple[str, str]) -> bytes:
        host = self._endpoint[0]
        request = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{header[0]}: {header[1]}\r\nConnection: close\r\n"
        request += "Content-Length: 0\r\n\r\n" if method == "PUT" else "\r\n"
        try:
            answer = self._talk(request.encode("ascii", "replace"))
        except TimeoutError:
            raise MetadataError("the instance metadata service does not answer (hop limit?)") from None
        except OSError as error:
            reason = error.strerror or str(error)
            raise MetadataError(f"the instance metadata service cannot be reached: {reason.lower()}") from None
        return _body(answer)

    def _talk(self, request: bytes) -> bytes:
        connection = socket(AF_INET, SOCK_STREAM)
        try:
            self._hurry(connection)
            connection.connect(self._endpoint)
            self._hurry(connection)
            connection.sendall(request)
            held = b""
            while len(held) < _MOST_BYTES:
                self._hurry(connection)
                piece = connection.recv(_MOST_BYTES)
                if not piece:
                    break
                held += piece
            return held
        finally:
            connection.close()

    def _hurry(self, connection: socket) -> None:
        left_s = self._deadline_s - monotonic()
        if left_s <= 0:
            raise TimeoutError
        connection.settimeout(left_s)


def _body(answer: bytes) -> bytes:
    head, blank, body = answer.partition(b"\r\n\r\n")
    status = head.split(b"\r\n")[0].split(b" ")
    if not blank or len(status) < 2 or not status[0].startswith(b"HTTP/1.") or not status[1].isdigit():
        raise MetadataError("what answers in the instance metadata service's place does not speak HTTP")
    if int(status[1]) != _OK:
        raise MetadataError(f"the instance metadata service answers {int(status[1])}")
    return body


def _parsed(text: bytes | str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _object(text: bytes) -> dict[str, Any]:
    found = _parsed(text)
    if not isinstance(found, dict):
        raise MetadataError("the instance metadata service's identity document is not understood")
    return found


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
