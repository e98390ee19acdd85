"""Rules of a section: in Python they hold at once, in a file all are listed."""

from collections.abc import Iterator

import pydantic
import pytest

from mdmt_tf.config.schema import ModelSection, SplitSection, TaskSection
from mdmt_tf.config.section import Problem, Section, rule


class Pair(Section):
    low: int = 0
    high: int = 1

    @rule("low", "high")
    def _ascends(self) -> Iterator[Problem]:
        if self.low >= self.high:
            yield ("low",), f" = {self.low}: must be less than high."

    def not_a_rule(self):
        raise AssertionError


def test_rules_are_the_marked_methods():
    assert [method.__name__ for method in Pair.rules()] == ["_ascends"]


def test_a_section_that_breaks_a_rule_cannot_be_made():
    assert Pair(low=2, high=3).low == 2
    with pytest.raises(pydantic.ValidationError, match="low = 3: must be less than"):
        Pair(low=3, high=3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SplitSection(folds=3, fold=3), "there is no such fold"),
        (lambda: ModelSection(freeze="all"), "would keep random values"),
        (lambda: ModelSection(backbone="resnet81"), "is not a backbone"),
        (lambda: TaskSection(kind="binary", sources={}), "no dataset feeds this task"),
    ],
)
def test_the_sections_of_a_configuration_have_theirs(make, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        make()
