"""The sentences about synthetic data and the intended use stand in one module."""

import pytest
from source_tree import MODULES

from mdmt_tf import marks


@pytest.mark.parametrize(
    "sentence",
    [
        marks.SYNTHETIC_DATA,
        marks.TRAINED_WITH_SYNTHETIC,
        marks.NOT_FOR,
        marks.start_of_plot(True),
    ],
)
def test_a_sentence_stands_once(sentence):
    found = [
        name
        for name, path in MODULES.items()
        if sentence in path.read_text(encoding="utf-8")
    ]
    assert found == ["mdmt_tf.marks"]
