"""Settings of the data: synthetic data, tasks, datasets, the split."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field

from mdmt_tf.config.section import (
    NO_RESULT,
    Name,
    Positive,
    Probability,
    Problem,
    Section,
    Seed,
    rule,
    younger,
)
from mdmt_tf.imaging.preprocess import DEFAULT
from mdmt_tf.tasks import KINDS, Task, make_task


def is_trained(fraction: float, of_datasets: Collection[float]) -> bool:
    """Whether the fractions leave a task any label to train with.

    Args:
        fraction: of the task.
        of_datasets: those of the datasets that feed it; none are as if all were whole.

    Example:
        >>> is_trained(1.0, [0.0, 0.1]), is_trained(1.0, [0.0]), is_trained(0.0, [1.0])
        (True, False, False)
    """
    return fraction != 0 and (not of_datasets or any(own != 0 for own in of_datasets))


class TaskSection(Section):
    """A task: one output of the model, under a name of your own."""

    kind: Literal[tuple(KINDS)] = Field(
        description="Kind of the target. "
        + "; ".join(f"{name}: {kind.summary()}" for name, kind in KINDS.items())
        + "."
    )
    classes: tuple[str, ...] = Field(
        (),
        description="Names of the classes in the order of their index. The last of two "
        "is the positive one. A numeric label is the class of that name if all names "
        "are numbers, else an index from 0. May be omitted if cut_points are given.",
    )
    cut_points: tuple[float, ...] = Field(
        (),
        description="Ascending bounds that turn a numeric label into a class, in the "
        "label's unit; a lower bound is inclusive. [5, 9, 14] makes 4 classes.",
    )
    descending: bool = Field(
        False,
        description="Whether a smaller label is a higher class, as for a coma score.",
    )
    sources: dict[Name, str | tuple[str, ...]] = Field(
        alias="from",
        description="For each dataset that feeds the task, its label field. field[2] "
        "is the third number of a field with several. multilabel: one field with all "
        "labels, or a list of fields.",
    )
    weight: Positive = Field(
        1.0, description="Factor of the task's loss in the total loss."
    )
    class_weights: Literal["balanced"] | tuple[Positive, ...] | None = Field(
        None,
        description="Factor of a row's loss by its class. balanced: n / (k n_c), "
        "counted on the training rows; null: 1 for every class.",
    )
    oversample: bool = Field(
        False,
        description="Whether training draws the rows of each class equally often. An "
        "epoch then has the rows of smaller classes several times. Calibrated "
        "probabilities are off where datasets with other prevalences feed the task.",
    )
    loss: str | None = Field(
        None,
        description="Loss that training minimises; null: the first of its kind. "
        + "; ".join(f"{name}: {', '.join(kind.losses)}" for name, kind in KINDS.items())
        + ". The metric loss is always that of the first.",
        json_schema_extra=younger(None),
    )
    head: str | None = Field(
        None,
        description="Head of this task: mlp, linear or relu_linear, see model.heads; "
        "null: as model.heads says.",
        json_schema_extra=younger(None),
    )
    standardize: bool = Field(
        True,
        description="regression: whether the network learns the label minus its mean, "
        "divided by its std, both of the training split. Predictions and metrics are "
        "in the unit of the label in either case.",
        json_schema_extra=younger(False),
    )

    permute: bool = Field(
        False,
        description="Whether the labels are permuted among the images of training, and "
        "among those of validation, within each dataset: a control, from which nothing "
        "can be learned. Whole patients are permuted where a patient has one label. "
        "The test labels are the true ones.",
        json_schema_extra=younger(False),
    )
    fraction: Probability = Field(
        1.0,
        description="Fraction of the patients of each dataset whose training labels "
        "are used; the others' are left out. A smaller fraction is part of a larger "
        "one. Validation and test keep all labels.",
        json_schema_extra=younger(1),
    )
    mirror: Name | None = Field(
        None,
        description="Task whose label is that of this one where left and right are "
        "exchanged, as of a zone of the other lung; the two name each other. Images "
        "that the augmentation flips then have each other's labels. null: the label "
        "stays the same.",
        json_schema_extra=younger(None),
    )

    def to_task(self, name: str) -> Task:
        return make_task(
            name=name, **{key: getattr(self, key) for key in type(self).model_fields}
        )

    @rule("from")
    def _is_fed(self) -> Iterator[Problem]:
        if not self.sources:
            yield (
                ("from",),
                ": no dataset feeds this task. Name one and its label field, or remove "
                "the task.",
            )

    @rule()
    def _is_a_task_of_its_kind(self) -> Iterator[Problem]:
        yield from self.to_task("task").problems()

    @rule()
    def _is_balanced_once(self) -> Iterator[Problem]:
        if self.oversample and self.class_weights is not None:
            yield (
                ("oversample",),
                ": class_weights balances the classes already; leave out one of them.",
            )


class DatasetSection(Section):
    """One dataset, prepared by `mdmt_tf.prepare` or drawn, under its name."""

    config: str = Field(
        DEFAULT,
        description="Preprocessing of the images, as prepared: lungs_256, full_256, "
        "lungs_256_clip_2_98_grow_5, head_40x301x301, ...",
    )
    version: str | None = Field(
        None, description="Version of the prepared data; null: the newest one."
    )
    data_dir: str | None = Field(
        None,
        description="Folder with this dataset; null: the folder of data_dir, or for "
        "synthetic images beside real ones a folder in the user's cache. The program "
        "writes it into the settings of runs.",
        json_schema_extra=NO_RESULT,
    )
    auxiliary: bool = Field(
        False,
        description="Whether no fold divides the dataset: it is trained with, and a "
        "fit is tested on the others. Its lists are the same in every fold: 90 % of "
        "its patients for training, 5 % for validation and 5 % for test, which are "
        "used by fits whose datasets are all auxiliary.",
        json_schema_extra=younger(False),
    )
    fraction: Probability = Field(
        1.0,
        description="Fraction of the patients in its training split that are trained "
        "with; the others are excluded. A smaller fraction is part of a larger one. "
        "With 0, its validation split is excluded, too, and only its test split is "
        "left.",
        json_schema_extra=younger(1),
    )

    patients: Name | None = Field(
        None,
        description="Name of the patients, such as that of the hospital. Datasets with "
        "the same name here have patients in common: an id is the same patient in each "
        "of them, and they are divided together. Datasets with different names have "
        "none. null: not stated; ids that are in two datasets are warned of.",
        # The lists stand for it.
        json_schema_extra=NO_RESULT,
    )

    @property
    def place(self) -> tuple[str, str | None, str | None]:
        """Preprocessing, version, and the folder if it is one of its own."""
        return self.config, self.version, self.data_dir


class WholeSection(Section):
    """Tasks and datasets that make the folds when fewer of them are trained."""

    tasks: dict[Name, TaskSection] = Field(
        min_length=1, description="Tasks whose classes may stratify the folds."
    )
    datasets: dict[Name, DatasetSection] = Field(
        min_length=1, description="Datasets whose patients are in the folds."
    )


class SplitSection(Section):
    """The patients for training, validation and test."""

    kind: Literal["kfold", "leave_one_site_out", "file"] = Field(
        "kfold",
        description="kfold: folds of patients, stratified by class; "
        "leave_one_site_out: each hospital is tested once; file: your own lists.",
    )
    folds: int = Field(5, ge=3, le=100, description="Number of folds of kfold.")
    repeats: int = Field(
        1,
        ge=1,
        le=1000,
        description="kfold: number of divisions into folds, with the seeds seed, seed "
        "+ 1, ... Their folds are numbered on: fold // folds is the repeat.",
    )
    fold: int = Field(
        0,
        ge=0,
        description="The fold to test; 0 is the first. For leave_one_site_out, the "
        "index of the site, or of the combination of sites.",
    )
    seed: Seed = Field(0, description="Seed of the assignment of patients.")
    leave_out: tuple[Name, ...] = Field(
        (),
        description="leave_one_site_out: datasets from which one site is left out "
        "for testing.",
    )
    site_groups: dict[Name, dict[str, tuple[str, ...]]] = Field(
        {},
        description="For a dataset, groups of sites by name: whole groups are left out "
        "instead of single sites.",
    )
    combine: Literal["product", "cycle"] = Field(
        "product",
        description="For several datasets in leave_out. product: every combination of "
        "their sites is a fold; cycle: sites are paired in order, and those of the "
        "dataset with fewer sites repeat.",
    )
    stratify_by: tuple[Name, ...] = Field(
        (),
        description="Tasks by whose classes the folds are stratified; []: by all of "
        "them together.",
    )
    validation: Literal["next_fold", "previous_fold", "fraction"] = Field(
        "next_fold",
        description="kfold: the validation split. next_fold, previous_fold: the fold "
        "after or before the tested one; fraction: a fraction of the patients of all "
        "other folds.",
    )
    validation_fraction: float = Field(
        0.1,
        gt=0,
        lt=1,
        description="That fraction, and the fraction of the remaining patients in "
        "leave_one_site_out.",
    )
    file: str | None = Field(
        None,
        description="file: path of a JSON or CSV file of lists, as split.json of a "
        "run. {fold} in it stands for the number of the fold: lists/{fold}.json is "
        "lists/0.json, lists/1.json, ..., which a benchmark tests in turn.",
    )
    whole: WholeSection | None = Field(
        None,
        description="Written by the program when one experiment of a benchmark is "
        "trained alone: the tasks and datasets of the benchmark, so that the folds are "
        "the same. null: those of the configuration.",
    )

    @rule("kind", "fold", "folds", "repeats")
    def _fold_exists(self) -> Iterator[Problem]:
        count = self.folds * self.repeats
        if self.kind == "kfold" and self.fold >= count:
            times = f" and split.repeats = {self.repeats}" if self.repeats > 1 else ""
            yield (
                ("fold",),
                f" = {self.fold}: there is no such fold; with split.folds = "
                f"{self.folds}{times} they are 0 to {count - 1}.",
            )

    @rule("kind", "repeats")
    def _only_folds_are_repeated(self) -> Iterator[Problem]:
        if self.kind != "kfold" and self.repeats > 1:
            yield (
                ("repeats",),
                f" = {self.repeats}: only kfold can be repeated; {self.kind} divides "
                "the patients in one way.",
            )

    @rule("kind", "file")
    def _file_is_named(self) -> Iterator[Problem]:
        if self.kind == "file" and self.file is None:
            yield (
                ("file",),
                ": missing; split.kind = file needs the path of a file of lists.",
            )

    # Not of stored settings: runs of earlier versions stay readable.
    @rule("kind", "file", of_files=True)
    def _file_is_read(self) -> Iterator[Problem]:
        if self.kind != "file" and self.file is not None:
            yield (
                ("file",),
                f" = {self.file!r}: is not read with split.kind = {self.kind!r}. Set "
                "split.kind=file, or leave the file out.",
            )

    @rule("file", of_files=True)
    def _file_exists(self) -> Iterator[Problem]:
        if self.file is None:
            return
        path = self.file.replace("{fold}", str(self.fold))
        if not Path(path).is_file():
            where = "" if path == self.file else f" of fold {self.fold}, {path}"
            yield ("file",), f" = {self.file!r}: no such file{where}."
