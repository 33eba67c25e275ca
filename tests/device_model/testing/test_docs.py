"""The example in docs/testing.md is a file of tests, which runs with all others."""

import re

from tests.conftest import Golden
from tests.contracts.tree import ROOT

BLOCK = re.compile(r"<!-- (?P<name>tests/\S+\.py) -->\n```python\n(?P<text>.*?)```\n", re.DOTALL)


def renewed(text: str) -> str:
    """The document with every example as its file has it today."""
    return BLOCK.sub(
        lambda block: f"<!-- {block['name']} -->\n```python\n{(ROOT / block['name']).read_text()}```\n", text
    )


def test_the_example_is_one_that_runs(golden: Golden) -> None:
    shown = (ROOT / "docs" / "testing.md").read_text()
    assert len(BLOCK.findall(shown)) == 1
    golden("../../docs/testing.md", renewed(shown))
