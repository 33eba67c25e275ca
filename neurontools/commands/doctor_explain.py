"""`neuron-doctor explain`: what a rule looks at, claims and advises, and what a status code of the runtime means."""

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap

from neurontools.commands import errors
from neurontools.diagnosis import BY_ID, RULES, Rule
from neurontools.hardware.nrt import STATUS_SUBTYPES, STATUSES, Status
from neurontools.spelling import did_you_mean
from neurontools.units import format_duration_ns

_WIDTH, _INDENT = 100, 10


def explain(given: Mapping[str, str], operands: Sequence[str]) -> None:
    """Writes about each name; without one, a line for every rule and code."""
    if not operands:
        errors.write("\n".join(_all()) + "\n")
        return
    pages = ["\n".join(_about(word)) for word in operands]
    errors.write("\n\n".join(pages) + "\n")


def _all() -> Iterator[str]:
    yield "Rules:"
    width = max(len(rule.id) for rule in RULES)
    yield from (f"  {rule.id:<{width}}  {rule.severity:<8}  {rule.title}" for rule in RULES)
    yield ""
    yield "Status codes of the runtime:"
    width = max(len(status.name) for status in STATUSES.values())
    yield from (f"  {value:>4}  {status.name:<{width}}  {status.meaning}" for value, status in STATUSES.items())


def _about(word: str) -> Iterator[str]:
    rule, status = BY_ID.get(word), _status(word)
    if rule is not None:
        yield from _of_rule(rule)
    elif status is not None:
        yield from _of_status(status)
    else:
        names = [*BY_ID, *(each.name for each in STATUSES.values())]
        raise errors.UsageError(
            f"there is no rule and no status code {word!r:.60}{did_you_mean(word, names)}; "
            "`neuron-doctor explain` lists them"
        )


def _status(word: str) -> Status | None:
    """By value, name, or the name of its counter in the driver's files."""
    if word.isascii() and word.isdigit() and len(word) < 6:
        return STATUSES.get(int(word))
    if word in STATUS_SUBTYPES:
        return STATUSES[STATUS_SUBTYPES[word]]
    wanted = word.upper().removeprefix("NRT_")
    for status in STATUSES.values():
        if wanted == status.name.removeprefix("NRT_") or word == status.directory:
            return status
    return None


def _of_rule(rule: Rule) -> Iterator[str]:
    yield f"{rule.id}: {rule.title}"
    watched = f"; it takes {format_duration_ns(rule.watched_ns, 0)} of watching" if rule.watched_ns else ""
    needs = ", ".join(need.replace("_", " ") for need in rule.needs) or "nothing"
    yield from _block("needs", f"{needs}{watched}")
    if rule.meaning:
        yield from _block("found at", f"{rule.threshold:,.12g} {rule.meaning}")
    yield from _block("about", f"a {rule.scope}, as {rule.severity}; category {rule.category}")
    yield from _block("next", rule.advice)
    yield from _block("ends", rule.clears)
    if rule.cannot:
        yield from _block("if not", f"cannot tell: {rule.cannot}")
    for code in rule.codes:
        status = STATUSES[code]
        yield from _block("code", f"{code} {status.name}: {status.meaning} {status.advice}")


def _of_status(status: Status) -> Iterator[str]:
    yield f"{status.value} {status.name}"
    yield from _block("means", status.meaning)
    yield from _block("next", status.advice)
    counted = f"stats/status/{status.directory}" if status.directory else "the driver has no counter for it"
    yield from _block("counted", counted)
    rules = [rule.id for rule in RULES if status.value in rule.codes]
    if rules:
        yield from _block("rules", ", ".join(rules))


def _block(label: str, text: str) -> Iterator[str]:
    for number, line in enumerate(wrap(text, _WIDTH - _INDENT, break_long_words=False, break_on_hyphens=False)):
        yield f"{label if number == 0 else '':<{_INDENT}}{line}"
