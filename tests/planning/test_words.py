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


@pytest.mark.parametrize(
    "name",
    ["verstorben", "Mortalität", "Décès à 30 jours", "DÉCÉDÉ", "Gravità", "overleden"],
)
def test_outcomes_have_names_in_several_languages(name):
    assert words.has(name, words.OUTCOMES) and words.has(name, words.CHIEF)


def test_the_form_of_an_accent_does_not_count():
    one, other = "De\u0301ce\u0300s", "D\u00e9c\u00e8s"
    assert one != other
    assert words.plain_words_of(one) == words.plain_words_of(other) == ["deces"]


def test_two_words_that_follow_each_other_count_as_one():
    assert words.has("PAT_ID", words.PATIENT)
    assert not words.has("id pat", words.PATIENT)


@pytest.mark.parametrize("text", ["", "1", "Größe", "a-b", "ÄÖ", "x y", "_a", "日本"])
def test_every_text_becomes_a_key_that_a_configuration_accepts(text):
    import re

    from mdmt_tf.config.section import NAME_PATTERN

    assert re.match(NAME_PATTERN, words.key_name(text))
