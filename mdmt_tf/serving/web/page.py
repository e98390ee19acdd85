"""The pages of the server, filled once when it starts."""

import base64
import hashlib
import re
from collections.abc import Iterable

from mdmt_tf.pages import render
from mdmt_tf.serving.web import openapi
from mdmt_tf.serving.web.bounds import MEGABYTE
from mdmt_tf.serving.web.schema import NOT_FOR, ModelDescription

BANNER = f"Not for {NOT_FOR}."
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
            title=f"Answers of {description.name}",
            here="/",
            megabytes=f"{description.limits.bytes / MEGABYTE:g}",
            **values,
        ),
        "/api": render(
            f"{_FOLDER}/api.html",
            title=f"API of {description.name}",
            here="/api",
            document=openapi.document(),
            url=url,
            **values,
        ),
    }
    if card:
        made["/card"] = card
    return {path: str(text) for path, text in made.items()}


def hashes(texts: Iterable[str]) -> tuple[list[str], list[str]]:
    """Hashes of the scripts and styles in pages, for their policy.

    Example:
        >>> scripts, styles = hashes(["<style>a {}</style>"])
        >>> scripts, [one[:13] for one in styles]
        ([], ['sha256-cp8S7v'])
    """
    found = {}
    for kind, pattern in _INLINE.items():
        inline = {match[1] for text in texts for match in pattern.finditer(text)}
        found[kind] = sorted(map(_hash, inline))
    return found["script"], found["style"]


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
