"""Settings of the comparisons of a benchmark."""

from collections.abc import Iterator

from pydantic import Field

from mdmt_tf.config.section import Name, Positive, Problem, Section, not_one_of, rule
from mdmt_tf.metrics.table import METRICS


class ComparisonSection(Section):
    """How experiments are compared, beside the primary comparison."""

    rope: dict[Name, Positive] = Field(
        {},
        description="For a metric, half the width of the region of practical "
        "equivalence: differences up to it do not matter. In the metric's unit, per "
        "cents as fractions (accuracy: 0.02 is 2 points). The report then has the "
        "correlated Bayesian t-test of these metrics.",
    )

    @rule("rope")
    def _metrics_exist(self) -> Iterator[Problem]:
        for name in self.rope:
            yield from not_one_of(name, list(METRICS), "metrics", ("rope", name))
