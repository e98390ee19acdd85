"""A card as Markdown, as GitHub and Hugging Face show it."""

import re
from collections.abc import Iterator, Sequence

from mdmt_tf.cards.blocks import Card, Grid, Pairs, Sentences

# The beginning of a tag, a comment or an entity.
_MARK = re.compile(r"<(?=[A-Za-z/!?])|&(?=#?\w+;)")


def as_markdown(card: Card) -> str:
    """The text of a card.

    Args:
        card: see `content.card_of`.

    Example:
        >>> from mdmt_tf.cards.blocks import Card, Section, Sentences
        >>> use = Section("use", "Use", (Sentences(("In trials.",)),))
        >>> card = Card("ward", (), "Predicts icu.", "Not for you.", (use,))
        >>> print(as_markdown(card))
        # Model card: ward
        <BLANKLINE>
        Predicts icu.
        <BLANKLINE>
        **Not for you.**
        <BLANKLINE>
        ## Use
        <BLANKLINE>
        - In trials.
        <BLANKLINE>
    """
    lines = [f"# Model card: {_escaped(card.title)}", ""]
    for text in card.warnings:
        lines += [f"> **{_escaped(text)}**", ""]
    lines += [_escaped(card.opening), "", f"**{_escaped(card.not_for)}**", ""]
    for section in card.sections:
        lines += [f"## {_escaped(section.title)}", ""]
        for block in section.blocks:
            lines += [*_lines(block), ""]
    return "\n".join(lines)


def _lines(block: Sentences | Pairs | Grid) -> Iterator[str]:
    if isinstance(block, Sentences):
        yield from (f"- {_escaped(text)}" for text in block.texts)
    elif isinstance(block, Pairs):
        yield from _table(("", ""), [(f"**{n}**", v) for n, v in block.pairs])
    else:
        yield f"**{_escaped(block.caption)}**"
        yield ""
        yield from _table(block.headings, block.rows)


def _table(headings: Sequence[str], rows) -> Iterator[str]:
    yield f"| {' | '.join(map(_cell, headings))} |"
    yield f"|{'---|' * len(headings)}"
    for row in rows:
        yield f"| {' | '.join(map(_cell, row))} |"


def _cell(text: str) -> str:
    return _escaped(text).replace("|", "\\|")


def _escaped(text: str) -> str:
    """Text in one line, in which no mark of HTML is one; < before a number is none."""
    return _MARK.sub(r"\\\g<0>", " ".join(text.split()))
