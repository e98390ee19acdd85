"""The warnings that stand on everything that a report shows."""

from mdmt_tf.experiments.results import Results
from mdmt_tf.marks import SYNTHETIC_DATA, TRAINED_WITH_SYNTHETIC, start_of_plot

SYNTHETIC = f"{SYNTHETIC_DATA}."
VALIDATION = (
    "VALIDATION rows, which were used for selection: these numbers are optimistic. No "
    "test row was read."
)


def warnings_of(results: Results) -> list[str]:
    """What a reader has to know before any number, as sentences."""
    marks = [SYNTHETIC] if results.synthetic else []
    if results.synthetic_images and not results.synthetic:
        marks.append(_trained_with(results))
    return [*marks, VALIDATION] if results.split == "validation" else marks


def _trained_with(results: Results) -> str:
    """Which experiments were trained with synthetic images."""
    experiments: dict[str, list[str]] = {}
    for name, images in results.synthetic_images.items():
        counts = ", ".join(f"{count:,} of {own}" for own, count in images.items())
        experiments.setdefault(counts, []).append(name)
    parts = [f"{', '.join(own)} ({counts})" for counts, own in experiments.items()]
    return (
        f"{TRAINED_WITH_SYNTHETIC}: {'; '.join(parts)}. All numbers here are of real "
        "images."
    )


def start_of_title(results: Results) -> str:
    """The same, as the first words of a title."""
    start = start_of_plot(results.synthetic)
    if results.split == "validation":
        start += "VALIDATION rows, optimistic. "
    return start
