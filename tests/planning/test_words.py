"""Words in names."""

import pytest

from mdmt_tf.planning import words


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("S-Global", ["s", "global"]),
        ("BodyPartExamined", ["body", "part", "examined"]),
        ("icu__admission offset", ["icu", "admission", "offset"]),
        ("Größe(cm)", ["größe", "cm"]),
        ("", []),
    ],
)
def test_names_are_split_into_words(name, expected):
    assert words.words_of(name) == expected


def test_a_plural_or_numbered_word_counts():
    assert words.has("days in hospital", words.DAYS)
    assert words.has("Score2", words.OUTCOMES)
    assert words.has("images of patients", words.PATIENT)
    assert not words.has("scored", words.OUTCOMES)


@pytest.mark.parametrize("text", ["", "1", "Größe", "a-b", "ÄÖ", "x y", "_a", "日本"])
def test_every_text_becomes_a_key_that_a_configuration_accepts(text):
    import re

    from mdmt_tf.config.section import NAME_PATTERN

    assert re.match(NAME_PATTERN, words.key_name(text))
