"""The web configuration file and the page: what is read, what is refused in one line, and what a scrape gets when."""

from __future__ import annotations

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory

import bcrypt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurontools.exporters.prometheus.page import Page
from neurontools.exporters.prometheus.webconfig import Certificates, Users, WebConfigError, read_web_config

HASH = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()


def written(directory: Path, text: str) -> str:
    path = directory / "web.yml"
    path.write_text(text)
    return str(path)


def test_a_whole_file(tmp_path: Path) -> None:
    text = f"tls_server_config:\n  cert_file: a.pem\n  key_file: /k.pem\nbasic_auth_users:\n  alice: {HASH}\n"
    config = read_web_config(written(tmp_path, text))
    assert config.tls_server_config is not None
    assert config.tls_server_config.cert_file == str(tmp_path / "a.pem")
    assert config.tls_server_config.key_file == "/k.pem"
    assert config.basic_auth_users == {"alice": HASH}


def test_an_empty_file_means_neither(tmp_path: Path) -> None:
    config = read_web_config(written(tmp_path, ""))
    assert config.tls_server_config is None and not Users(config.basic_auth_users)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("tls_server_config: {cert_file: a}\n", "tls_server_config.key_file: Field required"),
        (
            "tls_server_config: {cert_file: a, key_file: b, cipher: c}\n",
            "tls_server_config.cipher: this key is not known here; known: cert_file, ",
        ),
        ("basic_auth_users: {alice: secret}\n", "basic_auth_users.alice: expected a bcrypt hash, such as"),
        ("- 1\n", "the document: Input should be a valid dictionary"),
        ("a: [\n", "is no YAML: "),
        ("rate_limit: {}\n", "rate_limit: this key is not known here; known: tls_server_config, basic_auth_users"),
        ("basic_auth_user: {}\n", "basic_auth_user: this key is not known here (did you mean 'basic_auth_users'?); "),
        ("tls_server_config: {certfile: a, key_file: b}\n", "certfile: this key is not known here (did you mean 'cert"),
        ("tls_server_config: {cert_file: a, key_file: b, min_version: TLS1.3}\n", "(did you mean 'TLS13'?)"),
        ("basic_auth_users: {1: 2}\n", "basic_auth_users.1"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(text: str, reason: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(WebConfigError) as caught:
        read_web_config(path)
    assert reason in str(caught.value) and path in str(caught.value) and "\n" not in str(caught.value)


def test_files_that_are_missing_are_named(tmp_path: Path) -> None:
    with pytest.raises(WebConfigError, match=r"cannot read .*/nothing\.yml: No such file"):
        read_web_config(str(tmp_path / "nothing.yml"))
    config = read_web_config(written(tmp_path, "tls_server_config: {cert_file: a, key_file: b}\n"))
    assert config.tls_server_config is not None
    with pytest.raises(WebConfigError, match=r"cannot use the certificate .*/a with .*/b: No such file"):
        Certificates(config.tls_server_config)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_in_one_line(content: bytes) -> None:
    with TemporaryDirectory() as directory:
        path = Path(directory, "web.yml")
        path.write_bytes(content)
        try:
            read_web_config(str(path))
        except WebConfigError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("name", "password", "known"),
    [
        ("alice", "secret", True),
        ("alice", "wrong", False),
        ("bob", "secret", False),
        ("", "", False),
        ("alic", "esecret", False),
    ],
)
def test_who_is_known(name: str, password: str, known: bool) -> None:
    users = Users({"alice": HASH})
    assert [users.know(name, password) for _ in range(2)] == [known, known]


def test_a_page_is_handed_out_until_it_is_too_old() -> None:
    now = [0.0]
    page = Page(10, lambda: b"up 0\n", lambda: now[0])
    assert (page.ready, page.get().plain) == (False, b"up 0\n")
    page.put(b"up 1\n")
    for at_s, plain, ready in ((0.0, b"up 1\n", True), (10.0, b"up 1\n", True), (10.1, b"up 0\n", False)):
        now[0] = at_s
        text = page.get()
        assert (text.plain, gzip.decompress(text.compressed), page.ready) == (plain, plain, ready)
    page.put(b"up 2\n")
    assert page.get().plain == b"up 2\n"
