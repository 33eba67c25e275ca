"""The plain text of `--once`, against golden files for each kind of host."""

from __future__ import annotations

import pytest

from neurontools.views.top import text
from tests.conftest import Golden
from tests.views.top.crafted import host_of
from tests.views.top.hosts import VERSION, shown


@pytest.mark.parametrize(
    ("scenario", "instance"),
    [("two-tenants", "inf2.48xlarge"), ("two-tenants", "trn2.48xlarge"), ("opt-30b", "trn1.32xlarge"), ("idle", None)],
)
def test_the_text(scenario: str, instance: str | None, golden: Golden) -> None:
    name = f"neuron-top/once.{scenario}.{instance or 'default'}.txt"
    golden(name, text.render(*shown(scenario, instance), VERSION))


def test_where_nothing_is_known_the_reasons_are_there(golden: Golden) -> None:
    golden("neuron-top/once.unknown.txt", text.render(*host_of("inf2.xlarge", known=False), VERSION))


def test_the_text_has_no_escapes_and_an_ascii_form() -> None:
    page = text.render(*host_of("trn2.48xlarge", processes=4, lnc=1), VERSION)
    assert all(line.isprintable() for line in page.splitlines())
    assert text.to_ascii(text.render(*shown(), VERSION)).isascii()
    assert page.count("\nND") == 16
