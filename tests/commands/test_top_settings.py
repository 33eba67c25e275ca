"""The settings file: kept as a whole, read again, and where it is broken ignored with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from neurontools.commands import errors, top, top_web
from neurontools.commands.top_settings import keeper, settings_path
from neurontools.views.top.settings import DEFAULTS, Settings


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "neuron-top.toml"
    settings = Settings("neuron-light", "GB", 2.0, "memory")
    first = keeper(path)
    assert (first.settings, first.trouble) == (DEFAULTS, "")
    assert first.save is not None
    assert first.save(settings) == f"kept in {path}"
    assert keeper(path).settings == settings
    assert [each.name for each in path.parent.iterdir()] == ["neuron-top.toml"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"theme = ", "Invalid value"),
        (b"\xff", "utf-8"),
        (b'them = "x"', "did you mean 'theme'"),
        (b"unit = 1", "unit"),
    ],
)
def test_a_broken_file_is_ignored_and_said_to_be(tmp_path: Path, text: bytes, words: str) -> None:
    path = tmp_path / "neuron-top.toml"
    path.write_bytes(text)
    found = keeper(path)
    assert found.settings == DEFAULTS
    assert str(path) in found.trouble
    assert words in found.trouble


def test_where_it_cannot_be_written_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    save = keeper(tmp_path / "file" / "neuron-top.toml").save
    assert save is not None
    assert save(DEFAULTS).startswith("not kept: ")


def test_it_is_in_the_users_own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert settings_path() == tmp_path / "neurontools" / "neuron-top.toml"


@pytest.mark.parametrize("port", ["80", "x", "70000", "-1", "9" * 5000], ids=lambda port: port[:9])
def test_a_bad_port_is_a_usage_error(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert top.main(["--web", f"--port={port}"]) == errors.EXIT_USAGE
    assert "--port takes 1024 to 65535" in capsys.readouterr().err


def test_in_a_browser_it_has_the_same_options_and_sends_no_signals() -> None:
    command = top_web._command({"web": "", "port": "9000", "source": "model:/a b", "refresh": "2"}, ["web", "readonly"])
    assert command.endswith("--readonly '--source=model:/a b' --refresh=2")
