"""Settings of a study: cells of many independent datasets."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from mdmt_tf.config.section import (
    Fraction,
    Name,
    NotNegative,
    Probability,
    Problem,
    Section,
    rule,
)

Count = Annotated[int, Field(ge=1, le=100_000)]
Width = Annotated[int, Field(ge=2, le=4096)]


class FeaturesSection(Section):
    """The simulated features and the small network of mode `features`.

    It is trained with epochs, warmup_epochs, batch_size, learning_rate and weight_decay
    of `training`.
    """

    size: Width = Field(48, description="Number of features of an image.")
    noise: NotNegative = Field(
        0.7, description="Std of the noise of a feature, whose std without it is 1."
    )
    detector: Probability = Field(
        0.5,
        description="shift detector: fraction of the variance of the features that the "
        "other detector maps differently. It also has gains and offsets of its own.",
    )
    layers: tuple[Width, Width] = Field(
        (48, 24), description="Units of the two hidden layers that the tasks share."
    )


class StudySection(Section):
    """A study of when a second dataset helps, for mdmt_tf.study.

    A cell is a number of outcomes, a number of scores, a correlation of the two tasks
    and a shift between the datasets. Each cell has many independent pairs of synthetic
    datasets, and each pair trains every arm.
    """

    mode: Literal["features", "images"] = Field(
        "features",
        description="features: small networks on simulated features, in minutes; "
        "images: the benchmark of this file on synthetic radiographs.",
    )
    outcomes: tuple[Annotated[int, Field(ge=20, le=100_000)], ...] = Field(
        (60, 150, 300, 1000),
        min_length=1,
        description="Numbers of patients with an outcome, for training and validation.",
    )
    scores: tuple[Annotated[int, Field(ge=0, le=100_000)], ...] = Field(
        (0, 300, 1000, 3000),
        min_length=1,
        description="Numbers of images with a severity score in the second dataset.",
    )
    correlations: tuple[Probability, ...] = Field(
        (0.0, 0.5, 0.9),
        min_length=1,
        description="Correlations of the finding that drives the outcome with the "
        "severity score, see phantoms.correlation.",
    )
    shifts: tuple[Literal["none", "detector", "shortcut"], ...] = Field(
        ("none", "detector", "shortcut"),
        min_length=1,
        description="none: one device; detector: the second dataset has another one; "
        "shortcut: one device, but in the first dataset the projection follows the "
        "outcome. In the test it does not.",
    )
    shortcut: Probability = Field(
        0.8, description="shift shortcut: the fraction of phantoms.shortcut."
    )
    label_noise: Annotated[float, Field(ge=0, lt=0.5)] = Field(
        0.0,
        description="Fraction of the outcomes for training and validation that are "
        "recorded wrongly; features only.",
    )
    datasets: Count = Field(
        20, description="Independent pairs of datasets in each cell."
    )
    together: Count = Field(
        20, description="features: pairs that are trained at the same time."
    )
    validation_fraction: Fraction = Field(
        0.2, description="Fraction of the patients that select the step."
    )
    test_patients: Count = Field(
        2000, description="Patients to test each pair with; they train nothing."
    )
    primary: Name = Field(
        "mdmt_direct", description="Arm whose gain is drawn and tabulated first."
    )
    control: Name = Field(
        "stl_matched", description="Arm that the gain is the difference to."
    )
    features: FeaturesSection = Field(
        FeaturesSection(), description="Settings of mode features."
    )

    @rule()
    def _nothing_is_run_twice(self) -> Iterator[Problem]:
        for key in ("outcomes", "scores", "correlations", "shifts"):
            values = getattr(self, key)
            if len(set(values)) < len(values):
                yield (key,), f" = {list(values)}: one of them appears twice."

    @rule("mode", "scores", "shifts", "label_noise")
    def _images_can_be_drawn(self) -> Iterator[Problem]:
        if self.mode != "images":
            return
        if 0 in self.scores:
            yield (
                ("scores",),
                f" = {list(self.scores)}: a benchmark needs images with scores. Leave "
                "out 0, of which the gain is 0 by construction.",
            )
        if "shortcut" in self.shifts:
            yield (
                ("shifts",),
                f" = {list(self.shifts)}: in images, the test patients would have the "
                "shortcut, too. Leave it out, or study it with mode=features.",
            )
        if self.label_noise:
            yield (
                ("label_noise",),
                f" = {self.label_noise:g}: in images, the test labels would be wrong, "
                "too. Leave it out, or study it with mode=features.",
            )

    @rule("primary", "control")
    def _a_gain_has_two_arms(self) -> Iterator[Problem]:
        if self.primary == self.control:
            yield (
                ("control",),
                f" = {self.control!r}: is the primary arm, too. Expected two arms.",
            )
