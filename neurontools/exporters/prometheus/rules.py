"""Which families a Prometheus rules file asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import yaml

from neurontools.exporters.prometheus.family import Family
from neurontools.exporters.prometheus.own import SOURCE

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_BY_PATTERN = re.compile(r"""__name__\s*=~\s*(["'])(.*?)\1""")


class RulesError(ValueError):
    """A text is no rules file; one line says why."""


def expressions(text: str) -> list[str]:
    """The expressions of a rules file, of alerts and of recordings. Raises RulesError."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark is not None else ""
        raise RulesError(f"{where}not YAML: {getattr(error, 'problem', None) or 'it cannot be read'}") from None
    found = list(_expressions(document))
    if not found:
        raise RulesError("no rule with an expression in it: expected groups, each with rules, each with expr")
    return found


def _expressions(document: Any) -> Iterator[str]:
    for group in _list(document, "groups"):
        for rule in _list(group, "rules"):
            if isinstance(rule, dict) and isinstance(rule.get("expr"), str | int | float):
                yield str(rule["expr"])


def _list(document: Any, key: str) -> list[Any]:
    found = document.get(key) if isinstance(document, dict) else None
    return found if isinstance(found, list) else []


def named(families: Sequence[Family], queries: Iterable[str]) -> list[Family]:
    """The families whose samples the expressions name; one that is named by a word of another kind is harmless.

    None where they name none; else that which tells where the readings come from is always among them.
    """
    words: set[str] = set()
    patterns: list[str] = []
    for query in queries:
        words.update(_NAME.findall(query))
        patterns += [match[2] for match in _BY_PATTERN.finditer(query)]
    found = {
        family
        for family in families
        if any(name in words or any(_matches(pattern, name) for pattern in patterns) for name in family.sample_names)
    }
    return [family for family in families if family in found or (found and family == SOURCE)]


def _matches(pattern: str, name: str) -> bool:
    try:
        return re.fullmatch(pattern, name) is not None
    except re.error:
        # Prometheus' dialect has what Python's has not: rather one family too many.
        return True
