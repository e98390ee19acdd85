"""The pages of the server, filled once when it starts."""

import base64
import hashlib
import re
from collections.abc import Iterable

from mdmt_tf.marks import NOT_FOR_SENTENCE
from mdmt_tf.metrics.text import threshold_text
from mdmt_tf.pages import render
from mdmt_tf.serving.web import openapi
from mdmt_tf.serving.web.bounds import MEGABYTE
from mdmt_tf.serving.web.schema import (
    TEST_METRICS,
    Interval,
    ModelDescription,
)

BANNER = NOT_FOR_SENTENCE
_FOLDER = "serving/web/templates"
_INLINE = {
    kind: re.compile(rf"<{kind}>(.*?)</{kind}>", re.DOTALL)
    for kind in ("script", "style")
}


def pages(description: ModelDescription, card: str, url: str) -> dict[str, str]:
    """Path -> HTML.

    Args:
        description: of the models.
        card: the model card as a page; "": there is none.
        url: of the server, for examples.
    """
    links = [("/", "Files"), ("/api", "API")]
    if card:
        links.insert(1, ("/card", "Model card"))
    values = {"marks": [BANNER], "pages": links, "model": description}
    made = {
        "/": render(
            f"{_FOLDER}/index.html",
            title=f"Answers of the model {description.name}",
            here="/",
            intro=[f"Trained on {text}." for text in description.trained_on],
            megabytes=f"{description.limits.bytes / MEGABYTE:g}",
            points=_points(description),
            **values,
        ),
        "/api": render(
            f"{_FOLDER}/api.html",
            title=f"API of the model {description.name}",
            here="/api",
            document=openapi.document(),
            url=url,
            **values,
        ),
    }
    if card:
        made["/card"] = card
    return {path: str(text) for path, text in made.items()}


def _points(description: ModelDescription) -> list[list[str]]:
    """The operating points of all tasks, as rows of a table."""
    rows = []
    for name, task in description.tasks.items():
        for point in task.operating_points.values():
            metrics = (point.test.get(metric) for metric in TEST_METRICS)
            text = f"{name}: {point.meaning}"
            threshold = f"{threshold_text(100 * point.threshold)} %"
            rows.append([text, threshold, *map(_interval, metrics)])
    return rows


def _interval(metric: Interval | None) -> str:
    if metric is None:
        return ""
    text = _percent(metric.value)
    if metric.low is None or metric.high is None:
        return text
    return f"{text} ({100 * metric.low:.0f} to {100 * metric.high:.0f})"


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def hashes(texts: Iterable[str]) -> tuple[list[str], list[str]]:
    """Hashes of the scripts and styles in pages, for their policy.

    Example:
        >>> scripts, styles = hashes(["<style>a {}</style>"])
        >>> digest = base64.b64decode(styles[0].removeprefix("sha256-"))
        >>> scripts, digest == hashlib.sha256(b"a {}").digest()
        ([], True)
    """
    found = {}
    for kind, pattern in _INLINE.items():
        inline = {match[1] for text in texts for match in pattern.finditer(text)}
        found[kind] = sorted(map(_hash, inline))
    return found["script"], found["style"]


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
