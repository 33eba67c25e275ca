"""The instance metadata service: asked by its second version, within a second, and never missed by anybody."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurontools.schema.inventory import Inventory
from neurontools.sources.sysfs import inventories, metadata
from neurontools.sources.sysfs.files import Root
from neurontools.sources.sysfs.metadata import Metadata, MetadataError, ask
from neurontools.sources.sysfs.options import options_of
from neurontools.sources.sysfs.source import SysfsSource
from tests.sources.trees import INSTANCE_ID, Tree

TOKEN = "AQAEAL-token=="
DOCUMENT = {
    "instanceId": "i-0fedcba9876543210",
    "instanceType": "trn2.3xlarge",
    "region": "us-east-1",
    "availabilityZone": "us-east-1a",
    "imageId": "ami-0abcdef1234567890",
    "accountId": "123456789012",
}
PAGES = {
    "/latest/dynamic/instance-identity/document": json.dumps(DOCUMENT),
    "/latest/meta-data/placement/availability-zone-id": "use1-az4",
    "/latest/meta-data/tags/instance/Name": "training-7\n",
    "/latest/meta-data/mac": "0e:11:22:33:44:55",
    "/latest/meta-data/network/interfaces/macs/0e:11:22:33:44:55/subnet-id": "subnet-0123",
}
WHOLE = Metadata(
    "i-0fedcba9876543210",
    "trn2.3xlarge",
    "training-7",
    "us-east-1",
    "us-east-1a",
    "use1-az4",
    "ami-0abcdef1234567890",
    "subnet-0123",
)


def answer(request: bytes, pages: dict[str, str]) -> bytes:
    """What the service says: a token to who asks for one, a page to who has it, and 401 to all others."""
    lines = request.decode().split("\r\n")
    method, path, _ = lines[0].split(" ")
    headers = {name.lower(): value for line in lines[1:] if ": " in line for name, value in [line.split(": ", 1)]}
    if method == "PUT" and path == "/latest/api/token":
        return said(200, TOKEN) if headers.get("x-aws-ec2-metadata-token-ttl-seconds", "").isdigit() else said(400, "")
    if method != "GET" or headers.get("x-aws-ec2-metadata-token") != TOKEN:
        return said(401, "")
    return said(200, pages[path]) if path in pages else said(404, "<html>not found</html>")


def said(status: int, body: str) -> bytes:
    return f"HTTP/1.1 {status} Word\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The service's pages, which a test may change; no connection is made."""
    pages = dict(PAGES)
    monkeypatch.setattr(metadata._Service, "_talk", lambda self, request: answer(request, pages))
    return pages


def test_everything_that_the_service_knows(pages: dict[str, str]) -> None:
    assert ask() == WHOLE


@pytest.mark.parametrize(
    ("missing", "field"),
    [("tags/instance/Name", "name"), ("placement/availability-zone-id", "availability_zone_id"), ("mac", "subnet_id")],
)
def test_what_it_does_not_know_is_empty(missing: str, field: str, pages: dict[str, str]) -> None:
    del pages[f"/latest/meta-data/{missing}"]
    assert ask() == WHOLE._replace(**{field: ""})


@pytest.mark.parametrize("document", ["", "[]", "{", '{"instanceId": 5}', "null"])
def test_a_document_that_is_none(document: str, pages: dict[str, str]) -> None:
    pages["/latest/dynamic/instance-identity/document"] = document
    if document.startswith('{"'):
        assert ask().instance_id == ""
        return
    with pytest.raises(MetadataError, match="not understood"):
        ask()


@given(st.binary(max_size=200))
def test_no_answer_is_too_strange(held: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metadata._Service, "_talk", lambda self, request: held)
        try:
            ask()
        except MetadataError as error:
            assert str(error).isprintable()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TimeoutError(), "does not answer (hop limit?)"),
        (ConnectionRefusedError(111, "Connection refused"), "cannot be reached: connection refused"),
        (OSError(101, "Network is unreachable"), "cannot be reached: network is unreachable"),
    ],
)
def test_a_service_that_is_not_there(error: OSError, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: object, request: bytes) -> bytes:
        raise error

    monkeypatch.setattr(metadata._Service, "_talk", fail)
    with pytest.raises(MetadataError) as caught:
        ask()
    assert str(caught.value) == f"the instance metadata service {reason}"


def test_a_service_that_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata._Service, "_talk", lambda self, request: said(403, ""))
    with pytest.raises(MetadataError, match="answers 403"):
        ask()


def inventory_of(tree: Tree, monkeypatch: pytest.MonkeyPatch, place: bool = True, **environ: str) -> Inventory:
    """The inventory of a tree that is taken for this machine."""
    monkeypatch.setattr(Root, "is_this_machine", property(lambda self: True))
    return SysfsSource(str(tree.root), options_of(environ, place)).inventory()


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path, "trn2.3xlarge", counters=False)


def test_name_region_and_zone_are_asked_for(tree: Tree, pages: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    inventory = inventory_of(tree, monkeypatch)
    assert inventory.instance_id == INSTANCE_ID
    assert (inventory.instance_name, inventory.region) == ("training-7", "us-east-1")
    assert (inventory.availability_zone, inventory.availability_zone_id) == ("us-east-1a", "use1-az4")
    assert (inventory.ami_id, inventory.subnet_id) == ("ami-0abcdef1234567890", "subnet-0123")


def test_a_service_that_fails_leaves_the_rest_right(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata._Service, "_talk", lambda self, request: said(403, ""))
    inventory = inventory_of(tree, monkeypatch)
    assert (inventory.instance_id, inventory.region, len(inventory.devices)) == (INSTANCE_ID, "", 1)
    assert dict(inventory.gaps)["instance_info"] == "the instance metadata service answers 403"


@pytest.mark.parametrize(
    ("place", "environ", "asked"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NEURONTOOLS_NO_IMDS": "1"}, False),
        (True, {"NEURONTOOLS_NO_IMDS": "0"}, True),
    ],
)
def test_nobody_asks_for_what_nobody_looks_at(
    place: bool, environ: dict[str, str], asked: bool, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = []

    def asking() -> Metadata:
        questions.append("asked")
        return WHOLE

    monkeypatch.setattr(inventories, "ask", asking)
    inventory_of(tree, monkeypatch, place, **environ)
    assert questions == ["asked"] * asked


def test_where_dmi_says_nothing_the_service_is_asked_for_the_id(
    tree: Tree, pages: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.write("sys/class/dmi/id/board_asset_tag", "\n")
    assert inventory_of(tree, monkeypatch, place=False).instance_id == DOCUMENT["instanceId"]


def test_a_simulated_host_asks_nobody(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.mark(scenario="made")
    inventory = inventory_of(tree, monkeypatch)
    assert (inventory.instance_name, inventory.region, inventory.availability_zone) == (
        "simulated:made",
        "simulated",
        "simulated",
    )
    assert (inventory.simulated, inventory.scenario) == (True, "made")


@contextmanager
def serving(delay_s: float = 0.0, speaks: bool = True) -> Iterator[tuple[str, int]]:
    """A local service that speaks the protocol over TCP, after a delay, or takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    request = connection.recv(65536)
                    time.sleep(delay_s)
                    if speaks and request:
                        connection.sendall(answer(request, PAGES))
                    elif not speaks:
                        connection.recv(1)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        host, port = listener.getsockname()
        try:
            yield host, port
        finally:
            listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@pytest.mark.slow
def test_a_local_service_over_tcp() -> None:
    with serving() as endpoint:
        assert ask(endpoint, timeout_s=10) == WHOLE


@pytest.mark.slow
@pytest.mark.parametrize(("delay_s", "speaks"), [(0.0, False), (0.4, True)])
def test_all_questions_together_take_a_second_at_most(delay_s: float, speaks: bool) -> None:
    with serving(delay_s, speaks) as endpoint:
        began = time.monotonic()
        try:
            found = ask(endpoint)
        except MetadataError as error:
            assert "does not answer" in str(error)
        else:
            assert found.subnet_id == ""
        # One after the other, each with its own time to wait, they would take far longer.
        assert time.monotonic() - began < 3
