"""Rules about tasks, and the datasets and splits that feed them."""

from collections.abc import Iterator

from mdmt_tf.config.data_sections import SplitSection, TaskSection, is_trained
from mdmt_tf.config.section import Problem, not_one_of, rule
from mdmt_tf.errors import nearest
from mdmt_tf.metrics.table import selecting
from mdmt_tf.tasks import Derived
from mdmt_tf.tasks.fields import exchanged_tasks

# Value of model.unseen_dataset; no name of a dataset.
AVERAGE = "average"

# What makes the targets of a task: a flipped image takes them from the mirrored one.
_EXCHANGED = (
    *("kind", "classes", "cut_points", "descending", "loss"),
    *("permute", "fraction"),
)


class TaskRules:
    """What `Config` requires of its tasks; `self` is the configuration."""

    @property
    def trained_tasks(self) -> tuple[str, ...]:
        """The tasks that fractions leave labels to train with.

        The other ones have a head that nothing trains.
        """
        fractions = self.dataset_fractions
        return tuple(
            name
            for name, task in self.tasks.items()
            if is_trained(
                task.fraction,
                [fractions[own] for own in task.sources if own in fractions],
            )
        )

    @property
    def taught_tasks(self) -> tuple[str, ...]:
        """The tasks whose head has learned something, here or in the start."""
        return tuple(self.tasks) if self.model.start_heads else self.trained_tasks

    @rule("tasks")
    def _outputs_have_different_names(self) -> Iterator[Problem]:
        for name, section in self.tasks.items():
            calibrated = section.to_task(name).calibrated_name
            if calibrated in self.tasks:
                yield (
                    ("tasks", calibrated),
                    f": this is the name of the calibrated probabilities of {name!r} "
                    "in the exported model. Choose another name.",
                )

    @rule("tasks")
    def _mirrored_tasks_name_each_other(self) -> Iterator[Problem]:
        for name, section in self.tasks.items():
            key, other = ("tasks", name, "mirror"), section.mirror
            if other is None:
                continue
            if other not in self.tasks:
                yield (
                    key,
                    f" = {other!r}: is not one of the tasks."
                    f"{nearest(other, list(self.tasks))} Without it, set "
                    f"tasks.{name}.mirror=null and "
                    "pipeline.augmentation.flip_probability=0.",
                )
                continue
            one, its = section, self.tasks[other]
            if its.mirror != name:
                yield (
                    key,
                    f" = {other!r}: expected tasks.{other}.mirror = {name!r}, too. "
                    f"Received: {its.mirror!r}.",
                )
            elif differing := _differing(one, its):
                yield (
                    key,
                    f" = {other!r}: expected two tasks whose targets can be exchanged. "
                    f"Received: different {', '.join(differing)}. Give both the same.",
                )
            elif one.to_task(name).is_standardized and one.standardize:
                yield (
                    key,
                    f" = {other!r}: each is standardised by its own mean and "
                    f"std. Set tasks.{name}.standardize=false and "
                    f"tasks.{other}.standardize=false.",
                )

    @rule("tasks", "pipeline.augmentation")
    def _mirrored_tasks_know_all_flips(self) -> Iterator[Problem]:
        mirrored = [name for name, section in self.tasks.items() if section.mirror]
        augmentation = self.pipeline.augmentation
        for number, layer in enumerate(augmentation.layers if augmentation else ()):
            if mirrored and "RandomFlip" in layer.names:
                yield (
                    ("pipeline", "augmentation", "layers", str(number)),
                    f" = {layer.layer}: does not say which images it flips, and the "
                    f"label of {mirrored[0]!r} depends on it (mirror). Use "
                    "flip_probability.",
                )

    @rule("tasks")
    def _one_task_oversamples_a_dataset(self) -> Iterator[Problem]:
        by_dataset: dict[str, str] = {}
        for name, task in self.tasks.items():
            for source in task.sources if task.oversample else ():
                other = by_dataset.setdefault(source, name)
                if other != name:
                    yield (
                        ("tasks", name, "oversample"),
                        f": dataset {source!r} is oversampled for {other!r} already; "
                        "its rows can be drawn by the classes of one task only.",
                    )

    @rule("datasets")
    def _tasks_are_fed_by_datasets(self) -> Iterator[Problem]:
        known = list(self.datasets)
        for name, task in (self.tasks or {}).items():
            for source in task.sources:
                if source not in known:
                    yield (
                        ("tasks", name, "from", source),
                        f": is not one of the datasets.{nearest(source, known)} Listed "
                        f"under `datasets`: {', '.join(known)}.",
                    )

    @rule("dataset", "tasks")
    def _tasks_take_declared_labels(self) -> Iterator[Problem]:
        if (declared := self.dataset) is None:
            return
        for name, task in self.tasks.items():
            sources = task.sources.get(declared.name, ())
            for field in [sources] if isinstance(sources, str) else sources:
                key = ("tasks", name, "from", declared.name)
                if (problem := declared.problem_of_source(field)) is not None:
                    yield key, problem
                    continue
                label = declared.labels.get(field)
                names = label.class_names if label else ()
                if names and not task.classes:
                    yield (
                        key,
                        f" = {field!r}: expected a number. Received: a label with the "
                        f"classes {', '.join(names)}.",
                    )
                elif isinstance(sources, str) and set(names) - set(task.classes):
                    yield (
                        ("tasks", name, "classes"),
                        f" = {list(task.classes)}: dataset.labels.{field} has the "
                        f"classes {', '.join(names)}. Expected the same names; the "
                        "order is the task's.",
                    )

    @rule("tasks")
    def _no_task_takes_the_field_of_another(self) -> Iterator[Problem]:
        tasks = [section.to_task(name) for name, section in self.tasks.items()]
        for dataset in dict.fromkeys(d for task in tasks for d in task.sources):
            for name, text in exchanged_tasks(tasks, dataset):
                yield (
                    ("tasks", name, "from", dataset),
                    f": {text}. Give each task its own field.",
                )

    @rule("tasks", "datasets")
    def _datasets_feed_tasks(self) -> Iterator[Problem]:
        fed = {source for task in self.tasks.values() for source in task.sources}
        # A name that is none of the datasets is reported, and may mean one.
        for name in self.datasets if fed <= set(self.datasets) else ():
            if name not in fed:
                yield (
                    ("datasets", name),
                    ": feeds no task, so its images would train nothing. Name "
                    "it in the `from` of a task, or remove it.",
                )

    @rule("datasets")
    def _left_out_sites_are_of_datasets(self) -> Iterator[Problem]:
        for path, split in self._splits():
            known = list((split.whole or self).datasets or ())
            key = (*path, "leave_out")
            if split.kind == "leave_one_site_out" and not split.leave_out:
                divided = [name for name in known if name not in self.auxiliary]
                yield (
                    key,
                    ": missing; leave_one_site_out needs the datasets whose sites are "
                    "left out in turn, for example "
                    f"{'.'.join(key)}=[{', '.join((divided or known)[:1])}].",
                )
            for name in split.leave_out:
                yield from not_one_of(name, known, "datasets", key)
                if name in self.auxiliary:
                    yield (
                        key,
                        f": {name!r} is auxiliary, and no fold divides it. Leave it "
                        f"out, or set datasets.{name}.auxiliary=false.",
                    )

    @rule("datasets")
    def _patients_of_auxiliary_datasets_are_tested_by_no_fold(
        self,
    ) -> Iterator[Problem]:
        for name in self.auxiliary:
            own = self.patients.get(name)
            for other, patients in self.patients.items():
                if patients == own and other not in self.auxiliary:
                    yield (
                        ("datasets", name, "patients"),
                        f" = {own!r}: the patients of {other}, too, but {name} is "
                        "auxiliary: no fold divides it, so tested patients would be "
                        f"trained with. Set datasets.{name}.auxiliary=false.",
                    )

    @rule("tasks")
    def _splits_are_stratified_by_tasks(self) -> Iterator[Problem]:
        for path, split in self._splits():
            known = list((split.whole or self).tasks or ())
            for name in split.stratify_by:
                yield from not_one_of(name, known, "tasks", (*path, "stratify_by"))

    def _splits(self) -> Iterator[tuple[tuple[str, ...], SplitSection]]:
        """Every split of the configuration, with its key."""
        if self.split is not None:
            yield ("split",), self.split
        named = self.benchmark.cross_validation if self.benchmark else None
        for name, split in (named or {}).items():
            yield ("benchmark", "cross_validation", name), split

    @rule("datasets", "model.unseen_dataset")
    def _unseen_dataset_is_served(self) -> Iterator[Problem]:
        chosen, key = self.model.unseen_dataset, ("model", "unseen_dataset")
        if chosen == AVERAGE:
            return
        yield from not_one_of(chosen, [*self.datasets, AVERAGE], "datasets", key)
        if not self.model.is_per_dataset:
            yield (
                key,
                f" = {chosen!r}: is for model.batch_norm = per_dataset. Received: "
                f"{self.model.batch_norm}, whose statistics are those of all datasets.",
            )

    @rule("tasks", "derived", "training.select_on")
    def _selection_is_by_a_task(self) -> Iterator[Problem]:
        chosen, answers = self.training.select_on, self._sound_answers()
        known = list(answers)
        if chosen.task not in answers:
            yield (
                ("training", "select_on", "task"),
                f" = {chosen.task!r}: is not one of the tasks."
                f"{nearest(chosen.task, known)} Tasks: {', '.join(known)}.",
            )
            return
        answer = answers[chosen.task]
        metrics = selecting(answer)
        if chosen.metric not in metrics:
            what = "derived answer" if isinstance(answer, Derived) else "task"
            yield (
                ("training", "select_on", "metric"),
                f" = {chosen.metric!r}: unknown for a {answer.kind} {what}."
                f"{nearest(chosen.metric, metrics)} Known: {', '.join(metrics)}.",
            )

    @rule("tasks", "derived", "datasets", "training.select_on")
    def _selecting_task_is_trained(self) -> Iterator[Problem]:
        chosen = self.training.select_on.task
        answer = self._sound_answers().get(chosen)
        terms = list(answer.terms) if isinstance(answer, Derived) else []
        trained = self.trained_tasks
        if not trained:
            one_is_used = any(self.dataset_fractions.values())
            kind = "tasks" if one_is_used else "datasets"
            names = self.tasks if one_is_used else self.datasets
            yield (
                (kind, list(names)[-1], "fraction"),
                " = 0: no task has labels to train with. Raise the fraction of one.",
            )
        elif chosen in self.tasks and chosen not in trained:
            reason = f"tasks.{chosen}.fraction = 0"
            if self.tasks[chosen].fraction:
                reason = "fraction = 0 of all datasets that feed it"
            yield (
                ("training", "select_on", "task"),
                f" = {chosen!r}: with {reason} it is not trained, "
                f"so no epoch is better than another. Expected {' or '.join(trained)}.",
            )
        elif untrained := [name for name in terms if name not in trained]:
            yield (
                ("training", "select_on", "task"),
                f" = {chosen!r}: is derived from {untrained[0]!r}, which is not "
                f"trained, since its fraction is 0. Expected one of the "
                f"trained tasks: {', '.join(trained)}.",
            )


def _differing(one: TaskSection, other: TaskSection) -> list[str]:
    """The keys that forbid two tasks to exchange their targets."""
    found = [key for key in _EXCHANGED if getattr(one, key) != getattr(other, key)]
    return found + ["from"] * (set(one.sources) != set(other.sources))
