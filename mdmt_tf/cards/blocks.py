"""What a card consists of, for Markdown and for the page, and its numbers as text."""

import dataclasses
from collections.abc import Mapping, Sequence

from mdmt_tf.metrics.table import METRICS
from mdmt_tf.metrics.text import in_percent, shown_alike

NOT_STATED = "not stated"
NOT_KNOWN = "not known"


@dataclasses.dataclass(frozen=True)
class Sentences:
    """A list of sentences."""

    texts: tuple[str, ...]
    kind: str = "sentences"


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Names with their values."""

    pairs: tuple[tuple[str, str], ...]
    kind: str = "pairs"


@dataclasses.dataclass(frozen=True)
class Grid:
    """A table with a caption; the first cell of a row is its heading."""

    id: str
    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    kind: str = "grid"


@dataclasses.dataclass(frozen=True)
class Section:
    """A heading with what stands below it."""

    id: str
    title: str
    blocks: tuple[Sentences | Pairs | Grid, ...]


@dataclasses.dataclass(frozen=True)
class Card:
    """A card.

    Attributes:
        title: of the model.
        warnings: what stands above everything.
        opening: what the model answers, and how well.
        not_for: what it must not be used for.
        sections: in their order.
    """

    title: str
    warnings: tuple[str, ...]
    opening: str
    not_for: str
    sections: tuple[Section, ...]


def stated(text: str | Sequence[str] | None) -> str:
    """A statement of the authors, or that there is none.

    Example:
        >>> stated(None), stated(["Screening.", "Triage."])
        ('not stated', 'Screening. Triage.')
    """
    if not text:
        return NOT_STATED
    return text if isinstance(text, str) else " ".join(text)


def known(value: object) -> str:
    """A value, or that nobody knows it; whole numbers with separators.

    Example:
        >>> known(None), known(2700), known("AP")
        ('not known', '2,700', 'AP')
    """
    if value is None:
        return NOT_KNOWN
    return f"{value:,}" if type(value) is int else str(value)


def interval_in_words(name: str, entry: Mapping) -> str:
    """A value with its 95 % interval, or without if that is not estimable.

    Example:
        >>> interval_in_words("auc", {"value": 0.75, "low": 0.6, "high": 0.9})
        '0.750 (0.600 to 0.900)'
        >>> interval_in_words("accuracy", {"value": 0.75, "low": None, "high": None})
        '75.0 % (no interval)'
    """
    if entry["value"] is None:
        return "not defined"
    ends = [entry["low"], entry["high"]]
    text, *ends = shown_alike(name, entry["value"], *(ends if None not in ends else ()))
    unit = " %" if in_percent(name) else ""
    return (
        f"{text} ({' to '.join(ends)}){unit}" if ends else f"{text}{unit} (no interval)"
    )


def metric_title(metric: str) -> str:
    """The name of a metric in tables."""
    return METRICS[metric].title if metric in METRICS else metric.replace("_", " ")
