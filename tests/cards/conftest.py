"""Runs whose cards are written."""

import functools

import pytest
from made_runs import make_run

from mdmt_tf.cards import writing
from mdmt_tf.cards.strata import strata_of_run


@pytest.fixture(scope="session", autouse=True)
def few_resamples():
    """Intervals of strata take no time."""
    with pytest.MonkeyPatch.context() as patch:
        few = functools.partial(strata_of_run, resamples=10)
        patch.setattr(writing, "strata_of_run", few)
        yield


@pytest.fixture(scope="session")
def made_run(tmp_path_factory):
    """A finished run; not to be changed."""
    return make_run(tmp_path_factory.mktemp("made") / "run", resamples=10)


@pytest.fixture(scope="session")
def made_facts(made_run, few_resamples):
    """The facts of its card, as they are read from the file."""
    return writing.facts_of(made_run.path)
