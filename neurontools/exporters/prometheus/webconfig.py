"""The web configuration file, in node_exporter's style: TLS, and who may scrape."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import ssl
import threading
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import bcrypt
import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from neurontools.spelling import did_you_mean

_LONGEST_TEXT = 1_000_000
_MOST_REMEMBERED = 100
_UNKNOWN = "extra_forbidden"
"""pydantic's kind of fault for a key that a part does not have."""

ClientAuth = Literal[
    "NoClientCert", "RequestClientCert", "RequireAnyClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"
]
_VERIFY: Mapping[ClientAuth, ssl.VerifyMode] = {
    "NoClientCert": ssl.CERT_NONE,
    "RequestClientCert": ssl.CERT_OPTIONAL,
    "RequireAnyClientCert": ssl.CERT_REQUIRED,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
"""Python's ssl verifies every certificate that it is given, so the lax ways are as strict as their neighbours."""


class WebConfigError(ValueError):
    """The file cannot be used; the message is one line that names the file and the key."""


def _bcrypt_hash(text: str) -> str:
    try:
        bcrypt.checkpw(b"", text.encode())
    except ValueError:
        raise ValueError("expected a bcrypt hash, such as `htpasswd -nBC 10 '' | tr -d ':'` prints") from None
    return text


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TlsServer(_Part):
    """Certificate and key as PEM files; paths are relative to the configuration file."""

    cert_file: str
    key_file: str
    client_auth_type: ClientAuth = "NoClientCert"
    client_ca_file: str | None = None
    min_version: Literal["TLS12", "TLS13"] = "TLS12"


class WebConfig(_Part):
    """The file."""

    tls_server_config: TlsServer | None = None
    basic_auth_users: dict[str, Annotated[str, AfterValidator(_bcrypt_hash)]] = Field(default_factory=dict)


def read_web_config(path: str) -> WebConfig:
    """The configuration in a file, with absolute paths. Raises WebConfigError."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(_LONGEST_TEXT)
        document: Any = yaml.safe_load(text)
        config = WebConfig.model_validate({} if document is None else document)
    except OSError as error:
        raise WebConfigError(f"cannot read {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise WebConfigError(f"{path} is no YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        raise WebConfigError(f"{path}: {_first_of(error)}") from None
    if config.tls_server_config is None:
        return config
    return config.model_copy(update={"tls_server_config": _beside(path, config.tls_server_config)})


def _first_of(error: ValidationError) -> str:
    """One fault; a key that is not known comes before one that is missing, which it may have been meant for."""
    first = min(error.errors(), key=lambda fault: fault["type"] != _UNKNOWN)
    where = ".".join(str(part) for part in first["loc"]) or "the document"
    if first["type"] == _UNKNOWN:
        *path, name = map(str, first["loc"])
        known = (TlsServer if path else WebConfig).model_fields
        return f"{where}: this key is not known here{did_you_mean(name, known)}; known: {', '.join(known)}"
    choices = re.findall(r"'([^']*)'", str(first.get("ctx", {}).get("expected", "")))
    meant = did_you_mean(str(first["input"]), choices) if choices else ""
    return f"{where}: {first['msg'].removeprefix('Value error, ')}{meant}"


def _beside(path: str, tls: TlsServer) -> TlsServer:
    directory = os.path.dirname(os.path.abspath(path))
    names = ("cert_file", "key_file", "client_ca_file")
    given = {name: getattr(tls, name) for name in names if getattr(tls, name) is not None}
    return tls.model_copy(update={name: os.path.join(directory, value) for name, value in given.items()})


class Certificates:
    """A server's TLS context, made anew when a file of it has changed, so that renewed certificates take effect."""

    def __init__(self, tls: TlsServer) -> None:
        """Raises WebConfigError when the files are no certificate and its key."""
        self._tls = tls
        self._changing = threading.Lock()
        self._stamp = self._stamps()
        self._context = _context(tls)

    def context(self) -> ssl.SSLContext:
        """The context for a new connection; files that cannot be used (half written, say) leave the one before."""
        with self._changing:
            stamp = self._stamps()
            if stamp != self._stamp:
                try:
                    self._context = _context(self._tls)
                    self._stamp = stamp
                except WebConfigError:
                    # Looked at again at the next connection.
                    pass
            return self._context

    def _stamps(self) -> tuple[tuple[int, int], ...]:
        files = (self._tls.cert_file, self._tls.key_file, self._tls.client_ca_file)
        return tuple(_stamp(path) for path in files if path is not None)


def _stamp(path: str) -> tuple[int, int]:
    try:
        found = os.stat(path)
    except OSError:
        return (0, 0)
    return found.st_mtime_ns, found.st_ino


def _context(tls: TlsServer) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if tls.min_version == "TLS13" else ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(tls.cert_file, tls.key_file)
        if tls.client_ca_file is not None:
            context.load_verify_locations(tls.client_ca_file)
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or str(error)
        raise WebConfigError(f"cannot use the certificate {tls.cert_file} with {tls.key_file}: {reason}") from None
    context.verify_mode = _VERIFY[tls.client_auth_type]
    return context


class Users:
    """Who may scrape. bcrypt takes a tenth of a second on purpose, so a pair that was right once is remembered."""

    def __init__(self, hashes: Mapping[str, str]) -> None:
        self._hashes = {name: value.encode() for name, value in hashes.items()}
        self._nobody = bcrypt.hashpw(os.urandom(16), bcrypt.gensalt(10))
        self._salt = os.urandom(16)
        self._right: set[bytes] = set()
        self._checking = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._hashes)

    def know(self, name: str, password: str) -> bool:
        """Whether that is a user's password. An unknown name takes as long as a wrong password."""
        pair = hmac.digest(self._salt, f"{len(name)}:{name}{password}".encode(), hashlib.sha256)
        if pair in self._right:
            return True
        # One at a time: guessing must not take all cores.
        with self._checking:
            known = (
                bcrypt.checkpw(password.encode()[:72], self._hashes.get(name, self._nobody)) and name in self._hashes
            )
        if known and len(self._right) < _MOST_REMEMBERED:
            self._right.add(pair)
        return known
