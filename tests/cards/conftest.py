"""The card of a run."""

import functools

import pytest

from mdmt_tf.cards import writing
from mdmt_tf.cards.strata import strata_of_run


@pytest.fixture(scope="session")
def made_facts(made_run):
    """The facts of the card of a run, as they are read from the file."""
    with pytest.MonkeyPatch.context() as patch:
        few = functools.partial(strata_of_run, resamples=10)
        patch.setattr(writing, "strata_of_run", few)
        return writing.facts_of(made_run.path)


@pytest.fixture(autouse=True)
def quick(made_facts, no_strata):
    """Only these facts have strata."""
