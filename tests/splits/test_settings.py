"""How to split, from a configuration and from Python."""

from mdmt_tf.config.schema import SplitSection
from mdmt_tf.splits.settings import SplitSettings


def test_a_configuration_that_says_nothing_has_the_same_defaults():
    assert SplitSettings.of(SplitSection()) == SplitSettings()


def test_values_of_a_configuration():
    section = SplitSection(kind="leave_one_site_out", leave_out=["cxr"], fold=2)
    settings = SplitSettings.of(section)
    assert settings == SplitSettings(
        kind="leave_one_site_out", leave_out=("cxr",), fold=2
    )
