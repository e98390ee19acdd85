"""Patients of whom heads are drawn."""

import pytest

from mdmt_tf.phantoms.head.studies import ich_csic


@pytest.fixture(scope="session")
def studies():
    return ich_csic(5, 16)
