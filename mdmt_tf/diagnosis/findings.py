"""What a diagnosis finds: sentences with a level, a place and an advice."""

import dataclasses
from collections.abc import Iterable, Sequence

# From what makes a result meaningless to what is good to know.
SERIOUS, WARNING, NOTE = LEVELS = ("serious", "warning", "note")

# Exit status of the command for findings of the chosen level.
STATUS = 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finding:
    """One finding.

    Attributes:
        level: one of `LEVELS`.
        kind: a stable name such as "shortcut", documented in docs/reference/doctor.md.
        where: task, dataset or split.
        text: what was found, one sentence with the numbers.
        advice: what to do about it, one sentence; may be empty.
        values: its numbers, plain, for the JSON file.
    """

    level: str
    kind: str
    where: str
    text: str
    advice: str = ""
    values: dict = dataclasses.field(default_factory=dict)


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """The findings, the serious ones first, otherwise in the order found."""
    return sorted(findings, key=lambda finding: LEVELS.index(finding.level))


def counts(findings: Sequence[Finding]) -> dict[str, int]:
    """The number of findings of each level."""
    return {level: sum(f.level == level for f in findings) for level in LEVELS}


def exit_status(findings: Sequence[Finding], fail_on: str) -> int:
    """`STATUS` if there is a finding of level `fail_on` or worse, else 0.

    Args:
        fail_on: one of `LEVELS`, or "never".
    """
    if fail_on == "never":
        return 0
    failing = LEVELS[: LEVELS.index(fail_on) + 1]
    return STATUS if any(finding.level in failing for finding in findings) else 0
