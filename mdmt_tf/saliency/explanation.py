"""Saliency maps of a run, written to a folder."""

import dataclasses
import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np

from mdmt_tf.config import Config
from mdmt_tf.data.normalize import normalize
from mdmt_tf.errors import ConfigError, nearest
from mdmt_tf.models.dataset_normalization import UNSEEN
from mdmt_tf.models.from_config import build_from_config, plain_model
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.runs.manifest import data_note
from mdmt_tf.saliency import choice, copies, files, sanity
from mdmt_tf.saliency.choice import Explainable
from mdmt_tf.saliency.maps import Explainer, possible_methods
from mdmt_tf.saliency.samples import PredictedSamples, Request
from mdmt_tf.serving.inputs import open_run_inputs
from mdmt_tf.tasks import Answer
from mdmt_tf.tasks.derived import by_importance, divide, with_derived, with_own_maps

SANITY_TABLE = "sanity.csv"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Chosen:
    """The images of a finished run to explain.

    Attributes:
        files: files that are not part of the data, folders of them, or patterns,
            see `choice.of_files`. The other attributes, except
            `preprocessing`, are ignored if there are any.
        preprocessing: preprocessing of these files, see `choice.of_files`.
        images: ids of images of any split.
        split: the split to take images from if none are named.
        most: largest number of images from the split.
    """

    files: Sequence[str] = ()
    preprocessing: str | None = None
    images: Sequence[str] = ()
    split: str = "test"
    most: int = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The answers to explain, and the methods.

    Attributes:
        answers: names of the tasks and derived answers to explain; none: all that have
            a map of their own.
        methods: methods of `methods.METHODS`; None: all that the network allows.
        layer: see `Explainer`.
        masks: folder with `<id>_lesion.nii.gz`; None: no masks.
        with_sanity: whether to randomise the weights, see `saliency.sanity`.
    """

    answers: Sequence[str] = ()
    methods: Sequence[str] | None = None
    layer: str | None = None
    masks: Path | None = None
    with_sanity: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Explained:
    """The written saliency maps.

    Attributes:
        folder: the folder of `saliency.files`, and of `sanity.csv`.
        rows: rows of `saliency.csv`.
        sanity: rows of `sanity.csv`; empty without the sanity check.
        n_images: number of images.
        note: description of the data.
    """

    folder: Path
    rows: Sequence[files.MapRow]
    sanity: Sequence[sanity.SanityRow]
    n_images: int
    note: str


def explain_finished(
    run: RunFolder,
    chosen: Chosen,
    options: Options = Options(),
    *,
    folder: Path | None = None,
    data_dir: str | os.PathLike | None = None,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Explained:
    """Explain images of a finished run, or files, with the weights of the best epoch.

    Args:
        run: a finished run.
        chosen: the images.
        options: the answers and methods.
        folder: folder to write to; None: `saliency` in the run's folder.
        data_dir: folder of the prepared data; None: the folder used in training.
        progress: see `explain_run`.
    Raises: ConfigError, DataError for errors that the user can correct.
    """
    config = run.settings(data_dir)
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
        run.read_answers(config),
        model,
        samples,
        folder or run.saliency,
        options,
        note=note,
        progress=progress,
    )


def explain_run(
    config: Config,
    answers: Sequence[Answer],
    model: keras.Model,
    samples: Explainable,
    folder: Path,
    options: Options = Options(),
    *,
    note: str = "",
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Explained:
    """Write saliency maps of some samples, and their sanity check, to a folder.

    Args:
        config: configuration of the run.
        answers: tasks of the model, and derived answers, see `RunFolder.read_answers`.
        model: model with the weights of the run.
        samples: see `saliency.choice`.
        folder: folder to write to.
        options: the answers and methods.
        note: description of the data.
        progress: called with (samples done, all samples).
    Raises: ConfigError, DataError for errors that the user can correct.
    """
    answers = by_importance(answers)
    chosen = _chosen(answers, options.answers)
    networks = Networks(config, model, len(samples.ids), samples.datasets)
    if options.with_sanity:
        networks.require_one()
    prepare = functools.partial(_normalized, config)
    masks = None if options.masks is None else choice.read_masks(options.masks, samples)
    predicted = PredictedSamples(
        images=samples.images,
        ids=samples.ids,
        probabilities=probabilities(config, answers, networks, samples.images),
        labels=samples.labels,
        geometry=samples.geometry,
        masks=masks,
        splits=samples.splits,
    )
    methods, first = options.methods, networks.of(0)
    explainer = Explainer(first, answers, layer=options.layer)
    request = Request(
        normalize=prepare,
        methods=possible_methods(first) if methods is None else methods,
        answers=chosen,
        note=note,
    )
    rows = files.explain_samples(
        folder,
        explainer,
        predicted,
        request,
        progress=progress,
        before=lambda number: networks.give(explainer, number),
    )
    checked = []
    if options.with_sanity:
        images = np.concatenate(
            [prepare(image[np.newaxis]) for image in samples.images]
        )
        used = list(dict.fromkeys(row.method for row in rows))
        checked = sanity.randomization(
            first,
            answers,
            images,
            used,
            explained=chosen,
            seed=config.seed,
            layer=options.layer,
        )
        files.write_rows(folder / SANITY_TABLE, checked, sanity.SanityRow)
    return Explained(
        folder=folder,
        rows=rows,
        sanity=checked,
        n_images=len(samples.ids),
        note=note,
    )


class Networks:
    """A model as a function of images, for the dataset of each sample.

    It is always the model itself, unless each dataset has its own statistics of
    normalisation.
    """

    def __init__(
        self,
        config: Config,
        model: keras.Model,
        count: int,
        datasets: Sequence[int] | None = None,
    ):
        """
        Args:
            config: settings of the model.
            model: of `build_from_config`.
            count: number of samples.
            datasets: see `Explainable`.
        """
        self._datasets = datasets
        if datasets is None or not config.model.is_per_dataset:
            self._datasets = [UNSEEN] * count
        self._networks = {
            dataset: plain_model(config, model, dataset)
            for dataset in dict.fromkeys(self._datasets)
        }

    def of(self, number: int) -> keras.Model:
        """The model for a sample."""
        return self._networks[self._datasets[number]]

    def give(self, explainer: Explainer, number: int) -> None:
        """Let an explainer explain the model for a sample."""
        if len(self._networks) > 1:
            explainer.set_weights(copies.weights_of(self.of(number)))

    def require_one(self) -> None:
        """Raises: ConfigError when the samples have several models."""
        if len(self._networks) > 1:
            raise ConfigError(
                "the sanity check needs one network for all images, but each dataset "
                "has its own statistics of normalisation (model.batch_norm = "
                "per_dataset), and the images are of several datasets. Choose images "
                "of one dataset (--images)."
            )


def probabilities(
    config: Config,
    answers: Sequence[Answer],
    networks: Networks,
    images: Sequence[np.ndarray],
) -> dict[str, np.ndarray]:
    """{answer: (n, n_classes)} of prepared images (*spatial, 1) in [0, 1].

    Args:
        answers: tasks of the model, and answers that are derived from some of them.
    """
    predicted = [
        networks.of(number)(_normalized(config, image[np.newaxis]), training=False)
        for number, image in enumerate(images)
    ]
    tasks, derived = divide(answers)
    found = {
        task.name: task.probabilities(
            np.concatenate([np.asarray(logits[task.name]) for logits in predicted])
        )
        for task in tasks
    }
    return with_derived(found, derived)


def _chosen(answers: Sequence[Answer], names: Sequence[str]) -> list[str]:
    known = [answer.name for answer in answers]
    for name in names:
        if name not in known:
            raise ConfigError(
                f"{name!r} is not a task or derived answer of the run."
                f"{nearest(name, known)} Known: {', '.join(known)}."
            )
    return list(names) or [answer.name for answer in with_own_maps(answers)]


def _normalized(config: Config, images) -> np.ndarray:
    """Convert (n, *spatial, 1) in [0, 1] to the network's input, as the pipeline."""
    return np.asarray(normalize(images, *config.normalization))
