"""The warnings that stand on everything that a report shows."""

from mdmt_tf.experiments.results import Results
from mdmt_tf.marks import SYNTHETIC_DATA, TRAINED_WITH_SYNTHETIC, start_of_plot
from mdmt_tf.models.weights import provenance
from mdmt_tf.runs.kept_epoch import kept_epoch

SYNTHETIC = f"{SYNTHETIC_DATA}."
VALIDATION = (
    "VALIDATION rows, which were used for selection: these numbers are optimistic. No "
    "test row was read."
)
# The same where no fit has chosen its epoch by them.
_NOT_CHOSEN = "VALIDATION rows; no epoch was chosen by them. No test row was read."


def mark_of_validation(results: Results) -> str:
    """Whether validation rows were used for selection, so that numbers are optimistic.

    It is also said of fits of earlier versions, which do not mark the epoch.
    """
    return VALIDATION if _is_selected(results) else _NOT_CHOSEN


def _is_selected(results: Results) -> bool:
    return any(
        "selected" not in history or kept_epoch(history, None).chosen
        for history in results.histories.values()
    )


def warnings_of(results: Results) -> list[str]:
    """What a reader has to know before any number, as sentences."""
    marks = [SYNTHETIC] if results.synthetic else []
    if results.synthetic_images and not results.synthetic:
        marks.append(_trained_with(results))
    if results.split == "validation":
        marks.append(mark_of_validation(results))
    return marks


def _trained_with(results: Results) -> str:
    """Which experiments were trained with synthetic images."""
    experiments: dict[str, list[str]] = {}
    for name, images in results.synthetic_images.items():
        counts = ", ".join(
            f"up to {provenance.text(count)} of {own}" for own, count in images.items()
        )
        experiments.setdefault(counts, []).append(name)
    parts = [
        f"{', '.join(own)} ({counts} in a fit)" for counts, own in experiments.items()
    ]
    return (
        f"{TRAINED_WITH_SYNTHETIC}: {'; '.join(parts)}. All numbers here are of real "
        "images."
    )


def start_of_title(results: Results) -> str:
    """The same, as the first words of a title."""
    start = start_of_plot(results.synthetic)
    if results.split == "validation":
        optimistic = ", optimistic" if _is_selected(results) else ""
        start += f"VALIDATION rows{optimistic}. "
    return start
