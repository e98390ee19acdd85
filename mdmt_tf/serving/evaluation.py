"""Evaluation of a finished run, on its own data or on data that it has not seen."""

import dataclasses
import logging
import os
from collections.abc import Callable, Mapping, Sequence

from mdmt_tf.data.images import Images
from mdmt_tf.data.samples import all_samples
from mdmt_tf.data.sources import PreparedDataset, units_of
from mdmt_tf.errors import ConfigError, nearest
from mdmt_tf.models.weights import lineage
from mdmt_tf.runs.declared_tasks import Field
from mdmt_tf.runs.evaluation import Evaluation, check_unseen, evaluate
from mdmt_tf.runs.external import EXTERNAL, fed_by
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.runs.reproduction import differences, read_stored
from mdmt_tf.serving.inputs import open_run_inputs
from mdmt_tf.serving.predictor import AsDataset, open_predictor, served_text
from mdmt_tf.splits.split import Split
from mdmt_tf.statistics.stored import other_stored
from mdmt_tf.tasks import Answer
from mdmt_tf.tasks.units import with_units

logger = logging.getLogger(__name__)


def reproduce(run: RunFolder, data_dir: str | os.PathLike | None = None) -> list[str]:
    """Predict all images of the run again, and compare with its files.

    Args:
        run: a finished run.
        data_dir: folder of the prepared data; None: the folder used in training.
    Returns: what differs from `predictions.csv`, and in `metrics.json` from what
        follows from it, in lines; see `differences`.
    Raises: DataError when the data are not those of the run, or files are missing.
    """
    config = run.settings(data_dir)
    inputs = open_run_inputs(run, config)
    again = evaluate(
        open_predictor(run, config),
        inputs.samples,
        inputs.images,
        fold=inputs.split.fold,
        batch_size=config.training.batch_size,
    )
    return differences(run, again, run.read_answers(config))


def unfounded(run: RunFolder) -> list[str]:
    """What does not follow from `predictions.csv` in the other files, in lines.

    These are `calibration.json` and `assessment.json`, see `other_stored`.

    Args:
        run: a finished run whose predictions are right, see `reproduce`.
    """
    answers = run.read_answers(run.settings())
    return other_stored(run, read_stored(run, answers), answers)


def conclusion(run: RunFolder, lines: Sequence[str]) -> str:
    """What `reproduce` has found, in words."""
    if not lines:
        what = "SavedModel" if run.saved_model.is_dir() else "trained model"
        return (
            f"The {what} reproduces {run.predictions}, and the metrics in "
            f"{run.metrics.name} follow from it."
        )
    listed = "".join(f"\n  {line}" for line in lines)
    return f"The files of {run.path} are not what its model and data give:{listed}"


def evaluate_on(
    run: RunFolder,
    dataset: PreparedDataset,
    fields: Mapping[str, Field],
    progress: Callable[[int, int], object] = lambda done, total: None,
    statistics_of: str | None = None,
) -> Evaluation:
    """External validation on all rows of a dataset that the run has never seen.

    Images that were prepared in another size are resized. The caller must make sure
    that their preprocessing is the same otherwise.

    Args:
        run: a finished run.
        dataset: any prepared dataset.
        fields: task -> the label field of the dataset. Other tasks of the run are
            left out, and derived answers without all of their tasks, unless they have
            a field themselves. Labels may be unknown, and classes may be missing.
        progress: called with (images done, all images).
        statistics_of: see `Request`.
    Returns: predictions of all rows, split "external"; metrics of the labelled ones.
    Raises: ConfigError for a task that the run does not have; DataError for a field
        that is missing, a label that is no class, images that do not fit, or a dataset
        of the run; LeakageError for images that the run was trained with.
    """
    run.require_finished()
    config = run.settings()
    known = run.read_answers(config)
    if not fields:
        raise ConfigError(
            "no task to evaluate. Expected a label field for one of the tasks of the "
            f"run or more: {', '.join(task.name for task in known)}."
        )
    chosen = [_answer(known, name) for name in fields]
    others = [answer for answer in known if answer.name not in fields]
    answers = fed_by((*chosen, *others), dataset.name, fields)
    with_units(answers, units_of([dataset]))
    check_unseen(run, dataset)
    note = lineage.of_manifest(run.read_json(run.manifest))
    if text := lineage.unknown_text(note):
        logger.warning("%s: %s.", run.path, text)
    predictor = open_predictor(run, config)
    if statistics_of is not None:
        predictor = AsDataset(predictor, statistics_of)
    found = evaluate(
        predictor,
        {EXTERNAL: all_samples([dataset], answers)},
        Images([dataset], config.image_shape, config.pipeline.cache),
        fold=Split.read(run.split).fold,
        batch_size=config.training.batch_size,
        progress=progress,
    )
    used = predictor.statistics
    if used is not None and dataset.name in used:
        used = {dataset.name: 1.0}
    return dataclasses.replace(found, statistics=served_text(used))


def _answer(answers: tuple[Answer, ...], name: str) -> Answer:
    known = {answer.name: answer for answer in answers}
    if name not in known:
        raise ConfigError(
            f"{name!r} is not a task of the run.{nearest(name, known)} Known: "
            f"{', '.join(known)}."
        )
    return known[name]
