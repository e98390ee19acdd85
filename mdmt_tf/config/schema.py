"""The settings of a run: every key, its type, its range, its default.

The sections mirror `configs/*.yaml`. What a single value must be is said here; what
several values must be together is checked in `mdmt_tf.config`.
"""

from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from mdmt_tf.imaging.preprocess import DEFAULT
from mdmt_tf.models.backbones.table import BACKBONES
from mdmt_tf.tasks import KINDS, Task, make_task

# A task is an output of the model, a column of tables and a folder of TensorBoard, and
# stands in metric names such as `prognosis/auc`.
TaskName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
DatasetName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
# Of an experiment, a baseline or a validation: part of file names and of tables.
TableName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Patients = Annotated[int, Field(ge=0, le=100_000)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Side = Annotated[int, Field(ge=32, le=4096)]  # of an image, in pixels
Length = Annotated[int, Field(ge=8, le=1024)]  # of a volume along one axis, in voxels


class Section(pydantic.BaseModel):
    """Base of all sections: unknown keys are errors, values do not change."""

    model_config = pydantic.ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False
    )


class TaskSection(Section):
    """One entry of `tasks`, see `mdmt_tf.tasks.Task`."""

    kind: Literal[tuple(KINDS)]
    classes: tuple[str, ...] = ()
    cut_points: tuple[float, ...] = ()
    descending: bool = False
    sources: dict[DatasetName, str | tuple[str, ...]] = Field(alias="from")
    weight: Positive = 1.0
    class_weights: Literal["balanced"] | tuple[Positive, ...] | None = None
    oversample: bool = False

    def to_task(self, name: str) -> Task:
        return make_task(
            name=name, **{key: getattr(self, key) for key in type(self).model_fields}
        )


class DatasetSection(Section):
    """One entry of `datasets`: which preprocessing of it to read."""

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
    # dataset -> group -> its sites: whole groups are left out instead of single sites.
    site_groups: dict[DatasetName, dict[str, tuple[str, ...]]] = {}
    # Several datasets in leave_out: every combination of their sites is a fold, or the
    # sites go side by side and those of the datasets with fewer come round again.
    combine: Literal["product", "cycle"] = "product"
    # Tasks by whose classes the folds are stratified; none: by all of them together.
    stratify_by: tuple[TaskName, ...] = ()
    # kfold: whether the fold after `fold` is for validation, or a share of the patients
    # of all other folds.
    validation: Literal["next_fold", "fraction"] = "next_fold"
    # That share; and of the remaining patients in leave_one_site_out.
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.1
    file: str | None = None


class AugmentationSection(Section):
    """Random changes of a training image, each with a probability of its own.

    Of volumes, too: shift, flip (left and right) and zoom likewise, rotation about each
    of the three axes by itself; there is no elastic deformation of volumes.
    """

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
    # Standard deviation of Gaussian noise on pixels in [0, 1].
    noise_probability: Probability = 0.0
    noise_deviation: NotNegative = 0.01
    # Volumes: distance of slices in units of that of pixels within one. With 1 the grid
    # is turned as if its voxels were cubes.
    slice_spacing: Positive = 1.0


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
    # None: random values; "imagenet"; the path of a .weights.h5 file; or several such
    # files, each with its share in their average.
    weights: str | dict[str, Positive] | None = None
    heads: Literal["mlp", "linear", "serial"] = "mlp"
    # What is not trained: that part, or that share of the backbone's layers.
    freeze: Literal["none", "stem", "all"] | Annotated[float, Field(gt=0, lt=1)] = (
        "none"
    )
    # Statistics of a training step on several devices: of each, or of all together.
    batch_norm: Literal["local", "synchronized"] = "local"
    # Rates of dropout: of whole channels within the backbone, where it has such layers;
    # of the features in the heads.
    backbone_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    head_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5


class SelectionSection(Section):
    """Which validation metric chooses the epoch and stops the training."""

    task: TaskName
    metric: str = "loss"


class PlateauSection(Section):
    """Lower the learning rate while the selected metric does not improve, as torch."""

    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    # Epochs without improvement that are borne; the one after them lowers the rate.
    patience: Annotated[int, Field(ge=0)] = 10
    # What counts as improvement, relative to the best metric so far.
    threshold: Annotated[float, Field(ge=0, lt=1)] = 1e-4
    min_learning_rate: NotNegative = 0.0


class TrainingSection(Section):
    """The optimisation."""

    epochs: Annotated[int, Field(ge=1, le=100_000)] = 300
    batch_size: Annotated[int, Field(ge=2, le=65_536)] = 128
    optimizer: Literal["adam", "adamw"] = "adam"
    learning_rate: Annotated[float, Field(gt=0, lt=10)] = 1e-3
    # adam: L2 added to the gradient, as torch has it; adamw: decoupled.
    weight_decay: Annotated[float, Field(ge=0, lt=1)] = 1e-4
    # Divide by the largest second moment so far (Reddi et al. 2018).
    amsgrad: bool = False
    # Batches whose gradients are averaged for one step of the optimizer.
    accumulate: Annotated[int, Field(ge=1, le=1024)] = 1
    # Epochs in which nothing is selected or stopped; no learning-rate warm-up.
    warmup_epochs: Annotated[int, Field(ge=0)] = 40
    # Epochs without improvement after which training stops; None: never.
    patience: Annotated[int, Field(ge=1)] | None = 40
    # None: the learning rate stays.
    plateau: PlateauSection | None = None
    select_on: SelectionSection
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    # Whether to leave these in the run's folder; of hundreds of fits they take a third
    # of the time, and the weights are kept anyway.
    tensorboard: bool = True
    saved_model: bool = True
    # Images of the test part to explain when the fit is finished.
    saliency: Annotated[int, Field(ge=0, le=10_000)] = 0
    # None: every GPU, or the CPU; else names such as GPU:0, CPU:1.
    devices: tuple[Annotated[str, Field(pattern=r"^(GPU|CPU):\d+$")], ...] | None = None


class PhantomSection(Section):
    """The embedded synthetic datasets; what is made from them says so everywhere."""

    aiforcovid_patients: Patients = 0
    brixia_patients: Patients = 0
    hannover_patients: Patients = 0
    cohen_brixia_patients: Patients = 0
    ich_csic_patients: Patients = 0
    # Nominal columns of a radiograph, as it comes from the detector.
    matrix: Annotated[int, Field(ge=64, le=4096)] = 384
    # Rows and columns of a slice of a head CT.
    head_matrix: Annotated[int, Field(ge=32, le=512)] = 128
    # Write the true haemorrhages beside the head CTs, for `mdmt_tf.explain --masks`.
    lesion_masks: bool = False
    seed: Seed = 0


class ExperimentSection(Section):
    """One way to train: which tasks, from which start, with which other settings."""

    tasks: Annotated[tuple[TaskName, ...], Field(min_length=1)]
    # Experiment -> its share in the average of the backbones to start from; they are
    # those of the same backbone, fold and seed. None: from model.weights.
    start: dict[TableName, Positive] = {}
    # key.path -> value, as on the command line of `mdmt_tf.train`.
    settings: dict[str, Any] = Field(default={}, alias="set")


class BaselineSection(Section):
    """What the fields of the tables say without any image."""

    task: TaskName
    # logistic: logistic regression; mlp: a multilayer perceptron of one small layer.
    model: Literal["logistic", "mlp"] = "logistic"
    fields: Annotated[dict[DatasetName, tuple[str, ...]], Field(min_length=1)]


class BenchmarkSection(Section):
    """A grid of fits, and what carries them out."""

    backbones: Annotated[tuple[str, ...], Field(min_length=1)]
    # Backbone -> its model.weights, where they are not those of all.
    weights: dict[str, str | None] = {}
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = (0,)
    # Every fold of each is run; `fold` has no meaning here.
    cross_validation: Annotated[dict[TableName, SplitSection], Field(min_length=1)]
    experiments: Annotated[dict[TableName, ExperimentSection], Field(min_length=1)]
    # The experiment that the tests compare with each of the others; None: no tests.
    candidate: TableName | None = None
    baselines: dict[TableName, BaselineSection] = {}
    executor: Literal["local", "ray"] = "local"
    # Of a running Ray cluster, HOST:PORT.
    address: str | None = None
    # Fits at a time on this machine; None: as many as cores, GPUs and memory allow.
    processes: Annotated[int, Field(ge=1, le=1024)] | None = None
    cores_per_fit: Annotated[int, Field(ge=1, le=1024)] = 2
    gpus_per_fit: Annotated[int, Field(ge=0, le=64)] = 1


class Config(Section):
    """A whole run, resolved: what `config.yaml` in the run's folder holds."""

    experiment: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    seed: Seed = 0
    data_dir: str | None = None
    run_dir: str | None = None
    # Of images, pixels a side; of volumes, [depth, height, width] in voxels.
    image_size: Side | tuple[Length, Length, Length] = 256
    phantoms: PhantomSection | None = None
    tasks: Annotated[dict[TaskName, TaskSection], Field(min_length=1)]
    datasets: Annotated[dict[DatasetName, DatasetSection], Field(min_length=1)]
    split: SplitSection = SplitSection()
    model: ModelSection = ModelSection()
    pipeline: PipelineSection = PipelineSection()
    training: TrainingSection
    benchmark: BenchmarkSection | None = None

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(height, width), or (depth, height, width) of volumes."""
        size = self.image_size
        return size if isinstance(size, tuple) else (size, size)

    @property
    def normalization(self) -> tuple:
        """Mean and standard deviation by channel of what the backbone is given."""
        return BACKBONES[self.model.backbone].expects

    def build_tasks(self) -> tuple[Task, ...]:
        """The tasks, in the order of the file."""
        return tuple(section.to_task(name) for name, section in self.tasks.items())

    def to_plain(self) -> dict:
        """Dicts, lists, strings and numbers only, for YAML and JSON."""
        return self.model_dump(mode="json", by_alias=True)
