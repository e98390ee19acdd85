"""Rules about a benchmark and the tasks and images that it uses."""

from collections.abc import Iterator

from mdmt_tf.config.baseline_section import problems_of_baseline
from mdmt_tf.config.experiment_sections import matched
from mdmt_tf.config.image_sizes import problems_of_size
from mdmt_tf.config.section import Problem, not_one_of, rule
from mdmt_tf.models.backbones.table import BACKBONES
from mdmt_tf.tasks.derived import comparable

_UNTESTED = (
    ": all datasets that it reads are auxiliary, so no fold tests it. Compare an "
    "experiment that starts from it."
)


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

    @rule("tasks", "datasets", "benchmark.experiments")
    def _experiments_read_datasets(self) -> Iterator[Problem]:
        experiments = self.benchmark.experiments if self.benchmark else {}
        feeding, known = self.feeding, list(self.datasets)
        for name, section in matched(experiments).items():
            key = ("benchmark", "experiments", name, "datasets")
            own = experiments[name].datasets or ()
            unknown = [dataset for dataset in own if dataset not in known]
            for dataset in unknown:
                yield from not_one_of(dataset, known, "datasets", key)
            if unknown or section.datasets is None:
                continue
            for dataset in own:
                if dataset not in feeding.read_by(section):
                    yield (
                        key,
                        f": {dataset!r} feeds none of its tasks, "
                        f"{', '.join(section.tasks)}. Leave it out.",
                    )
            for task in section.tasks:
                if task in self.tasks and not feeding.read_for(task, section):
                    taken = "" if own else f", as {section.match!r}, which it matches"
                    yield (
                        key,
                        f" = {list(section.datasets)}{taken}: none of them feeds "
                        f"{task!r}. Add one of {', '.join(feeding.sources[task])}, or "
                        "leave the task out.",
                    )

    @rule("tasks", "datasets", "benchmark.fractions")
    def _fractions_are_of_tasks_or_datasets(self) -> Iterator[Problem]:
        known = [*self.tasks, *self.datasets]
        for name in self.benchmark.fractions if self.benchmark else ():
            key = ("benchmark", "fractions", name)
            if name in self.tasks and name in self.datasets:
                yield (
                    key,
                    ": is the name of a task and of a dataset. Give the task another "
                    "name.",
                )
            yield from not_one_of(name, known, "tasks and datasets", key)

    @rule("tasks", "datasets", "benchmark.experiments", "benchmark.candidate")
    def _candidate_is_tested(self) -> Iterator[Problem]:
        if self.benchmark is None or not self.benchmark.experiments:
            return
        experiments = self.experiments
        tested = [e for e in self.benchmark.experiments if experiments.is_tested(e)]
        if not tested:
            yield (
                ("benchmark", "experiments"),
                ": all datasets that they read are auxiliary, so no fold tests any of "
                "them. Set datasets.NAME.auxiliary=false for one.",
            )
            return
        candidate = self.benchmark.candidate
        if candidate in self.benchmark.experiments and candidate not in tested:
            yield ("benchmark", "candidate"), f" = {candidate!r}{_UNTESTED}"

    @rule("tasks", "derived", "datasets", "benchmark")
    def _compared_experiments_share_an_answer(self) -> Iterator[Problem]:
        benchmark = self.benchmark
        if benchmark is None or not benchmark.comparisons:
            return
        # Variants cannot be made of experiments that lead nowhere, or in a circle.
        for others in (
            benchmark.starts_can_be_reached,
            benchmark.matched_experiments_match_none,
        ):
            if any(others()):
                return
        experiments = self.experiments
        known = [*experiments.resolved, *benchmark.baselines]
        answers = list(self._sound_answers().values())
        seen = set()
        for number, pair in enumerate(benchmark.comparisons):
            key = ("benchmark", "comparisons", str(number))
            unknown = [name for name in pair if name not in known]
            for name in unknown:
                yield from not_one_of(name, known, "experiments", key)
            if unknown:
                continue
            one, other = pair
            untested = [name for name in pair if not experiments.is_tested(name)]
            if one == other:
                yield key, f" = {list(pair)}: compares {one!r} with itself."
            elif not set(comparable(experiments.tasks_of(one), answers)).intersection(
                comparable(experiments.tasks_of(other), answers)
            ):
                yield (
                    key,
                    f" = {list(pair)}: the two have no task in common, and no derived "
                    "answer that has the label of a task (derived.NAME.of).",
                )
            elif untested:
                yield key, f" = {list(pair)}: {untested[0]!r}{_UNTESTED}"
            elif frozenset(pair) in seen:
                yield key, f" = {list(pair)}: these two are compared already."
            seen.add(frozenset(pair))

    @rule("tasks", "datasets", "image_size")
    def _baselines_predict_tasks(self) -> Iterator[Problem]:
        baselines = self.benchmark.baselines if self.benchmark else {}
        for name, baseline in baselines.items():
            key = ("benchmark", "baselines", name)
            tasks = self.tested_tasks
            if baseline.task in self.tasks and baseline.task not in tasks:
                yield (
                    key,
                    f": all datasets that feed {baseline.task!r} are auxiliary, so no "
                    "fold tests it. Choose another task.",
                )
                continue
            yield from problems_of_baseline(baseline, tasks, self.image_size, key)
