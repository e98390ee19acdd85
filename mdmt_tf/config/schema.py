"""The settings of a whole run, and the rules across its sections.

The sections mirror `configs/*.yaml`. `docs/configuration.md` is made from them.
"""

from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from mdmt_tf.config.baseline_section import BaselineSection, problems_of_baseline
from mdmt_tf.config.benchmark_sections import (
    BenchmarkSection,
)
from mdmt_tf.config.data_sections import (
    DatasetSection,
    PhantomSection,
    SplitSection,
    TaskSection,
)
from mdmt_tf.config.declaration import DatasetDeclaration
from mdmt_tf.config.experiment_sections import ExperimentSection
from mdmt_tf.config.fit_sections import (
    AugmentationSection,
    ModelSection,
    PipelineSection,
    PlateauSection,
    SelectionSection,
    TrainingSection,
)
from mdmt_tf.config.image_sizes import problems_of_size
from mdmt_tf.config.section import (
    Length,
    Name,
    Problem,
    Section,
    Seed,
    Side,
    not_one_of,
    rule,
)
from mdmt_tf.config.study_section import StudySection
from mdmt_tf.errors import ConfigError, nearest
from mdmt_tf.imaging import preprocess
from mdmt_tf.metrics.table import selecting
from mdmt_tf.models.backbones.table import BACKBONES
from mdmt_tf.tasks import Task

# Value of model.unseen_dataset; no name of a dataset.
AVERAGE = "average"

__all__ = [
    "AugmentationSection",
    "BaselineSection",
    "BenchmarkSection",
    "Config",
    "DatasetDeclaration",
    "DatasetSection",
    "ExperimentSection",
    "ModelSection",
    "PhantomSection",
    "PipelineSection",
    "PlateauSection",
    "SelectionSection",
    "SplitSection",
    "StudySection",
    "TaskSection",
    "TrainingSection",
]


class Config(Section):
    """The resolved settings of a run, as in `config.yaml` of its folder."""

    experiment: str = Field(
        # The variants of an experiment have names such as mdmt@severity=0.25.
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._@=-]*$",
        description="Name of the experiment, used in the names of folders.",
    )
    seed: Seed = Field(
        0,
        description="Seed of the initial weights, the order of the samples, "
        "augmentation and dropout.",
    )
    data_dir: str | None = Field(
        None,
        description="Folder that mdmt_tf.prepare has filled. null: with phantoms, a "
        "folder in the user's cache.",
    )
    run_dir: str | None = Field(
        None,
        description="Folder to make for the run; null: runs/<experiment>-<time>, or "
        "benchmarks/<experiment> for a benchmark.",
    )
    image_size: Side | tuple[Length, Length, Length] = Field(
        256,
        description="Size of the network's input. Images: pixels per side; volumes: "
        "[depth, height, width] in voxels.",
    )
    phantoms: PhantomSection | None = Field(
        None, description="Synthetic datasets to use; null: real data."
    )
    dataset: DatasetDeclaration | None = Field(
        None,
        description="A dataset of your own, which mdmt_tf.prepare makes from this "
        "file. With it, experiment, datasets, the classes of its labels, "
        "training.select_on and image_size may be omitted. null: none.",
    )
    tasks: dict[Name, TaskSection] = Field(
        min_length=1, description="The tasks to predict, under names of your own."
    )
    datasets: dict[Name, DatasetSection] = Field(
        min_length=1, description="The datasets to read, by their names."
    )
    split: SplitSection = Field(
        SplitSection(), description="The patients for training, validation and test."
    )
    model: ModelSection = Field(
        ModelSection(), description="The shared backbone and the heads."
    )
    pipeline: PipelineSection = Field(
        PipelineSection(), description="How training samples are drawn and changed."
    )
    training: TrainingSection = Field(description="The optimisation.")
    benchmark: BenchmarkSection | None = Field(
        None, description="A grid of fits for mdmt_tf.benchmark; null: none."
    )
    study: StudySection | None = Field(
        None, description="A study for mdmt_tf.study; null: none."
    )

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(height, width), or (depth, height, width) of volumes."""
        size = self.image_size
        return size if isinstance(size, tuple) else (size, size)

    @property
    def normalization(self) -> tuple:
        """Mean and std of each channel of the backbone's input."""
        return BACKBONES[self.model.backbone].expects

    @property
    def dataset_versions(self) -> dict[str, tuple[str, str | None]]:
        """Dataset -> (preprocessing, version) to read; None: the newest version."""
        return {name: (d.config, d.version) for name, d in self.datasets.items()}

    def build_tasks(self) -> tuple[Task, ...]:
        """The tasks, in the order of the file."""
        return tuple(section.to_task(name) for name, section in self.tasks.items())

    @property
    def recalibrates(self) -> bool:
        """Whether the statistics of normalisation are computed before training."""
        wanted, model = self.training.recalibrate, self.model
        if wanted is not None:
            return wanted
        averaged = isinstance(model.weights, dict) and len(model.weights) > 1
        return averaged or model.is_per_dataset

    @property
    def split_datasets(self) -> dict[str, DatasetSection]:
        """The datasets of the split, including those that are trained."""
        whole = self.split.whole
        return {**whole.datasets, **self.datasets} if whole else self.datasets

    def build_split_tasks(self) -> tuple[Task, ...]:
        """The tasks whose classes may stratify the split."""
        if (whole := self.split.whole) is None:
            return self.build_tasks()
        return tuple(section.to_task(name) for name, section in whole.tasks.items())

    def with_steps(self, steps: int) -> "Config":
        """These settings with a number of steps; those that state one keep it.

        Raises: ConfigError when the epochs cannot have equal numbers of steps.
        """
        if self.training.steps is not None:
            return self
        epochs = self.training.epochs
        if steps % epochs:
            raise ConfigError(
                f"experiment {self.experiment!r}: the experiment that it matches has "
                f"{steps} steps, which {epochs} epochs (training.epochs) cannot share "
                "equally. Give both the same training.epochs, or set training.steps."
            )
        training = self.training.model_copy(update={"steps": steps})
        return self.model_copy(update={"training": training})

    def to_plain(self) -> dict:
        """The settings as dicts, lists, strings and numbers, for YAML and JSON."""
        return self.model_dump(mode="json", by_alias=True)

    @rule("data_dir", "phantoms", of_files=True)
    def _data_are_there(self) -> Iterator[Problem]:
        if self.phantoms is not None:
            return
        if self.data_dir is None:
            yield (
                ("data_dir",),
                ": missing. Expected the folder that `python -m mdmt_tf.prepare` "
                "filled: data_dir=PATH.",
            )
        elif not Path(self.data_dir).is_dir():
            yield (
                ("data_dir",),
                f" = {self.data_dir!r}: no such folder. Fill it with `python -m "
                "mdmt_tf.prepare NAME --manual-dir ... --data-dir ...`.",
            )

    @rule("phantoms")
    def _phantoms_can_be_made(self) -> Iterator[Problem]:
        if self.phantoms is None:
            return
        for name, section in (self.datasets or {}).items():
            if not getattr(self.phantoms, f"{name}_patients", 0):
                yield (
                    ("datasets", name),
                    f": no phantoms of it are requested. Set phantoms.{name}_patients "
                    "for one of the datasets that have builders, or phantoms=null and "
                    "data_dir=PATH to read real data.",
                )
            try:
                preprocess.parse(section.config)
            except ValueError as error:
                yield ("datasets", name, "config"), f": {error}."

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

    @rule("tasks", "datasets")
    def _datasets_feed_tasks(self) -> Iterator[Problem]:
        fed = {source for task in self.tasks.values() for source in task.sources}
        for name in self.datasets:
            if name not in fed:
                yield (
                    ("datasets", name),
                    ": feeds no task, so its images would train nothing. Name "
                    "it in the `from` of a task, or remove it.",
                )

    @rule("datasets")
    def _left_out_sites_are_of_datasets(self) -> Iterator[Problem]:
        for path, split in self._splits():
            known = list((split.whole or self).datasets)
            for name in split.leave_out:
                yield from not_one_of(name, known, "datasets", (*path, "leave_out"))

    @rule("tasks")
    def _splits_are_stratified_by_tasks(self) -> Iterator[Problem]:
        for path, split in self._splits():
            known = list((split.whole or self).tasks)
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

    @rule("tasks", "training.select_on")
    def _selection_is_by_a_task(self) -> Iterator[Problem]:
        chosen, known = self.training.select_on, list(self.tasks)
        if chosen.task not in self.tasks:
            yield (
                ("training", "select_on", "task"),
                f" = {chosen.task!r}: is not one of the tasks."
                f"{nearest(chosen.task, known)} Tasks: {', '.join(known)}.",
            )
            return
        task = self.tasks[chosen.task].to_task(chosen.task)
        metrics = selecting(task)
        if chosen.metric not in metrics:
            yield (
                ("training", "select_on", "metric"),
                f" = {chosen.metric!r}: unknown for a {task.kind} task."
                f"{nearest(chosen.metric, metrics)} Known: {', '.join(metrics)}.",
            )

    @rule("tasks", "training.select_on")
    def _selecting_task_is_trained(self) -> Iterator[Problem]:
        chosen = self.training.select_on.task
        trained = [name for name, task in self.tasks.items() if task.fraction]
        if not trained:
            (*_, name) = self.tasks
            yield (
                ("tasks", name, "fraction"),
                " = 0: no task has labels to train with. Raise the fraction of one.",
            )
        elif chosen in self.tasks and chosen not in trained:
            yield (
                ("training", "select_on", "task"),
                f" = {chosen!r}: with tasks.{chosen}.fraction = 0 it is not trained, "
                f"so no epoch is better than another. Expected {' or '.join(trained)}.",
            )

    @rule("image_size", "model.backbone")
    def _backbone_fits_the_images(self) -> Iterator[Problem]:
        row = BACKBONES[self.model.backbone]
        yield from problems_of_size(self.image_size, row, ("model", "backbone"))

    @rule("image_size", "benchmark.backbones")
    def _backbones_of_the_grid_fit_the_images(self) -> Iterator[Problem]:
        for name in self.benchmark.backbones if self.benchmark else ():
            key = ("benchmark", "backbones")
            yield from problems_of_size(self.image_size, BACKBONES[name], key)

    @rule("image_size", "pipeline.augmentation")
    def _volumes_are_not_deformed(self) -> Iterator[Problem]:
        augmentation = self.pipeline.augmentation
        is_volume = isinstance(self.image_size, tuple)
        if is_volume and augmentation and augmentation.elastic_probability:
            yield (
                ("pipeline", "augmentation", "elastic_probability"),
                f" = {augmentation.elastic_probability:g}: volumes are not deformed. "
                "Set it to 0.",
            )

    @rule("tasks")
    def _experiments_train_tasks(self) -> Iterator[Problem]:
        known = list(self.tasks)
        experiments = self.benchmark.experiments if self.benchmark else None
        for name, experiment in (experiments or {}).items():
            key = ("benchmark", "experiments", name, "tasks")
            for task in experiment.tasks:
                yield from not_one_of(task, known, "tasks", key)

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
