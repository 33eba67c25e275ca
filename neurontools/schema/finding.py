"""What a diagnosis says of one rule: something was found, nothing was, or it cannot be told and why."""

from msgspec import field

from neurontools.schema.document import Document

SEVERITIES = ("info", "warn", "degraded", "replace")
"""From harmless to the one that ends with another machine."""

SCOPES = ("node", "device", "core", "link", "process")


class Scope(Document, frozen=True, kw_only=True):
    """What a finding is about. `core` is logical and counts over the node; `peer` is a link's other device."""

    kind: str
    device: int | None = None
    core: int | None = None
    peer: int | None = None
    pid: int | None = None


class Finding(Document, frozen=True, kw_only=True):
    """Something is wrong: since when, by which numbers, and what to do.

    `until_ns` is when it was last so, where what is told is over: of a recording.
    """

    rule: str
    severity: str
    category: str
    scope: Scope
    since_ns: int
    until_ns: int | None = None
    message: str
    evidence: dict[str, int | float | str] = field(default_factory=dict)
    advice: str = ""


class CannotTell(Document, frozen=True, kw_only=True):
    """A rule could not be checked."""

    rule: str
    reason: str
    supply: str | None = None


class Diagnosis(Document, frozen=True, kw_only=True):
    """The outcome of a set of rules at one instant; a rule in none of the two lists was checked and clear."""

    time_ns: int
    checked: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    cannot_tell: tuple[CannotTell, ...] = ()
