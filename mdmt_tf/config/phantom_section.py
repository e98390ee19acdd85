"""Settings of the synthetic datasets to draw."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from mdmt_tf.config.section import (
    Patients,
    Probability,
    Problem,
    Section,
    Seed,
    rule,
)
from mdmt_tf.phantoms.chest.ingredients import INGREDIENTS, SHIFTS

Ingredient = Literal[tuple(INGREDIENTS)]


class PhantomSection(Section):
    """Synthetic datasets to make and use; their results are marked as synthetic."""

    aiforcovid_patients: Patients = Field(
        0, description="Patients of the synthetic AIforCOVID, one radiograph each."
    )
    brixia_patients: Patients = Field(
        0, description="Patients of the synthetic BRIXIA, about 1.9 radiographs each."
    )
    hannover_patients: Patients = Field(
        0, description="Patients of the synthetic Hannover collection."
    )
    cohen_brixia_patients: Patients = Field(
        0, description="Patients of the synthetic Cohen collection with Brixia scores."
    )
    ich_csic_patients: Patients = Field(
        0, description="Patients of the synthetic ICH-CSIC, one head CT each."
    )
    synthetic_cxr_patients: Patients = Field(
        0,
        description="Patients of synthetic_cxr, one radiograph each, every one with "
        "another device. It imitates no real dataset. Image k is the same for any "
        "number.",
    )
    without: tuple[Ingredient, ...] = Field(
        (),
        description="Ingredients that the radiographs do not have, for ablations. All "
        "else of every radiograph stays as it is.",
    )
    matrix: int = Field(
        384,
        ge=64,
        le=4096,
        description="Columns of a synthetic radiograph as it leaves the detector, in "
        "pixels.",
    )
    head_matrix: int = Field(
        128,
        ge=32,
        le=512,
        description="Rows and columns of a slice of a synthetic head CT, in pixels.",
    )
    lesion_masks: bool = Field(
        False,
        description="Whether to write the true haemorrhages next to the head CTs, for "
        "mdmt_tf.explain --masks.",
    )
    seed: Seed = Field(0, description="Seed of the synthetic patients.")
    correlation: Probability = Field(
        1.0,
        description="Correlation of the finding that drives the outcome with the "
        "severity score. 1: the score alone; below 1, the size of the heart carries "
        "the rest, and the image shows both.",
    )
    shift: Literal[SHIFTS] = Field(
        "sites",
        description="Devices. sites: six hospitals in datasets with outcomes, eight "
        "manufacturers in those with scores; none: one device; detector: one device in "
        "the datasets with outcomes, another one in those with scores.",
    )
    shortcut: Probability = Field(
        0.0,
        description="Fraction of the patients in datasets with outcomes whose "
        "projection is that of their outcome: AP if severe, PA if not.",
    )
    label_noise: Probability = Field(
        0.0, description="Fraction of the patients whose recorded outcome is wrong."
    )

    # Not of stored settings: runs of earlier versions stay readable.
    @rule("without", "shortcut", of_files=True)
    def _shortcut_is_drawn(self) -> Iterator[Problem]:
        if self.shortcut:
            text = f" = {self.shortcut:g}"
            yield from self.needs("projections", ("shortcut",), text, "0")

    @rule("without", "correlation", of_files=True)
    def _second_finding_is_drawn(self) -> Iterator[Problem]:
        if self.correlation < 1:
            text = f" = {self.correlation:g}"
            yield from self.needs("heart_size", ("correlation",), text, "1")

    def needs(
        self, ingredient: Ingredient, key: tuple[str, ...], text: str, otherwise: str
    ) -> Iterator[Problem]:
        """A problem if the radiographs do not have what the outcome is tied to.

        Args:
            ingredient: the outcome is tied to it.
            key: the key that ties them.
            text: its value.
            otherwise: its value that does not.
        """
        if ingredient in self.without:
            yield (
                key,
                f"{text}: ties the outcome to {ingredient!r}, which phantoms.without "
                f"leaves out. Take it out there, or set {key[-1]}={otherwise}.",
            )
