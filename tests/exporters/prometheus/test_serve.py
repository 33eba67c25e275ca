"""The server on a real port: paths, compression, users, TLS with renewed certificates, and clients that misbehave."""

from __future__ import annotations

import gzip
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path

import bcrypt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from neurontools.exporters.prometheus.page import Page
from neurontools.exporters.prometheus.serve import _REQUEST_S, CONTENT_TYPE, Server
from neurontools.exporters.prometheus.webconfig import Certificates, TlsServer, Users

pytestmark = pytest.mark.slow

TEXT = b"# HELP up Whether.\n# TYPE up gauge\nup 1\n" * 100
HASH = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
BASIC = {"Authorization": "Basic YWxpY2U6c2VjcmV0"}
SOON_S = 60


@contextmanager
def serving(users: dict[str, str] | None = None, certificates: Certificates | None = None) -> Iterator[Server]:
    page = Page(60, lambda: b"")
    page.put(TEXT)
    server = Server("127.0.0.1", 0, page, certificates, Users(users or {}))
    server.start()
    yield server
    server.stop()


def port_of(server: Server) -> int:
    return int(server.server_address[1])


def got(server: Server, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    with closing(HTTPConnection("127.0.0.1", port_of(server), timeout=SOON_S)) as connection:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()


def test_the_page_plain_and_compressed() -> None:
    with serving() as server:
        status, headers, body = got(server, "/metrics?x=1")
        assert (status, headers["Content-Type"], body) == (200, CONTENT_TYPE, TEXT)
        _, headers, body = got(server, "/metrics", **{"Accept-Encoding": "gzip, br"})
        assert headers["Content-Encoding"] == "gzip" and gzip.decompress(body) == TEXT
        status, headers, body = got(server, "/metrics", "HEAD")
        assert (status, headers["Content-Length"], body) == (200, str(len(TEXT)), b"")


@pytest.mark.parametrize(("path", "status"), [("/", 200), ("/-/healthy", 200), ("/-/ready", 200), ("/other", 404)])
def test_other_paths(path: str, status: int) -> None:
    with serving() as server:
        assert got(server, path)[0] == status
        assert got(server, path, "POST")[0] == 501


def test_it_is_not_ready_without_a_reading() -> None:
    server = Server("127.0.0.1", 0, Page(60, lambda: b"up 0\n"), None, Users({}))
    server.start()
    assert (got(server, "/-/ready")[0], got(server, "/-/healthy")[0], got(server, "/metrics")[2]) == (
        503,
        200,
        b"up 0\n",
    )
    server.stop()


def test_only_users_scrape() -> None:
    with serving({"alice": HASH}) as server:
        status, headers, _ = got(server, "/metrics")
        assert status == 401 and headers["WWW-Authenticate"].startswith("Basic")
        assert got(server, "/metrics", **BASIC)[2] == TEXT
        for wrong in ("Basic YWxpY2U6d3Jvbmc=", "Basic ///", "Basic", "Bearer x", "Basic YWxpY2U="):
            assert got(server, "/metrics", Authorization=wrong)[0] == 401
        assert got(server, "/-/healthy")[0] == 200


def write_certificate(directory: Path, serial: int) -> TlsServer:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(serial).not_valid_before(now - timedelta(days=1))
    made = builder.not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    cert, private = directory / "cert.pem", directory / "key.pem"
    form = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return TlsServer(cert_file=str(cert), key_file=str(private))


def serial_of(server: Server) -> int:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with closing(HTTPSConnection("127.0.0.1", port_of(server), timeout=SOON_S, context=context)) as connection:
        connection.request("GET", "/metrics")
        assert connection.getresponse().read() == TEXT
        assert isinstance(connection.sock, ssl.SSLSocket)
        certificate = connection.sock.getpeercert(binary_form=True)
    assert certificate is not None
    return x509.load_der_x509_certificate(certificate).serial_number


def test_a_renewed_certificate_takes_effect_and_a_broken_one_does_not(tmp_path: Path) -> None:
    with serving(certificates=Certificates(write_certificate(tmp_path, 11))) as server:
        assert server.url.startswith("https://") and serial_of(server) == 11
        time.sleep(0.01)
        write_certificate(tmp_path, 12)
        assert serial_of(server) == 12
        time.sleep(0.01)
        (tmp_path / "cert.pem").write_text("half")
        assert serial_of(server) == 12
        time.sleep(0.01)
        write_certificate(tmp_path, 13)
        assert serial_of(server) == 13


def test_who_asks_nothing_or_nonsense_holds_up_nobody(tmp_path: Path) -> None:
    with serving(certificates=Certificates(write_certificate(tmp_path, 1))) as server:
        idle = [socket.create_connection(("127.0.0.1", port_of(server))) for _ in range(20)]
        for each in idle[:10]:
            each.sendall(b"\x00garbage\r\n\r\n" * 10)
        assert serial_of(server) == 1
        for each in idle:
            each.close()


def test_it_stops_at_once_also_while_a_client_waits() -> None:
    with serving() as server:
        client = socket.create_connection(("127.0.0.1", port_of(server)))
        client.sendall(b"GET /metrics HTTP/1.1\r\n")
        began_s = time.monotonic()
    assert time.monotonic() - began_s < _REQUEST_S
    client.close()
