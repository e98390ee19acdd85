"""Settings of a benchmark: its fits, and the executor that runs them."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from mdmt_tf.config.baseline_section import BaselineSection
from mdmt_tf.config.comparison_section import ComparisonSection
from mdmt_tf.config.data_sections import SplitSection
from mdmt_tf.config.experiment_sections import ExperimentSection, matched
from mdmt_tf.config.section import (
    BackboneName,
    Name,
    Probability,
    Problem,
    Section,
    Seed,
    not_one_of,
    rule,
)


class BenchmarkSection(Section):
    """A grid of fits, and the executor that runs them."""

    backbones: tuple[BackboneName, ...] = Field(
        min_length=1, description="Backbones to compare."
    )
    weights: dict[str, str | None] = Field(
        {},
        description="For a backbone, its model.weights if they differ from the "
        "others'.",
    )
    seeds: tuple[Seed, ...] = Field(
        (0,), min_length=1, description="Seeds; every fit runs once with each seed."
    )
    cross_validation: dict[Name, SplitSection] = Field(
        min_length=1,
        description="Splits, under names of your own. Every fold of each is run; "
        "`fold` has no meaning here.",
    )
    experiments: dict[Name, ExperimentSection] = Field(
        min_length=1, description="Experiments, under names of your own."
    )
    candidate: Name | None = Field(
        None,
        description="Experiment that the statistical tests compare with each of the "
        "others; null: no tests.",
    )
    comparisons: tuple[tuple[str, str], ...] | None = Field(
        None,
        description="Pairs [experiment, other] to compare: the first minus the second. "
        "A name may be that of a baseline, or have a fraction, as in "
        "mdmt@severity=0.25. null: the candidate with each of the others.",
    )
    comparison: ComparisonSection = Field(
        ComparisonSection(), description="How experiments are compared."
    )
    fractions: dict[Name, tuple[Probability, ...]] = Field(
        {},
        description="For a task, fractions of the patients whose training labels are "
        "used; for a dataset, fractions of the patients that are trained with. Every "
        "experiment that depends on the task or reads the dataset is run once for "
        "each, as NAME@TASK=FRACTION; and for 1, all of them, as NAME.",
    )
    omit: tuple[Literal["tensorboard", "saved_model", "saliency"], ...] = Field(
        (),
        description="Files that the fits do not write; this changes no result.",
    )
    baselines: dict[Name, BaselineSection] = Field(
        {},
        description="Simple models in the same folds, of fields or of images, under "
        "names of your own.",
    )
    executor: Literal["local", "ray"] = Field(
        "local", description="Executor of the fits: this machine, or a Ray cluster."
    )
    address: str | None = Field(
        None,
        description="ray: address of the running cluster, HOST:PORT. Ray asks nobody "
        "for a password: whoever reaches the address can run programs as you. Use it "
        "in a closed network.",
    )
    processes: Annotated[int, Field(ge=1, le=1024)] | None = Field(
        None,
        description="Number of fits that run at a time on this machine; null: as many "
        "as cores, GPUs and memory allow.",
    )
    cores_per_fit: int = Field(2, ge=1, le=1024, description="Processor cores per fit.")
    gpus_per_fit: int = Field(
        1, ge=0, le=64, description="GPUs per fit, if there are any."
    )

    @rule("backbones")
    def _weights_are_of_backbones(self) -> Iterator[Problem]:
        for name in self.weights:
            if name not in self.backbones:
                yield (
                    ("weights", name),
                    f": is none of the backbones: {', '.join(self.backbones)}. "
                    "Leave it out; benchmark.weights={} leaves out all.",
                )

    @rule("backbones", "seeds")
    def _nothing_is_run_twice(self) -> Iterator[Problem]:
        for key in ("backbones", "seeds"):
            values = getattr(self, key)
            if len(set(values)) < len(values):
                yield (key,), f" = {list(values)}: one of them appears twice."

    @rule("experiments")
    def starts_can_be_reached(self) -> Iterator[Problem]:
        known = list(self.experiments)
        resolved = matched(self.experiments)
        for name, experiment in self.experiments.items():
            key = ("experiments", name, "start")
            for other in experiment.start or ():
                yield from not_one_of(other, known, "experiments", key)
            if (cycle := _cycle(name, resolved)) is not None:
                yield key, f": is a cycle: {' from '.join(cycle)}."

    @rule("experiments")
    def matched_experiments_match_none(self) -> Iterator[Problem]:
        known = list(self.experiments)
        for name, experiment in self.experiments.items():
            key, other = ("experiments", name, "match"), experiment.match
            if other is None:
                continue
            if other == name:
                yield key, f" = {other!r}: is the experiment itself. Name another one."
            elif other not in known:
                yield from not_one_of(other, known, "experiments", key)
            elif (its := self.experiments[other].match) is not None:
                yield (
                    key,
                    f" = {other!r}: matches {its!r} itself, and chains are not "
                    "followed. Match an experiment without `match`.",
                )

    @rule("experiments", "candidate")
    def _candidate_is_an_experiment(self) -> Iterator[Problem]:
        if self.candidate is not None:
            known = list(self.experiments)
            yield from not_one_of(self.candidate, known, "experiments", ("candidate",))

    @rule("experiments")
    def _baselines_have_names_of_their_own(self) -> Iterator[Problem]:
        for name in self.baselines:
            if name in self.experiments:
                yield ("baselines", name), ": there is an experiment of this name."

    @rule("executor", "address")
    def _cluster_has_an_address(self) -> Iterator[Problem]:
        if self.executor == "ray" and self.address is None:
            yield (
                ("address",),
                ": missing; executor=ray needs that of a running Ray cluster, "
                "address=HOST:PORT.",
            )


def _cycle(name: str, experiments: dict) -> list[str] | None:
    """The path of starts from an experiment back to itself; None without a cycle."""
    ways = [[name]]
    while ways:
        way = ways.pop()
        for other in experiments[way[-1]].start if way[-1] in experiments else ():
            if other == name:
                return [*way, name]
            if other not in way:
                ways.append([*way, other])
    return None
