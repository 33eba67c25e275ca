"""Manual pages and completion: every program has them, with every option that its help has."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from install import completion, manual
from install.__main__ import main
from install.page import Option, Page, page_of, pages, programs
from tests.conftest import Golden

PAGES = {page.name: page for page in pages()}
TRICKY = Page(
    "tool",
    "Does 'it'. And more.",
    (
        Option(("-f", "--file"), ".begins with a dot, 100 % [of] a\\b: it's", "FILE"),
        Option(("--kind",), "one of two", "KIND", ("this", "that")),
        Option(("--fast",), "a switch"),
    ),
    (("tool --file 'x y'", ""),),
)


def test_every_program_has_a_page() -> None:
    assert set(PAGES) == set(programs())
    assert {"neuron-ls", "neuron-top", "neuron-monitor", "neuron-model", "neurontools"} <= set(PAGES)
    for page in PAGES.values():
        assert page.about
        assert page.options or page.verbs


@pytest.mark.parametrize("name", ["neuron-ls", "neuron-top", "neuron-monitor"])
def test_a_page_has_the_options_of_the_help(name: str) -> None:
    command = [sys.executable, "-c", f"import sys; from {programs()[name]} import main; main(['--help'])"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    listed = set(re.findall(r"^ +(?:-\w, )?(--[\w-]+)", printed, re.MULTILINE))
    assert listed == {option.names[-1] for option in PAGES[name].options}


def test_the_verbs_of_the_model_have_their_options() -> None:
    verbs = {verb.name: verb for verb in PAGES["neuron-model"].verbs}
    assert {"run", "start", "status", "stop"} <= set(verbs)
    options = {option.names[-1]: option for option in verbs["run"].options}
    assert options["--stepped"].value == ""
    assert options["--speed"].value == "K"
    assert "%" not in options["--speed"].help


def test_a_program_without_a_known_table_is_no_page() -> None:
    with pytest.raises(LookupError, match="x: other has no table of options"):
        page_of("x", SimpleNamespace(__name__="other"))


def test_the_pages_of_neuron_ls(golden: Golden) -> None:
    page = PAGES["neuron-ls"]
    golden("install/neuron-ls.1", manual.roff(page, "0.1.0"))
    golden("install/neuron-ls.bash", completion.bash(page))
    golden("install/neuron-ls.zsh", completion.zsh(page))
    golden("install/neuron-ls.fish", completion.fish(page))


def test_what_means_something_to_roff_is_escaped() -> None:
    text = manual.roff(TRICKY, "1")
    assert "\\&.begins with a dot, 100 % [of] a\\eb: it's" in text
    assert "tool \\- does 'it'" in text
    assert all(line.startswith(".") or not line.startswith("'") for line in text.splitlines())


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["tool", ""], ["-f", "--file", "--kind", "--fast"]),
        (["tool", "--f"], ["--file", "--fast"]),
        (["tool", "--kind", ""], ["this", "that"]),
        (["tool", "--kind", "tha"], ["that"]),
        (["verbs", ""], ["go", "stay"]),
        (["verbs", "go", "--k"], ["--kind"]),
        (["verbs", "stay", "--"], []),
    ],
)
def test_what_bash_offers(words: list[str], offered: list[str]) -> None:
    page = TRICKY if words[0] == "tool" else Page("verbs", "x", verbs=(TRICKY._replace(name="go"), Page("stay", "y")))
    quoted = " ".join(f"'{word}'" for word in words)
    script = (
        f"{completion.bash(page)}\nCOMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}\n"
        f'_{words[0]}; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert result.stderr == ""
    assert result.stdout.split() == offered


def test_pages_are_where_man_and_the_shells_look(tmp_path: Path) -> None:
    assert main(["pages", "--pages", str(tmp_path)]) == 0
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    for name in programs():
        assert f"man/man1/{name}.1" in found
        assert f"bash-completion/completions/{name}" in found
        assert f"zsh/site-functions/_{name}" in found
        assert f"fish/vendor_completions.d/{name}.fish" in found
    for path in (tmp_path / "bash-completion/completions").iterdir():
        subprocess.run(["bash", "-n", str(path)], check=True)
