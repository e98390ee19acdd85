"""Answers that follow from those of tasks, and the rules about them."""

from collections.abc import Iterator, Mapping

import numpy as np
from pydantic import Field

from mdmt_tf.config.section import NO_RESULT, Name, Problem, Section, not_one_of, rule
from mdmt_tf.tasks import Answer, Derived, Task
from mdmt_tf.tasks.derived import (
    CategoryOfSum,
    SumOfTasks,
    common_sources,
    possible_sums,
)
from mdmt_tf.tasks.fields import repeated_terms


class DerivedSection(Section):
    """An answer that follows from those of tasks: it has no head and no loss."""

    sum: tuple[Name, ...] = Field(
        description="Tasks whose answers are added up: binary (0 or 1), categorical or "
        "ordinal with numbers as names of their classes, regression. The value is the "
        "sum of their expected grades; the label is the sum of their labels, known "
        "where all are known.",
    )
    cut_points: tuple[float, ...] = Field(
        (),
        description="Ascending bounds that turn the sum into a category, a lower bound "
        "inclusive. The category of the value is predicted, and the answer NAME_sum is "
        "the value itself. Probabilities take the tasks as independent given the "
        "image, so no regression may be among them. The value has fractions: of whole "
        "scores, [4.5, 8.5] makes the categories of [5, 9] and rounds the value to the "
        "nearest one. []: the answer is the sum.",
    )
    classes: tuple[str, ...] = Field(
        (),
        description="Names of the categories, in the order of their index; []: made "
        "from cut_points.",
    )
    descending: bool = Field(
        False, description="Whether a smaller sum is a higher category."
    )
    of: Name | None = Field(
        None,
        description="A task with the same label. In a benchmark, experiments that "
        "train it and not the tasks of the sum are compared with the derived answer of "
        "the others, in its tables. null: none.",
        json_schema_extra=NO_RESULT,
    )

    def names(self, name: str) -> tuple[str, ...]:
        """The names of its answers: NAME, and NAME_sum if that is a category."""
        return (name, f"{name}_sum") if self.cut_points else (name,)

    def answers(self, name: str, tasks: Mapping[str, Task]) -> tuple[Derived, ...]:
        """The answers, each with the datasets that feed all tasks of the sum.

        Args:
            name: of the section.
            tasks: by name, among them those of `sum`.
        """
        added = [tasks[term] for term in self.sum]
        facts = {
            "sources": common_sources(added),
            "terms": {task.name: task.grades for task in added},
        }
        of, own = tasks.get(self.of), self.names(name)
        if not self.cut_points:
            return (SumOfTasks(name=own[0], of=of, **facts),)
        category = CategoryOfSum(name=own[0], of=of, **facts, **self._categories)
        return category, SumOfTasks(name=own[1], **facts)

    @property
    def _categories(self) -> dict:
        keys = ("classes", "cut_points", "descending")
        return {key: getattr(self, key) for key in keys}

    @rule("sum")
    def _several_tasks_are_added_once(self) -> Iterator[Problem]:
        if len(self.sum) < 2:
            yield ("sum",), f" = {list(self.sum)}: expected two tasks or more."
        for task in dict.fromkeys(self.sum):
            if self.sum.count(task) > 1:
                yield ("sum",), f" = {list(self.sum)}: {task!r} appears twice."

    @rule("cut_points", "classes", "descending")
    def _categories_are_those_of_cut_points(self) -> Iterator[Problem]:
        if self.cut_points:
            yield from CategoryOfSum(
                name="sum", terms={}, **self._categories
            ).problems()
            return
        for key in ("classes", "descending"):
            if value := getattr(self, key):
                shown = "true" if value is True else list(value)
                yield (
                    (key,),
                    f" = {shown}: has no meaning without cut_points, which make "
                    "categories of the sum. Give them, or leave it out.",
                )


class DerivedRules:
    """What `Config` requires of its derived answers; `self` is the configuration."""

    @rule("tasks", "derived")
    def _derived_answers_have_names_of_their_own(self) -> Iterator[Problem]:
        taken = {name: f"the task {name!r}" for name in self.tasks}
        for name, section in self.tasks.items():
            calibrated = section.to_task(name).calibrated_name
            taken[calibrated] = f"the calibrated probabilities of {name!r}"
        for name, section in self.derived.items():
            for own in section.names(name):
                if own in taken:
                    what = "this" if own == name else f"{own}, the name of its sum,"
                    yield (
                        ("derived", name),
                        f": {what} is the name of {taken[own]}. Choose another one.",
                    )
            made = {own: f"the derived answer {own!r}" for own in section.names(name)}
            calibrated = f"{name}_calibrated"
            made[calibrated] = f"the calibrated probabilities of {name!r}"
            if section.cut_points and calibrated in self.tasks:
                yield (
                    ("derived", name),
                    f": its calibrated probabilities, {calibrated}, have the name of "
                    "a task. Choose another one.",
                )
            taken |= made

    @rule("tasks", "derived")
    def _sums_are_of_tasks_with_grades(self) -> Iterator[Problem]:
        known = list(self.tasks)
        for name, section in self.derived.items():
            key = ("derived", name, "sum")
            for term in section.sum:
                yield from not_one_of(term, known, "tasks", key)
                if term in known:
                    task = self.tasks[term].to_task(term)
                    yield from _problems_of_term(task, section, key)

    @rule("tasks", "derived")
    def _categories_can_be_reached(self) -> Iterator[Problem]:
        for name, section in self.derived.items():
            if not section.cut_points or not self._is_sound(section):
                continue
            answer = section.answers(name, self._tasks_by_name())[0]
            sums = possible_sums(list(answer.terms.values()))
            counts = np.bincount(answer.encode(sums), minlength=answer.n_classes)
            for category in np.flatnonzero(counts == 0):
                yield (
                    ("derived", name, "cut_points"),
                    f" = {list(section.cut_points)}: no sum is in the category "
                    f"{answer.class_names[category]!r}. The sums of its tasks are from "
                    f"{sums[0]:g} to {sums[-1]:g}.",
                )

    @rule("tasks", "derived")
    def _a_dataset_feeds_all_tasks_of_a_sum(self) -> Iterator[Problem]:
        for name, section in self.derived.items():
            if not set(section.sum) <= set(self.tasks):
                continue
            tasks = [self.tasks[term].to_task(term) for term in section.sum]
            for dataset in common_sources(tasks):
                if text := repeated_terms(tasks, dataset):
                    yield (
                        ("derived", name, "sum"),
                        f" = {list(section.sum)}: {text} in dataset {dataset!r}. "
                        "Expected another label for each task of the sum.",
                    )
            if not common_sources(tasks):
                fed = {d: None for task in tasks for d in task.sources}
                words = "; ".join(
                    f"{dataset} does not feed "
                    f"{', '.join(t.name for t in tasks if dataset not in t.sources)}"
                    for dataset in fed
                )
                yield (
                    ("derived", name, "sum"),
                    f" = {list(section.sum)}: no dataset feeds all of these tasks, so "
                    f"no image has a label of the sum ({words}). Name a dataset in "
                    "the `from` of all of them.",
                )

    @rule("tasks", "derived")
    def _a_task_of_the_same_label_is_alike(self) -> Iterator[Problem]:
        for name, section in self.derived.items():
            key, other = ("derived", name, "of"), section.of
            if other is None:
                continue
            yield from not_one_of(other, list(self.tasks), "tasks", key)
            if other in section.sum:
                yield key, f" = {other!r}: is a task of the sum itself."
            elif other in self.tasks and self._is_sound(section):
                answer = section.answers(name, self._tasks_by_name())[0]
                task = self.tasks[other].to_task(other)
                yield from _differences(answer, task, key)

    def _tasks_by_name(self) -> dict[str, Task]:
        return {name: section.to_task(name) for name, section in self.tasks.items()}

    def _sound_answers(self) -> dict[str, Answer]:
        """By name: the tasks, and the derived answers without problems."""
        tasks = self._tasks_by_name()
        made = [
            answer
            for name, section in (self.derived or {}).items()
            if self._is_sound(section)
            for answer in section.answers(name, tasks)
        ]
        # The tasks first; a name that is taken twice is another rule's problem.
        return tasks | {
            answer.name: answer for answer in made if answer.name not in tasks
        }

    def _is_sound(self, section: DerivedSection) -> bool:
        """Whether the answers of a section can be made."""
        if not set(section.sum) <= set(self.tasks):
            return False
        tasks = [self.tasks[term].to_task(term) for term in section.sum]
        return not any(any(_problems_of_term(task, section, ())) for task in tasks)


def _problems_of_term(
    task: Task, section: DerivedSection, key: tuple[str, ...]
) -> Iterator[Problem]:
    """Why a task cannot be a part of the sum."""
    if task.grades is None:
        names = ", ".join(task.classes)
        received = f" with the classes {names}" if names else ""
        yield (
            key,
            f": {task.name!r} has the kind {task.kind}{received}. Expected a binary "
            "task, a regression, or a categorical or ordinal task whose `classes` are "
            "numbers, such as ['0', '1', '2', '3'].",
        )
    elif section.cut_points and not task.grades:
        yield (
            key,
            f": {task.name!r} is a number without probabilities, so the sum has no "
            "probabilities of categories. Leave cut_points out, or the task.",
        )


def _differences(
    answer: Derived, task: Task, key: tuple[str, ...]
) -> Iterator[Problem]:
    """Why the label of a task cannot be that of a derived answer."""
    if task.label_shape or bool(task.class_names) != bool(answer.class_names):
        expected = "one of its categories" if answer.class_names else "a number"
        yield (
            key,
            f" = {task.name!r}: is a {task.kind} task. Expected a task whose label is "
            f"{expected}, as that of the derived answer.",
        )
    elif task.n_classes != answer.n_classes:
        yield (
            key,
            f" = {task.name!r}: has {task.n_classes} classes "
            f"({', '.join(task.class_names)}). Expected those of the derived answer: "
            f"{', '.join(answer.class_names)}.",
        )
    elif task.cut_points:
        sums = possible_sums(list(answer.terms.values()))
        pairs = zip(sums, answer.encode(sums), task.encode(sums), strict=True)
        others = [total for total, own, other in pairs if own != other]
        if others:
            yield (
                key,
                f" = {task.name!r}: its cut points {list(task.cut_points)} put a sum "
                f"of {others[0]:g} into another category than those of the derived "
                f"answer, {list(answer.cut_points)}. Expected the same categories.",
            )
