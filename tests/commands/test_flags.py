"""Options as go-flags reads them, and its words where it cannot."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurontools.commands.flags import Flag, FlagError, parse, usage

FLAGS = (
    Flag("wide", "Wide", short="w"),
    Flag("json", "JSON"),
    Flag("source", "What to read", value="SOURCE"),
    Flag("port", "Where to listen", short="p", value="PORT"),
)


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ("", {}),
        ("-w --json", {"wide": "", "json": ""}),
        ("--source model", {"source": "model"}),
        ("--source=model:a=b", {"source": "model:a=b"}),
        ("--source=", {"source": ""}),
        ("--source -w", {"source": "-w"}),
        ("--source a --source b", {"source": "b"}),
        ("-wp80", {"wide": "", "port": "80"}),
        ("-p=80", {"port": "80"}),
        ("-p 80 -w", {"port": "80", "wide": ""}),
        ("-w --", {"wide": ""}),
    ],
)
def test_options_are_read(words: str, given: dict[str, str]) -> None:
    assert parse(FLAGS, words.split()) == given


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--badflag", "unknown flag `badflag'"),
        ("--badflag=3", "unknown flag `badflag'"),
        ("-x", "unknown flag `x'"),
        ("-wx", "unknown flag `x'"),
        ("--wide=yes", "bool flag `-w, --wide' cannot have an argument"),
        ("--json=", "bool flag `--json' cannot have an argument"),
        ("--source", "expected argument for flag `--source'"),
        ("-wp", "expected argument for flag `-p, --port'"),
        ("ls", "unexpected argument `ls'"),
        ("-", "unexpected argument `-'"),
        ("-- -w", "unexpected argument `-w'"),
    ],
)
def test_other_words_are_refused(words: str, message: str) -> None:
    with pytest.raises(FlagError) as caught:
        parse(FLAGS, words.split())
    assert str(caught.value) == message


@given(st.lists(st.sampled_from(["-w", "--json", "-wp", "80", "--source=a", "--source", "--", "-", "-z"]) | st.text()))
def test_any_words_are_read_or_refused(words: list[str]) -> None:
    try:
        assert set(parse(FLAGS, words)) <= {flag.long for flag in FLAGS}
    except FlagError as error:
        assert str(error)


def test_the_help_names_every_option_and_example() -> None:
    text = usage("neuron-ls", "Lists.", FLAGS, [("neuron-ls -w", "more")])
    assert text.startswith("Usage:\n  neuron-ls [OPTIONS]\n")
    assert "  -w, --wide           Wide\n" in text
    assert "  -p, --port=PORT      Where to listen\n" in text
    assert "      --source=SOURCE  What to read\n" in text
    assert text.endswith("  neuron-ls -w  more\n")


@pytest.mark.parametrize(
    ("words", "given", "operands"),
    [
        ("a", {}, ["a"]),
        ("-w a --source b c", {"wide": "", "source": "b"}, ["a", "c"]),
        ("- a -- -w", {}, ["-", "a", "-w"]),
        ("--source -10m a", {"source": "-10m"}, ["a"]),
    ],
)
def test_operands_are_read_where_there_may_be_any(words: str, given: dict[str, str], operands: list[str]) -> None:
    found: list[str] = []
    assert parse(FLAGS, words.split(), found) == given
    assert found == operands
