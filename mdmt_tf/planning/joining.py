"""An existing configuration that a new dataset joins."""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path

from mdmt_tf.config import files
from mdmt_tf.config.pipeline_section import AugmentationSection
from mdmt_tf.errors import ConfigError
from mdmt_tf.imaging.preprocess import DEFAULT
from mdmt_tf.planning.labels import Label
from mdmt_tf.planning.preprocessing import Recipe, given_recipe


@dataclasses.dataclass(frozen=True)
class Base:
    """The configuration that a dataset joins.

    Attributes:
        reference: its name, or its path relative to the new file.
        tasks, datasets: its sections, as plain values.
        image_size: pixels per side, or a list of three.
        select_on: the setting of that name.
        flips: whether training exchanges left and right.
        flip_averaging: the setting of that name.
    """

    reference: str
    tasks: Mapping[str, dict]
    datasets: Mapping[str, dict]
    image_size: int | list[int]
    select_on: dict
    flips: bool
    flip_averaging: bool

    @property
    def is_volume(self) -> bool:
        return not isinstance(self.image_size, int)

    def free_task(self, name: str) -> str:
        """A name that no task of the base has."""
        while name in self.tasks:
            name += "_2"
        return name

    def like(self, label: Label) -> list[str]:
        """Tasks of the base that a label could feed: the same classes, or its range."""
        found = []
        for name, task in self.tasks.items():
            classes = tuple(task.get("classes") or ())
            cut_points = task.get("cut_points") or ()
            if label.classes is not None:
                is_like = not cut_points and set(classes) == set(label.class_names)
            elif cut_points:
                low, high = label.range
                is_like = low <= min(cut_points) and max(cut_points) <= high
            else:
                is_like = task["kind"] == "regression" and name == label.name
            if is_like:
                found.append(name)
        return found


def like_base(base: Base, recipe: Recipe) -> Recipe:
    """The preprocessing of the datasets of the base, where it fits the new images.

    Args:
        recipe: what was guessed for them.
    """
    names = {section.get("config", DEFAULT) for section in base.datasets.values()}
    fits = base.is_volume or recipe.is_chest or not recipe.sure
    if len(names) != 1 or not fits:
        return recipe
    reason = f"as the other datasets of {base.reference}"
    return dataclasses.replace(
        given_recipe(recipe, *names), reason=reason, sure=recipe.sure
    )


def read_base(name_or_path: str, out: Path, dataset: str) -> Base:
    """The configuration to join.

    Args:
        name_or_path: a shipped configuration, or a path relative to the working folder.
        out: the file that will be written.
        dataset: name of the new dataset.
    Raises: ConfigError when it cannot be read, has no tasks, or has a dataset of that
        name.
    """
    values, _ = files.read(name_or_path)
    tasks, datasets = values.get("tasks"), values.get("datasets") or {}
    if not tasks:
        raise ConfigError(
            f"--join {name_or_path}: expected a configuration with tasks and datasets."
        )
    own = values.get("dataset")
    if own:
        raise ConfigError(
            f"--join {name_or_path}: it declares the dataset {own.get('name')!r} "
            "itself, and a file declares one. Prepare that one, and join a copy of the "
            "file that has it under `datasets` instead of `dataset`."
        )
    if dataset in datasets:
        raise ConfigError(
            f"--join {name_or_path}: it has a dataset {dataset!r} already. Choose "
            f"another name. Its datasets: {', '.join(datasets)}."
        )
    if values.get("phantoms"):
        raise ConfigError(
            f"--join {name_or_path}: its data are synthetic. Expected a configuration "
            "of real data, such as mdmt or open_cxr."
        )
    reference = name_or_path
    if name_or_path not in files.names():
        reference = os.path.relpath(name_or_path, out.parent)
    select_on = (values.get("training") or {}).get("select_on")
    augmentation = (values.get("pipeline") or {}).get("augmentation", {})
    if augmentation is not None:
        default = AugmentationSection().flip_probability
        augmentation = augmentation.get("flip_probability", default)
    return Base(
        reference=reference,
        tasks=tasks,
        datasets=datasets,
        image_size=values.get("image_size", 256),
        select_on=select_on or {"task": next(iter(tasks))},
        flips=bool(augmentation),
        flip_averaging=(values.get("model") or {}).get("flip_averaging", False),
    )
