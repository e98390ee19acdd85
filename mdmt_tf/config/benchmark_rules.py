"""Rules about a benchmark and the tasks and images that it uses."""

from collections.abc import Iterator

from mdmt_tf.config.baseline_section import problems_of_baseline
from mdmt_tf.config.experiment_sections import parse_variant
from mdmt_tf.config.image_sizes import problems_of_size
from mdmt_tf.config.section import Problem, not_one_of, rule
from mdmt_tf.models.backbones.table import BACKBONES
from mdmt_tf.tasks.derived import comparable


class BenchmarkRules:
    """What `Config` requires of its benchmark; `self` is the configuration."""

    @rule("image_size", "benchmark.backbones")
    def _backbones_of_the_grid_fit_the_images(self) -> Iterator[Problem]:
        for name in self.benchmark.backbones if self.benchmark else ():
            key = ("benchmark", "backbones")
            yield from problems_of_size(self.image_size, BACKBONES[name], key)

    @rule("tasks")
    def _experiments_train_tasks(self) -> Iterator[Problem]:
        known = list(self.tasks)
        experiments = self.benchmark.experiments if self.benchmark else None
        for name, experiment in (experiments or {}).items():
            key = ("benchmark", "experiments", name, "tasks")
            for task in experiment.tasks:
                yield from not_one_of(task, known, "tasks", key)

    @rule("tasks", "derived", "benchmark.experiments", "benchmark.comparisons")
    def _compared_experiments_share_an_answer(self) -> Iterator[Problem]:
        grid = self.benchmark
        if grid is None or not grid.comparisons:
            return
        answers = list(self._sound_answers().values())
        declared = {*grid.experiments, *(grid.baselines or {})}
        for number, pair in enumerate(grid.comparisons):
            if not {parse_variant(name)[0] for name in pair} <= declared:
                continue
            one, other = (comparable(grid.tasks_of(name), answers) for name in pair)
            if pair[0] != pair[1] and not set(one) & set(other):
                yield (
                    ("benchmark", "comparisons", str(number)),
                    f" = {list(pair)}: the two have no task in common, and no derived "
                    "answer that has the label of a task (derived.NAME.of).",
                )

    @rule("tasks", "benchmark.fractions")
    def _fractions_are_of_tasks(self) -> Iterator[Problem]:
        known = list(self.tasks)
        for name in self.benchmark.fractions if self.benchmark else ():
            key = ("benchmark", "fractions", name)
            yield from not_one_of(name, known, "tasks", key)

    @rule("tasks", "image_size")
    def _baselines_predict_tasks(self) -> Iterator[Problem]:
        baselines = self.benchmark.baselines if self.benchmark else {}
        for name, baseline in baselines.items():
            key = ("benchmark", "baselines", name)
            yield from problems_of_baseline(baseline, self.tasks, self.image_size, key)
