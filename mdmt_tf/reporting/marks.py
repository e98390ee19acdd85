"""The warnings that stand on everything that a report shows."""

from mdmt_tf.experiments.results import Results

SYNTHETIC = "SYNTHETIC data: these numbers say nothing about patients."
VALIDATION = (
    "VALIDATION rows, which were used for selection: these numbers are optimistic. No "
    "test row was read."
)


def warnings_of(results: Results) -> list[str]:
    """What a reader has to know before any number, as sentences."""
    marks = [SYNTHETIC] if results.synthetic else []
    return [*marks, VALIDATION] if results.split == "validation" else marks


def start_of_title(results: Results) -> str:
    """The same, as the first words of a title."""
    start = "SYNTHETIC data. " if results.synthetic else ""
    if results.split == "validation":
        start += "VALIDATION rows, optimistic. "
    return start
