"""Characters that nobody can see, in names and in the cells of tables.

They come from web pages, word processors, messages and exports of databases. Two texts
that differ only in them look the same, so none of them may count.

The controls from U+0080 to U+009F are not among them. Where they occur, they are
letters of an encoding that could not be told, and two names may differ in one of these.
"""

# Spaces of every width, and ends of lines.
BLANKS = "".join(c for c in map(chr, range(0x3001)) if c.isspace())

# First and last code point, and what they do instead of being seen.
_RANGES = (
    (0x0000, 0x001F, "controls of terminals and printers"),
    (0x007F, 0x007F, "delete"),
    (0x00AD, 0x00AD, "soft hyphen: where a word may be parted at the end of a line"),
    (0x034F, 0x034F, "combining grapheme joiner: keeps marks apart in sorting"),
    (0x061C, 0x061C, "Arabic letter mark: direction of writing"),
    (0x115F, 0x1160, "fillers of Hangul: places of absent letters"),
    (0x17B4, 0x17B5, "vowels of Khmer that are always there"),
    (0x180B, 0x180F, "variation selectors and vowel separator of Mongolian"),
    (0x200B, 0x200F, "zero width space and joiners, direction of writing"),
    (0x202A, 0x202E, "direction of writing, as in texts copied from a browser"),
    (0x2060, 0x206F, "word joiner, operators of formulas, direction of writing"),
    (0x2800, 0x2800, "Braille pattern without dots"),
    (0x3164, 0x3164, "filler of Hangul"),
    (0xFE00, 0xFE0F, "variation selectors, as behind a coloured emoji"),
    (0xFEFF, 0xFEFF, "byte order mark, as where two files were joined"),
    (0xFFA0, 0xFFA0, "filler of Hangul, half width"),
    (0xFFF9, 0xFFFB, "marks around notes between lines"),
    (0x13430, 0x1343F, "how hieroglyphs are stacked"),
    (0x1BCA0, 0x1BCA3, "how shorthand is joined"),
    (0x1D173, 0x1D17A, "begin and end of beams and slurs in music"),
    (0xE0001, 0xE007F, "tags, such as of a language"),
    (0xE0100, 0xE01EF, "variation selectors"),
)
INVISIBLE = frozenset(
    chr(code) for first, last, _ in _RANGES for code in range(first, last + 1)
)
_ENDS = BLANKS + "".join(sorted(INVISIBLE))


def strip(text: str) -> str:
    """The text without blanks and invisible characters at its ends.

    Example:
        >>> strip("\\ufeff P 1\\u200b ")
        'P 1'
    """
    return text.strip(_ENDS)
