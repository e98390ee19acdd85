"""The settings of a run: every key, its type, its range, its default.

The sections mirror `configs/*.yaml`. What a single value must be is said here; what
several values must be together is checked in `mdmt_tf.config`.
"""

from typing import Annotated, Literal

import pydantic
from pydantic import Field

from mdmt_tf.preparation import DEFAULT
from mdmt_tf.tasks import Kind, Task

# A task is an output of the model, a column of tables and a folder of TensorBoard, and
# stands in metric names such as `prognosis/auc`.
TaskName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
DatasetName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Patients = Annotated[int, Field(ge=0, le=100_000)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class Section(pydantic.BaseModel):
    """Base of all sections: unknown keys are errors, values do not change."""

    model_config = pydantic.ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False
    )


class TaskSection(Section):
    """One entry of `tasks`, see `mdmt_tf.tasks.Task`."""

    kind: Kind
    classes: tuple[str, ...] = ()
    cut_points: tuple[float, ...] = ()
    sources: dict[DatasetName, str] = Field(alias="from")
    weight: Positive = 1.0
    class_weights: Literal["balanced"] | tuple[Positive, ...] | None = None

    def to_task(self, name: str) -> Task:
        return Task(
            name=name, **{key: getattr(self, key) for key in type(self).model_fields}
        )


class DatasetSection(Section):
    """One entry of `datasets`: which preparation of it to read."""

    config: str = DEFAULT
    version: str | None = None  # None: the newest one that is prepared


class SplitSection(Section):
    """Who trains, who chooses the epoch, who is counted at the end."""

    kind: Literal["kfold", "leave_one_site_out", "file"] = "kfold"
    folds: Annotated[int, Field(ge=3, le=100)] = 5
    fold: Annotated[int, Field(ge=0)] = 0
    seed: Seed = 0
    # leave_one_site_out: the datasets of which one site each is left out for testing.
    leave_out: tuple[DatasetName, ...] = ()
    # leave_one_site_out: share of the remaining patients used for validation.
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.1
    file: str | None = None


class AugmentationSection(Section):
    """Random changes of a training image, each with a probability of its own."""

    shift_probability: Probability = 0.3
    shift_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.1
    zoom_probability: Probability = 0.3
    zoom_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.1
    flip_probability: Probability = 0.3
    rotation_probability: Probability = 0.3
    rotation_degrees: Annotated[float, Field(ge=0, le=180)] = 15.0
    elastic_probability: Probability = 0.3
    elastic_alpha: tuple[NotNegative, NotNegative] = (20.0, 40.0)
    elastic_sigma: Positive = 7.0


class PipelineSection(Section):
    """How training samples are drawn and changed."""

    # union: every training sample once in an epoch; balanced: the datasets equally
    # often; temperature: dataset d in proportion to n_d ** (1 / temperature).
    sampling: Literal["union", "balanced", "temperature"] = "union"
    temperature: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 1.0
    # auto: decoded images stay in memory when they take less than half of what is free.
    cache: Literal["auto", "memory", "stream"] = "auto"
    # None: no augmentation.
    augmentation: AugmentationSection | None = AugmentationSection()


class ModelSection(Section):
    """The shared backbone and the heads."""

    backbone: str = "resnet18"
    # None: random values; "imagenet"; or the path of a .weights.h5 file.
    weights: str | None = None
    heads: Literal["mdmt", "stl"] = "mdmt"
    # What is not trained: that part, or that share of the backbone's layers.
    freeze: Literal["none", "stem", "all"] | Annotated[float, Field(gt=0, lt=1)] = (
        "none"
    )
    # Statistics of a training step on several devices: of each, or of all together.
    batch_norm: Literal["local", "synchronized"] = "local"


class SelectionSection(Section):
    """Which validation figure chooses the epoch and stops the training."""

    task: TaskName
    metric: str = "loss"


class TrainingSection(Section):
    """The optimisation."""

    epochs: Annotated[int, Field(ge=1, le=100_000)] = 300
    batch_size: Annotated[int, Field(ge=2, le=65_536)] = 128
    optimizer: Literal["adam", "adamw"] = "adam"
    learning_rate: Annotated[float, Field(gt=0, lt=10)] = 1e-3
    # adam: L2 added to the gradient, as torch has it; adamw: decoupled.
    weight_decay: Annotated[float, Field(ge=0, lt=1)] = 1e-4
    # Epochs in which nothing is selected or stopped; no learning-rate warm-up.
    warmup_epochs: Annotated[int, Field(ge=0)] = 40
    # Epochs without improvement after which training stops; None: never.
    patience: Annotated[int, Field(ge=1)] | None = 40
    select_on: SelectionSection
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    # None: every GPU, or the CPU; else names such as GPU:0, CPU:1.
    devices: tuple[Annotated[str, Field(pattern=r"^(GPU|CPU):\d+$")], ...] | None = None


class PhantomSection(Section):
    """The embedded synthetic datasets; what is made from them says so everywhere."""

    aiforcovid_patients: Patients = 0
    brixia_patients: Patients = 0
    hannover_patients: Patients = 0
    cohen_brixia_patients: Patients = 0
    # Nominal columns of a radiograph, as it comes from the detector.
    matrix: Annotated[int, Field(ge=64, le=4096)] = 384
    seed: Seed = 0


class Config(Section):
    """A whole run, resolved: what `config.yaml` in the run's folder holds."""

    experiment: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    seed: Seed = 0
    data_dir: str | None = None
    run_dir: str | None = None
    image_size: Annotated[int, Field(ge=32, le=4096)] = 256
    phantoms: PhantomSection | None = None
    tasks: Annotated[dict[TaskName, TaskSection], Field(min_length=1)]
    datasets: Annotated[dict[DatasetName, DatasetSection], Field(min_length=1)]
    split: SplitSection = SplitSection()
    model: ModelSection = ModelSection()
    pipeline: PipelineSection = PipelineSection()
    training: TrainingSection

    def build_tasks(self) -> tuple[Task, ...]:
        """The tasks, in the order of the file."""
        return tuple(section.to_task(name) for name, section in self.tasks.items())

    def to_plain(self) -> dict:
        """Dicts, lists, strings and numbers only, for YAML and JSON."""
        return self.model_dump(mode="json", by_alias=True)
