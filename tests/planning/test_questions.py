"""Questions about the guesses."""

import dataclasses
from types import SimpleNamespace

import pytest

from mdmt_tf.errors import ConfigError
from mdmt_tf.planning.inspection import Given
from mdmt_tf.planning.questions import ask_about, parse_labels

GUESSED = SimpleNamespace(
    columns=dict.fromkeys(["file", "pid", "Sex", "S-Global", "died"]),
    match=SimpleNamespace(column="file"),
    patient=SimpleNamespace(column="pid"),
    site=SimpleNamespace(column=None),
    used=[
        SimpleNamespace(name="s_global", column="S-Global"),
        SimpleNamespace(name="outcome", column="died"),
    ],
    unknown={"n/a": "usual"},
)


class Answers:
    """Gives answers in turn, "" for the guess; keeps the questions."""

    def __init__(self, *answers):
        self.answers, self.questions = list(answers), []

    def __call__(self, question, guess):
        self.questions.append(question)
        return self.answers.pop(0) or guess


def test_empty_answers_take_the_guesses():
    ask = Answers("", "", "", "", "")
    assert ask_about(GUESSED, Given(), ask) == Given(
        image="file",
        patient="pid",
        site="-",
        labels={"s_global": "S-Global", "outcome": "died"},
        unknown=("n/a",),
    )


def test_only_what_is_not_given_is_asked():
    given = Given("file", "pid", "Sex", {"a": "died"}, (), ("x",))
    ask = Answers()
    assert ask_about(GUESSED, given, ask) == given and ask.questions == []
    ask = Answers("died")
    asked = ask_about(GUESSED, dataclasses.replace(given, site=None), ask)
    assert asked.site == "died" and len(ask.questions) == 1


def test_a_wrong_answer_is_asked_again():
    ask = Answers("flie", "file", "", "", "deid", "died,x=died", "")
    given = ask_about(GUESSED, Given(), ask)
    assert given.labels == {"died": "died", "x": "died"}
    assert ask.questions[1].startswith("No column 'flie'. One of file, pid")
    assert ask.questions[5].startswith("No column 'deid'. One or more of")


def test_nothing_is_a_dash():
    ask = Answers("", "", "-", "", "-")
    given = ask_about(GUESSED, Given(), ask)
    assert given.site == "-" and given.unknown == ()


def test_labels_have_names_and_columns():
    assert parse_labels(["outcome=Died or ICU", "LOS (days)"]) == {
        "outcome": "Died or ICU",
        "los_days": "LOS (days)",
    }
    with pytest.raises(ConfigError, match="two labels called 'a'"):
        parse_labels(["A", "a"])
