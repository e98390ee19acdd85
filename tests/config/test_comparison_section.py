"""The section `benchmark.comparison`."""

import pytest

from mdmt_tf import config
from mdmt_tf.config.comparison_section import ComparisonSection
from mdmt_tf.errors import ConfigError


def load(rope):
    return config.load("replication_phantom", [f"benchmark.comparison.rope={rope}"])


def test_rope_of_metrics():
    section = load("{auc: 0.02}").benchmark.comparison
    assert section == ComparisonSection(rope={"auc": 0.02})
    assert config.load("replication_phantom", []).benchmark.comparison.rope == {}


@pytest.mark.parametrize(
    "rope, message",
    [
        ("{acc: 0.02}", r"comparison.rope.acc.*is not one of the metrics"),
        ("{auc: 0}", "greater than 0"),
        ("{auc: -0.1}", "greater than 0"),
    ],
)
def test_what_is_refused(rope, message):
    with pytest.raises(ConfigError, match=message):
        load(rope)
