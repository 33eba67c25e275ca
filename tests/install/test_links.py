"""Links to the tools: made and taken away again, and nothing of anybody else's is touched."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from install import links
from install.__main__ import main
from install.links import RefusedError, install, is_ours, owners, uninstall, wanted_links
from install.page import programs


@pytest.fixture
def no_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever machine the tests run on."""
    monkeypatch.setattr(links, "neuron_host", lambda root: None)


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    """An environment with two programs."""
    (tmp_path / "env/bin").mkdir(parents=True)
    for name in ("neuron-ls", "neuron-top"):
        (tmp_path / "env/bin" / name).write_text("#!/bin/sh\n")
    return tmp_path / "env/bin"


def wanted(tmp_path: Path, ours: Path) -> dict[str, str]:
    pages = str(tmp_path / "pages")
    return wanted_links(str(tmp_path / "usr"), str(ours), pages, ["neuron-ls", "neuron-top"], ["man/man1/neuron-ls.1"])


def below(directory: Path) -> dict[str, str]:
    """Every file and link below a directory."""
    paths = [path for path in directory.rglob("*") if path.is_symlink() or path.is_file()]
    return {str(path): os.readlink(path) if path.is_symlink() else path.read_text() for path in paths}


@pytest.mark.usefixtures("no_host")
def test_links_are_made_once_and_taken_away(tmp_path: Path, ours: Path) -> None:
    asked, both = wanted(tmp_path, ours), [str(ours), str(tmp_path / "pages")]
    assert len(asked) == 3
    assert install(asked, both) == list(asked)
    assert below(tmp_path / "usr") == asked
    assert install(asked, both) == []
    (tmp_path / "usr/bin/other").write_text("theirs")
    assert uninstall(asked, both) == list(asked)
    assert below(tmp_path / "usr") == {str(tmp_path / "usr/bin/other"): "theirs"}


@pytest.mark.usefixtures("no_host")
def test_links_of_an_older_environment_of_ours_are_replaced(tmp_path: Path, ours: Path) -> None:
    asked = wanted(tmp_path, ours)
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/neuron-ls").symlink_to(f"{ours}/neuron-ls-old")
    install(asked, [str(ours)])
    assert os.readlink(tmp_path / "usr/bin/neuron-ls") == f"{ours}/neuron-ls"


@pytest.mark.usefixtures("no_host")
@pytest.mark.parametrize("kind", ["file", "link", "dangling", "directory"])
def test_what_is_not_ours_is_never_replaced(kind: str, tmp_path: Path, ours: Path) -> None:
    path = tmp_path / "usr/bin/neuron-top"
    path.parent.mkdir(parents=True)
    if kind == "file":
        path.write_text("AWS's")
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to("/bin/sh" if kind == "link" else "/none/neuron-top")
    before = below(tmp_path / "usr")
    with pytest.raises(RefusedError, match="neuron-top is there and is not ours: nothing was changed"):
        install(wanted(tmp_path, ours), [str(ours)])
    assert below(tmp_path / "usr") == before
    assert str(path) not in uninstall(wanted(tmp_path, ours), [str(ours)])
    assert os.path.lexists(path)


def manager(directory: Path, name: str, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package manager of this name that answers as told."""
    directory.mkdir(exist_ok=True)
    (directory / name).write_text(f"#!/bin/sh\n{script}\n")
    (directory / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")


@pytest.mark.usefixtures("no_host")
def test_a_path_of_a_debian_package_is_left_alone(tmp_path: Path, ours: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"{tmp_path}/usr/bin/neuron-top"
    script = (
        f'for p; do [ "$p" = {path} ] && echo "aws-neuronx-tools: $p" || echo "no path found matching $p" >&2; done'
    )
    manager(tmp_path / "tools", "dpkg-query", script, monkeypatch)
    with pytest.raises(RefusedError, match=f"{path} belongs to the package aws-neuronx-tools: nothing was changed"):
        install(wanted(tmp_path, ours), [str(ours)])
    assert not (tmp_path / "usr").exists()


@pytest.mark.usefixtures("no_host")
def test_a_path_of_an_rpm_package_is_left_alone(tmp_path: Path, ours: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"{tmp_path}/usr/bin/neuron-ls"
    script = f'[ "$5" = {path} ] && echo aws-neuronx-tools || {{ echo "file $5 is not owned by any package"; exit 1; }}'
    manager(tmp_path / "tools", "rpm", script, monkeypatch)
    with pytest.raises(RefusedError, match=f"{path} belongs to the package aws-neuronx-tools"):
        install(wanted(tmp_path, ours), [str(ours)])


def test_no_package_owns_what_nobody_installed(tmp_path: Path) -> None:
    assert owners([str(tmp_path / "x")]) == {}


def test_a_neuron_host_is_left_alone_unless_asked(tmp_path: Path, ours: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "neuron_host", lambda root: "DMI product name trn2.48xlarge")
    with pytest.raises(RefusedError, match=r"a Neuron host \(DMI product name trn2\.48xlarge\).*FORCE=1"):
        install(wanted(tmp_path, ours), [str(ours)])
    assert not (tmp_path / "usr").exists()
    assert install(wanted(tmp_path, ours), [str(ours)], force=True)


def test_only_links_into_our_directories_are_ours(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name, target in {"a": "../env/x", "b": "../envelope/x", "c": "/bin/sh", "d": "../env/../other"}.items():
        (tmp_path / "bin" / name).symlink_to(target)
    found = {name: is_ours(str(tmp_path / "bin" / name), [str(tmp_path / "env")]) for name in "abcde"}
    assert found == {"a": True, "b": False, "c": False, "d": False, "e": False}


@pytest.mark.usefixtures("no_host")
def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--pages", str(tmp_path / "share"), "--prefix", str(tmp_path / "usr")]
    assert main(["pages", "--pages", str(tmp_path / "share")]) == 0
    assert main(["links", *words]) == 0
    made = below(tmp_path / "usr")
    assert len(made) == 5 * len(programs())
    assert made[f"{tmp_path}/usr/bin/neuron-ls"] == f"{os.path.dirname(os.path.abspath(sys.executable))}/neuron-ls"
    assert all(os.path.exists(path) for path in made)
    assert main(["unlink", *words]) == 0
    assert below(tmp_path / "usr") == {}
    assert f"make uninstall-links PREFIX={tmp_path}/usr" in capsys.readouterr().out


@pytest.mark.usefixtures("no_host")
def test_mistakes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pages = ["--pages", str(tmp_path)]
    assert main(["links", *pages, "--prefix", ""]) == 2
    assert "make install-links PREFIX=/usr/local" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert main(["links", *pages, "--prefix", str(tmp_path / "file")]) == 1
    assert capsys.readouterr().err == f"install-links: {tmp_path}/file/bin: not a directory\n"
