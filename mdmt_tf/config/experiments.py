"""The experiments of a benchmark, as the whole configuration makes them."""

import functools
import itertools
from collections.abc import Mapping

from mdmt_tf.config.benchmark_sections import BenchmarkSection
from mdmt_tf.config.experiment_sections import (
    ExperimentSection,
    Feeding,
    matched,
    parse_variant,
    variant_name,
    variants,
)


class Experiments:
    """What each experiment reads, starts from, predicts, and is compared with.

    Args:
        section: the benchmark.
        feeding: which datasets feed the tasks.

    Attributes: the same.
    """

    def __init__(self, section: BenchmarkSection, feeding: Feeding):
        self.section, self.feeding = section, feeding

    @property
    def auxiliary(self) -> frozenset[str]:
        """The datasets that no fold divides."""
        return self.feeding.auxiliary

    @functools.cached_property
    def _declared(self) -> dict[str, ExperimentSection]:
        return matched(self.section.experiments)

    @functools.cached_property
    def resolved(self) -> dict[str, ExperimentSection]:
        """Every experiment as it is run, in order.

        Each is there once for each combination of `fractions` that concerns it, has
        what it takes from the experiment that it matches, and a `start` that is a dict.
        """
        return variants(self._declared, self.section.fractions, self.feeding)

    @property
    def compared(self) -> tuple[tuple[str, str], ...]:
        """The pairs to compare: `comparisons`, or those of the candidate.

        The latter may have no task in common.
        """
        if self.section.comparisons is not None:
            return self.section.comparisons
        if self.section.candidate is None:
            return ()
        others = [*self.section.experiments, *self.section.baselines]
        return tuple(
            (self.section.candidate, other)
            for other in others
            if other != self.section.candidate and self.is_tested(other)
        )

    def datasets_of(self, name: str) -> tuple[str, ...]:
        """The datasets that an experiment, or one of its variants, reads."""
        section = self._declared[parse_variant(name)[0]]
        return self.feeding.read_by(section)

    def trained_with(self, name: str) -> tuple[str, ...]:
        """The datasets that an experiment or its starts read; its own come first."""
        section = self._declared[parse_variant(name)[0]]
        every = map(self.trained_with, section.start)
        own = self.feeding.read_by(section)
        return tuple(dict.fromkeys(itertools.chain(own, *every)))

    def is_tested(self, name: str) -> bool:
        """Whether the folds test an experiment, one of its variants, or a baseline.

        They do not if all the datasets that it reads are auxiliary.
        """
        if name in self.section.baselines:
            return True
        section = self._declared[parse_variant(name)[0]]
        return self.feeding.is_tested(section)

    def tasks_of(self, name: str) -> tuple[str, ...]:
        """The tasks that an experiment, one of its variants, or a baseline predicts."""
        if name in self.section.baselines:
            return (self.section.baselines[name].task,)
        return self.section.experiments[parse_variant(name)[0]].tasks

    def variant(self, name: str, fractions: Mapping[str, float]) -> str | None:
        """The name of an experiment with these fractions of labels.

        Fractions that do not concern the experiment are left out, as are those of a
        baseline. None: there is no such variant.
        """
        if name in self.section.baselines:
            return name
        resolved = self.resolved
        names = [other for other in resolved if parse_variant(other)[0] == name]
        concerned = {task for other in names for task in parse_variant(other)[1]}
        own = {task: fractions.get(task, 1) for task in self.section.fractions}
        own = {task: value for task, value in own.items() if task in concerned}
        found = variant_name(name, own)
        return found if found in resolved else None
