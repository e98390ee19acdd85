"""Sentences that stand on results and models: synthetic data, and the intended use."""

SYNTHETIC_DATA = "SYNTHETIC data: these numbers say nothing about patients"
TRAINED_WITH_SYNTHETIC = "Trained with synthetic images"
# A value of files; the sentence is for readers.
NOT_FOR = "diagnosis or treatment; research only"
NOT_FOR_SENTENCE = f"Not for {NOT_FOR}."


def start_of_plot(is_synthetic: bool) -> str:
    """The first words of the title and the caption of a plot.

    Example:
        >>> start_of_plot(True), start_of_plot(False)
        ('SYNTHETIC data. ', '')
    """
    return "SYNTHETIC data. " if is_synthetic else ""
