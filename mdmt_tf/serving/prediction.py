"""Predict files with one or more trained models."""

import collections
import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from mdmt_tf.errors import DataError
from mdmt_tf.imaging.image_files import find_images
from mdmt_tf.serving import answers, ensemble
from mdmt_tf.serving.answers import Answer
from mdmt_tf.serving.ensemble import OpenModel
from mdmt_tf.serving.oddities import find_oddities
from mdmt_tf.serving.preparation import PreparedFile, prepare_files

# Images, or volumes, that a model predicts at a time.
_BATCH = {2: 16, 3: 2}


@dataclasses.dataclass(kw_only=True)
class Counts:
    """What became of the files.

    Attributes:
        files: number of files.
        answered: those with an answer.
        warned: those with a warning.
        uncalibrated: whether a probability is as the model was trained to give it.
        trained_on: description of the training data of each model.
    """

    files: int
    answered: int = 0
    warned: int = 0
    uncalibrated: bool = False
    trained_on: Sequence[str] = ()


def predict_files(
    models: Sequence[OpenModel],
    given: Sequence[str],
    out: Path,
    *,
    progress: Callable[[int, int], object] = lambda done, total: None,
    each: Callable[[Answer, PreparedFile | None], object] = lambda *_: None,
) -> Counts:
    """Predict files and write the answers.

    Args:
        models: see `ensemble.open_models`.
        given: files, folders and patterns, see `find_images`.
        out: CSV or JSON file to write.
        progress: called with (files done, all files).
        each: called with each answer and its image, as the first model sees it.
    Raises: ConfigError, DataError for errors that the user can correct. A file that
        cannot be read is no such error but an answer with an error.
    """
    files = find_images(given, volumes=len(models[0].size) == 3)
    counts = Counts(
        files=len(files),
        uncalibrated=not all(map(_is_calibrated, models)),
        trained_on=list(dict.fromkeys(model.trained_on for model in models)),
    )
    components = models[0].components
    with answers.writing(out, components, _about(models)) as write:
        progress(0, len(files))
        for done, (answer, prepared) in enumerate(answer_files(models, files), 1):
            write(answer)
            each(answer, prepared)
            counts.answered += not answer.error
            counts.warned += bool(answer.warnings)
            progress(done, len(files))
    return counts


def answer_files(
    models: Sequence[OpenModel], files: Iterable[Path]
) -> Iterator[tuple[Answer, PreparedFile | None]]:
    """The answers to files, in their order; each file is prepared once.

    Yields: the answer, and the image as the first model sees it; None for an error.
    """
    kinds = list(dict.fromkeys(model.preprocessing for model in models))
    files = list(files)
    streams = [prepare_files(files, kind) for kind in kinds]
    together = zip(*streams, strict=True)
    while batch := list(itertools.islice(together, _BATCH[len(models[0].size)])):
        yield from _answer_batch(models, kinds, batch)


def _answer_batch(models, kinds, batch) -> Iterator:
    """Answers to a batch: for each file, its path and result of each kind."""
    good = [
        number
        for number, results in enumerate(batch)
        if not any(isinstance(result, DataError) for _, result in results)
    ]
    outputs = []
    if good:
        for model in models:
            kind = kinds.index(model.preprocessing)
            images = np.stack([batch[number][kind][1].image for number in good])
            outputs.append(model.predictor.predict(images))
    places = {number: place for place, number in enumerate(good)}
    digests = "+".join(model.digest for model in models)
    for number, results in enumerate(batch):
        path = str(results[0][0])
        if number not in places:
            (error, *_) = [r for _, r in results if isinstance(r, DataError)]
            yield Answer(file=path, error=str(error)), None
            continue
        prepared = {kinds[i]: result for i, (_, result) in enumerate(results)}
        tasks = _combined(models, outputs, places[number])
        first = prepared[models[0].preprocessing]
        bad = [name for name, one in tasks.items() if not _is_number(one)]
        if bad:
            text = f"the model has no number for {', '.join(bad)}"
            yield Answer(file=path, error=f"{path}: {text}"), None
            continue
        answer = Answer(
            file=path,
            tasks=tasks,
            model=digests,
            box_source=first.box_source,
            warnings=_warnings(models, prepared),
        )
        yield answer, first


def _combined(models, outputs, place: int) -> dict[str, answers.TaskAnswer]:
    """Component of a task -> the mean answer of all models for one image."""
    found = {}
    for task in models[0].tasks:
        raw = [output[task.name][place] for output in outputs]
        calibrated = [
            output.get(_calibrated(task.name), output[task.name])[place]
            for output in outputs
        ]
        for index, component in enumerate(task.components):
            found[component.name] = answers.combine(
                component,
                [_of_component(task, values, index) for values in raw],
                [_of_component(task, values, index) for values in calibrated],
            )
    return found


def _of_component(task, values: np.ndarray, index: int) -> np.ndarray:
    """Probabilities (n_classes,) of one component, from those of its task."""
    unknown = np.full((1, *task.label_shape), -1)
    _, _, chances = list(task.answers(unknown, values[np.newaxis]))[index]
    return chances[0]


def _warnings(models, prepared) -> dict[str, str]:
    """The warnings that at least half of the models give."""
    texts, counts = {}, collections.Counter()
    for model in models:
        found = find_oddities(
            prepared[model.preprocessing],
            model.preprocessing,
            model.training_images,
            model.size,
        )
        texts |= found
        counts.update(found)
    return {code: t for code, t in texts.items() if 2 * counts[code] >= len(models)}


def _is_number(answer: answers.TaskAnswer) -> bool:
    values = [*answer.calibrated.values(), *answer.raw.values()]
    if not values:
        values = [answer.prediction]
    return bool(np.isfinite(values).all())


def _calibrated(name: str) -> str:
    """The output of the SavedModel with the calibrated probabilities of a task."""
    return f"{name}_calibrated"


def _is_calibrated(model: OpenModel) -> bool:
    return False


def _about(models: Sequence[OpenModel]) -> dict:
    return {
        "models": [
            {
                "path": str(model.path),
                "digest": model.digest,
                "trained_on": model.trained_on,
                "preprocessing": model.preprocessing.name,
                "calibrated": _is_calibrated(model),
            }
            for model in models
        ],
        "not_for": "diagnosis or treatment; research only",
    }


__all__ = ["Counts", "answer_files", "ensemble", "predict_files"]
