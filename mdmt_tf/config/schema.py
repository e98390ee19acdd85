"""The settings of a whole run, and the rules across its sections.

The sections mirror `configs/*.yaml`. `docs/configuration.md` is made from them.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import Field

from mdmt_tf.config.baseline_section import BaselineSection
from mdmt_tf.config.benchmark_rules import BenchmarkRules
from mdmt_tf.config.benchmark_sections import (
    BenchmarkSection,
)
from mdmt_tf.config.card_section import CardSection
from mdmt_tf.config.data_sections import (
    DatasetSection,
    SplitSection,
    TaskSection,
)
from mdmt_tf.config.declaration import DatasetDeclaration
from mdmt_tf.config.derived_section import DerivedRules, DerivedSection
from mdmt_tf.config.experiment_sections import ExperimentSection, Feeding
from mdmt_tf.config.experiments import Experiments
from mdmt_tf.config.image_sizes import problems_of_size
from mdmt_tf.config.model_section import ModelSection
from mdmt_tf.config.phantom_section import PhantomSection
from mdmt_tf.config.pipeline_section import AugmentationSection, PipelineSection
from mdmt_tf.config.section import (
    NO_RESULT,
    Length,
    Name,
    Problem,
    Section,
    Seed,
    Side,
    rule,
    younger,
)
from mdmt_tf.config.study_section import StudySection
from mdmt_tf.config.task_rules import TaskRules
from mdmt_tf.config.training_section import (
    PlateauSection,
    SelectionSection,
    TrainingSection,
)
from mdmt_tf.errors import ConfigError
from mdmt_tf.imaging import preprocess
from mdmt_tf.models.backbones.table import BACKBONES
from mdmt_tf.tasks import Derived, Task

__all__ = [
    "AugmentationSection",
    "BaselineSection",
    "BenchmarkSection",
    "CardSection",
    "Config",
    "DatasetDeclaration",
    "DatasetSection",
    "DerivedSection",
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


class Config(TaskRules, DerivedRules, BenchmarkRules, Section):
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
        json_schema_extra=NO_RESULT,
    )
    run_dir: str | None = Field(
        None,
        description="Folder to make for the run; null: runs/<experiment>-<time>, or "
        "benchmarks/<experiment> for a benchmark.",
        json_schema_extra=NO_RESULT,
    )
    image_size: Side | tuple[Length, Length, Length] = Field(
        256,
        description="Size of the network's input. Images: pixels per side; volumes: "
        "[depth, height, width] in voxels.",
    )
    phantoms: PhantomSection | None = Field(
        None,
        description="Synthetic datasets to use; null: real data.",
        json_schema_extra=NO_RESULT,
    )
    dataset: DatasetDeclaration | None = Field(
        None,
        description="A dataset of your own, which mdmt_tf.prepare makes from this "
        "file. With it, experiment, datasets, the classes of its labels, image_size, "
        "and training or its select_on may be omitted. null: none.",
        json_schema_extra=NO_RESULT,
    )
    tasks: dict[Name, TaskSection] = Field(
        min_length=1, description="The tasks to predict, under names of your own."
    )
    derived: dict[Name, DerivedSection] = Field(
        {},
        description="Answers that follow from those of tasks, under names of your own. "
        "They have rows in predictions.csv, metrics, outputs of the exported model and "
        "places in reports, as tasks have, but are not trained.",
        json_schema_extra=younger({}),
    )
    datasets: dict[Name, DatasetSection] = Field(
        min_length=1, description="The datasets to read, by their names."
    )
    split: SplitSection = Field(
        SplitSection(),
        description="The patients for training, validation and test.",
        json_schema_extra=NO_RESULT,
    )
    model: ModelSection = Field(
        ModelSection(), description="The shared backbone and the heads."
    )
    pipeline: PipelineSection = Field(
        PipelineSection(), description="How training samples are drawn and changed."
    )
    training: TrainingSection = Field(description="The optimisation.")
    card: CardSection = Field(
        CardSection(),
        description="Statements for the model card that every run and every exported "
        "model has. They change no result.",
        json_schema_extra=NO_RESULT,
    )
    benchmark: BenchmarkSection | None = Field(
        None,
        description="A grid of fits for mdmt_tf.benchmark; null: none.",
        json_schema_extra=NO_RESULT,
    )
    study: StudySection | None = Field(
        None,
        description="A study for mdmt_tf.study; null: none.",
        json_schema_extra=NO_RESULT,
    )

    @property
    def feeding(self) -> Feeding:
        """Which datasets feed the tasks."""
        # With problems, either may be missing.
        tasks, datasets = self.tasks or {}, self.datasets or {}
        return Feeding(
            {name: tuple(task.sources or ()) for name, task in tasks.items()},
            frozenset(name for name, own in datasets.items() if own.auxiliary),
        )

    @property
    def experiments(self) -> Experiments:
        """The experiments of the section `benchmark`, which must be there."""
        return Experiments(self.benchmark, self.feeding)

    @property
    def tested_tasks(self) -> dict[str, TaskSection]:
        """The tasks with the datasets that folds test; baselines know no others."""
        result = {}
        for name, section in self.tasks.items():
            auxiliary = self.feeding.auxiliary
            own = {s: of for s, of in section.sources.items() if s not in auxiliary}
            if own:
                result[name] = section.model_copy(update={"sources": own})
        return result

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
    def dataset_versions(self) -> dict[str, tuple[str, str | None, str | None]]:
        """Dataset -> its place, see `DatasetSection.place` and `open_datasets`."""
        return {name: section.place for name, section in self.datasets.items()}

    @property
    def tested_datasets(self) -> dict[str, DatasetSection]:
        """The datasets that the fit is tested on: all if all are auxiliary."""
        every = self.datasets.items()
        tested = {name: own for name, own in every if not own.auxiliary}
        return tested or dict(self.datasets)

    @property
    def drawn_datasets(self) -> list[str]:
        """The datasets, also those of the split alone, that `phantoms` draws."""
        return [name for name in self.split_datasets if self._is_drawn(name)]

    def _is_drawn(self, dataset: str) -> bool:
        return bool(getattr(self.phantoms, f"{dataset}_patients", 0))

    def build_tasks(self) -> tuple[Task, ...]:
        """The tasks, in the order of the file."""
        return tuple(section.to_task(name) for name, section in self.tasks.items())

    def build_derived(self) -> tuple[Derived, ...]:
        """The derived answers, in the order of the file."""
        tasks = self._tasks_by_name()
        return tuple(
            answer
            for name, section in self.derived.items()
            for answer in section.answers(name, tasks)
        )

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

    @property
    def dataset_fractions(self) -> dict[str, float]:
        """Dataset -> fraction of its training patients that are trained with."""
        return {name: section.fraction for name, section in self.datasets.items()}

    @property
    def auxiliary(self) -> tuple[str, ...]:
        """The datasets of the split that no fold divides."""
        every = self.split_datasets.items()
        return tuple(name for name, section in every if section.auxiliary)

    @property
    def data_dirs(self) -> dict[str, str]:
        """Dataset -> its own folder, of those that have one."""
        return {n: own.data_dir for n, own in self.datasets.items() if own.data_dir}

    @property
    def patients(self) -> dict[str, str]:
        """Dataset of the split -> the name of its patients, of those that have one."""
        every = self.split_datasets.items()
        return {name: own.patients for name, own in every if own.patients is not None}

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

    def in_folders(self, folders: Mapping[str, str]) -> "Config":
        """These settings with the folders of some datasets, `datasets.NAME.data_dir`.

        Args:
            folders: dataset -> folder; those that the settings do not have are ignored.
        """

        def placed(sections: Mapping[str, DatasetSection]) -> dict[str, DatasetSection]:
            return {
                name: section.model_copy(update={"data_dir": folders[name]})
                if name in folders
                else section
                for name, section in sections.items()
            }

        update: dict = {"datasets": placed(self.datasets)}
        if (whole := self.split.whole) is not None:
            whole = whole.model_copy(update={"datasets": placed(whole.datasets)})
            update["split"] = self.split.model_copy(update={"whole": whole})
        return self.model_copy(update=update)

    def to_plain(self) -> dict:
        """The settings as dicts, lists, strings and numbers, for YAML and JSON."""
        return self.model_dump(mode="json", by_alias=True)

    @rule("data_dir", "phantoms", of_files=True)
    def _data_are_there(self) -> Iterator[Problem]:
        datasets = self.datasets or {}
        read = {n: d.data_dir for n, d in datasets.items() if not self._is_drawn(n)}
        for name, own in read.items():
            if own is not None and not Path(own).is_dir():
                yield ("datasets", name, "data_dir"), f" = {own!r}: no such folder."
        # With phantoms, what can be read is the matter of another rule.
        if self.phantoms is not None and self.data_dir is None:
            return
        if datasets and None not in read.values():
            return
        if self.data_dir is None:
            yield (
                ("data_dir",),
                ": missing. Expected the folder that `python -m mdmt_tf.prepare` "
                "filled: data_dir=PATH.",
            )
        # A dataset of one's own is prepared when it is first trained on.
        elif not Path(self.data_dir).is_dir() and self.dataset is None:
            yield (
                ("data_dir",),
                f" = {self.data_dir!r}: no such folder. Fill it with `python -m "
                "mdmt_tf.prepare NAME --manual-dir ... --data-dir ...`.",
            )

    @rule("phantoms", "data_dir")
    def _phantoms_can_be_made(self) -> Iterator[Problem]:
        if self.phantoms is None:
            return
        drawn = [name for name in self.datasets or {} if self._is_drawn(name)]
        # Others are read from data_dir, beside the phantoms.
        is_mixed = drawn and self.data_dir is not None
        for name, section in (self.datasets or {}).items():
            is_drawn = name in drawn
            if not is_drawn and not is_mixed and section.data_dir is None:
                yield (
                    ("datasets", name),
                    f": no phantoms of it are requested. Set phantoms.{name}_patients "
                    "for one of the datasets that have builders; or data_dir=PATH to "
                    "read it there, with phantoms=null if all data are real.",
                )
            if is_drawn:
                try:
                    preprocess.parse(section.config)
                except ValueError as error:
                    yield ("datasets", name, "config"), f": {error}."

    @rule("phantoms")
    def _drawn_beside_real_are_auxiliary(self) -> Iterator[Problem]:
        datasets = self.datasets or {}
        drawn = {name: d for name, d in datasets.items() if self._is_drawn(name)}
        real = ", ".join(name for name in datasets if name not in drawn)
        for name, section in drawn.items() if real else ():
            if not section.auxiliary:
                yield (
                    ("datasets", name, "auxiliary"),
                    f": expected true, because {name} is synthetic and {real} not. "
                    f"With datasets.{name}.auxiliary=true it is for training alone, "
                    "and metrics are of real images.",
                )

    @rule("phantoms.without", "study.mode", "study.correlations")
    def _studied_correlations_are_drawn(self) -> Iterator[Problem]:
        phantoms, study = self.phantoms, self.study
        if phantoms is None or study is None or study.mode != "images":
            return
        if min(study.correlations) < 1:
            text = f" = {list(study.correlations)}"
            key = ("study", "correlations")
            yield from phantoms.needs("heart_size", key, text, "[1]")

    @rule("image_size", "model.backbone")
    def _backbone_fits_the_images(self) -> Iterator[Problem]:
        row = BACKBONES[self.model.backbone]
        yield from problems_of_size(self.image_size, row, ("model", "backbone"))

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
