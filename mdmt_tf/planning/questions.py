"""Ask about the guesses in a terminal; the answers replace flags that are not given."""

import dataclasses
from collections.abc import Callable, Sequence

from mdmt_tf.errors import ConfigError
from mdmt_tf.planning.inspection import NOTHING, Given, Inspection
from mdmt_tf.planning.words import key_name

# A question and the guess -> the answer.
Ask = Callable[[str, str], str]


def ask_in_terminal(question: str, guess: str) -> str:
    from rich.prompt import Prompt

    return Prompt.ask(question, default=guess)


def ask_about(guessed: Inspection, given: Given, ask: Ask) -> Given:
    """Ask for what the user has not given. An empty answer takes the guess.

    Args:
        guessed: the inspection without answers.
    """
    columns = list(guessed.columns)
    answers: dict = {}
    if given.image is None:
        answers["image"] = _column(ask, "Image column", guessed.match.column, columns)
    if given.patient is None:
        answers["patient"] = _column(
            ask,
            f"Patient column ({NOTHING} if every image is another patient)",
            guessed.patient.column,
            columns,
        )
    if given.site is None:
        question = f"Site column ({NOTHING} for none)"
        answers["site"] = _column(ask, question, guessed.site.column, columns)
    if not given.labels:
        guess = ",".join(_shown(label.name, label.column) for label in guessed.used)
        answers["labels"] = _labels(ask, guess, columns)
    if not given.unknown:
        guess = ",".join(guessed.unknown) or NOTHING
        answer = ask("What else than an empty cell means unknown", guess)
        words = [word.strip() for word in answer.split(",") if word.strip()]
        answers["unknown"] = tuple(word for word in words if word != NOTHING)
    return dataclasses.replace(given, **answers)


def parse_labels(texts: Sequence[str]) -> dict[str, str]:
    """Label -> column, from NAME=COLUMN or COLUMN alone.

    Raises: ConfigError for a label that is named twice.

    Example:
        >>> parse_labels(["died=Exitus", "S-Global"])
        {'died': 'Exitus', 's_global': 'S-Global'}
    """
    labels: dict[str, str] = {}
    for text in texts:
        name, equals, column = text.partition("=")
        name, column = key_name(name), column if equals else text
        if name in labels:
            raise ConfigError(
                f"--label {text}: there are two labels called {name!r}. Give each a "
                "name: --label NAME=COLUMN."
            )
        labels[name] = column.strip()
    return labels


def _shown(name: str, column: str) -> str:
    return column if name == key_name(column) else f"{name}={column}"


def _column(ask: Ask, question: str, guess: str | None, columns: list) -> str:
    while True:
        answer = ask(question, guess or NOTHING).strip()
        if answer in (NOTHING, *columns):
            return answer
        question = f"No column {answer!r}. One of {', '.join(columns)}"


def _labels(ask: Ask, guess: str, columns: list) -> dict[str, str]:
    question = "Labels to predict, as COLUMN or NAME=COLUMN, with commas"
    while True:
        answer = ask(question, guess)
        try:
            labels = parse_labels([t.strip() for t in answer.split(",") if t.strip()])
        except ConfigError as error:
            question = str(error)
            continue
        wrong = [column for column in labels.values() if column not in columns]
        if labels and not wrong:
            return labels
        about = f"No column {wrong[0]!r}. " if wrong else ""
        question = f"{about}One or more of {', '.join(columns)}"
