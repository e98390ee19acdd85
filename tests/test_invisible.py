"""Characters that nobody can see."""

import sys
import unicodedata

from mdmt_tf import invisible, names

# Of the category "format", but drawn: signs that stand before or around numbers.
DRAWN = frozenset(
    map(
        chr, (*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD)
    )
)


# Letters of an encoding that could not be told.
UNDECODED = frozenset(map(chr, range(0x80, 0xA0)))


def test_all_controls_and_formats_that_are_not_drawn_are_listed():
    characters = map(chr, range(sys.maxunicode + 1))
    unseen = {c for c in characters if unicodedata.category(c) in ("Cc", "Cf")}
    assert unseen - DRAWN - UNDECODED <= invisible.INVISIBLE
    assert not (DRAWN | UNDECODED) & invisible.INVISIBLE


def test_names_that_differ_in_a_letter_of_another_encoding_are_two():
    assert names.folded("p\x81") != names.folded("p\x8d") != names.folded("p")
    assert invisible.strip("p\x81") == "p\x81"


def test_nothing_that_is_drawn_is_listed():
    kinds = {unicodedata.category(c) for c in invisible.INVISIBLE}
    # No letter but fillers, no digit, no sign but the blank of Braille.
    assert kinds <= {"Cc", "Cf", "Cn", "Mn", "Lo", "So"}
    for c in invisible.INVISIBLE:
        if unicodedata.category(c) in ("Lo", "So"):
            assert "FILLER" in unicodedata.name(c) or c == "\u2800"
        if unicodedata.category(c) == "Mn":
            name = unicodedata.name(c)
            assert "VARIATION" in name or "JOINER" in name or "INHERENT" in name


def test_names_and_cells_see_the_same_characters():
    for c in invisible.INVISIBLE:
        assert invisible.strip(f"{c}a{c}") == "a"
        assert names.clean(f"{c}a{c}b{c}") == ("a b" if c.isspace() else "ab")


def test_blanks_within_a_text_stay():
    for c in invisible.BLANKS:
        assert invisible.strip(f"{c}a{c}b{c}") == f"a{c}b"
