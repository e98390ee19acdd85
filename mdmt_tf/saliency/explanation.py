"""Saliency of a trained model for some images, written to a folder."""

import dataclasses
import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np

from mdmt_tf import config as configuration
from mdmt_tf.config import Config
from mdmt_tf.data.normalize import normalize
from mdmt_tf.errors import ConfigError, nearest
from mdmt_tf.models.from_config import build_from_config
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.runs.manifest import data_note
from mdmt_tf.saliency import choice, files, sanity
from mdmt_tf.saliency.choice import Explainable
from mdmt_tf.serving.inputs import open_run_inputs
from mdmt_tf.tasks import Task

SANITY_TABLE = "sanity.csv"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Chosen:
    """Which images of a finished run to explain.

    Attributes:
        files: that are not part of its data, also folders and patterns, see
            `choice.of_files`; the rest does not matter then.
        preprocessing: of these files, see `choice.of_files`.
        images: ids of images, of any split.
        split: to take images from where none are named.
        most: at most so many of these.
    """

    files: Sequence[str] = ()
    preprocessing: str | None = None
    images: Sequence[str] = ()
    split: str = "test"
    most: int = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What to explain of each image, and how.

    Attributes:
        tasks: names of those to explain; none: all.
        methods, layer: see `files.explain_samples`.
        masks: folder of `<id>_lesion.nii.gz`; None for none.
        with_sanity: whether to randomise the weights, see `saliency.sanity`.
    """

    tasks: Sequence[str] = ()
    methods: Sequence[str] | None = None
    layer: str | None = None
    masks: Path | None = None
    with_sanity: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Explained:
    """What was written.

    Attributes:
        folder: see `saliency.files`; `sanity.csv` comes beside.
        rows: of `saliency.csv`.
        sanity: of `sanity.csv`; none without the test.
        n_images: how many images.
        note: what the data are.
    """

    folder: Path
    rows: Sequence[files.Row]
    sanity: Sequence[sanity.Row]
    n_images: int
    note: str


def explain_finished(
    run: RunFolder,
    chosen: Chosen,
    options: Options,
    *,
    folder: Path | None = None,
    data_dir: str | os.PathLike | None = None,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Explained:
    """Explain images of a finished run, or files, with its weights of the best epoch.

    Args:
        run: a finished run.
        chosen: which images.
        options: what of them.
        folder: where to write; None: `saliency` in the run's folder.
        data_dir: where the prepared data are; None for where they were in training.
        progress: see `explain_run`.
    Raises: ConfigError, DataError for what the user can mend.
    """
    # Files need no prepared data: any folder that exists will do.
    place = run.path if chosen.files else data_dir
    overrides = [] if place is None else [f"data_dir={os.fspath(place)}"]
    config = configuration.load(str(run.config), overrides)
    note = data_note(run.read_json(run.manifest))
    if chosen.files:
        samples = choice.of_files(config, chosen.files, chosen.preprocessing)
        note = f"model trained on {note}"
    else:
        inputs = open_run_inputs(run, config)
        samples = choice.of_split(inputs, chosen.split, chosen.most, chosen.images)
    model = build_from_config(config)
    model.load_weights(run.best_weights)
    return explain_run(
        config,
        model,
        samples,
        folder or run.saliency,
        options,
        note=note,
        progress=progress,
    )


def explain_run(
    config: Config,
    model: keras.Model,
    samples: Explainable,
    folder: Path,
    options: Options = Options(),
    *,
    note: str = "",
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Explained:
    """Write the saliency of some samples, and of a test of it, to a folder.

    Args:
        config: of the run.
        model: with the weights of the run.
        samples: see `saliency.choice`.
        folder: where to write.
        options: what to explain.
        note: what the data are.
        progress: called with the samples done and the number of all.
    Raises: ConfigError, DataError for what the user can mend.
    """
    chosen = _tasks(config.build_tasks(), options.tasks)
    prepare = functools.partial(_normalized, config)
    masks = None if options.masks is None else choice.read_masks(options.masks, samples)
    rows = files.explain_samples(
        folder,
        model,
        chosen,
        samples.images,
        samples.ids,
        probabilities(config, model, samples.images),
        samples.labels,
        normalize=prepare,
        methods=options.methods,
        layer=options.layer,
        geometry=samples.geometry,
        masks=masks,
        note=note,
        progress=progress,
    )
    checked = []
    if options.with_sanity:
        images = np.concatenate(
            [prepare(image[np.newaxis]) for image in samples.images]
        )
        used = list(dict.fromkeys(row.method for row in rows))
        checked = sanity.randomization(
            model, chosen, images, used, seed=config.seed, layer=options.layer
        )
        files.write_table(folder / SANITY_TABLE, checked, sanity.Row)
    return Explained(
        folder=folder,
        rows=rows,
        sanity=checked,
        n_images=len(samples.ids),
        note=note,
    )


def probabilities(
    config: Config, model: keras.Model, images: Sequence[np.ndarray]
) -> dict[str, np.ndarray]:
    """{task: (n, n_classes)} of prepared images (*spatial, 1) in [0, 1]."""
    predicted = [
        model(_normalized(config, image[np.newaxis]), training=False)
        for image in images
    ]
    return {
        task.name: task.probabilities(
            np.concatenate([np.asarray(logits[task.name]) for logits in predicted])
        )
        for task in config.build_tasks()
    }


def _tasks(tasks: Sequence[Task], names: Sequence[str]) -> list[Task]:
    known = {task.name: task for task in tasks}
    for name in names:
        if name not in known:
            raise ConfigError(
                f"{name!r} is no task of the run.{nearest(name, known)} Known: "
                f"{', '.join(known)}."
            )
    return [known[name] for name in names] if names else list(tasks)


def _normalized(config: Config, images) -> np.ndarray:
    """As the pipeline does it: (n, *spatial, 1) in [0, 1] to the network's input."""
    return np.asarray(normalize(images, *config.normalization))
