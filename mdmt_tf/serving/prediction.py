"""Predict files with one or more trained models."""

import collections
import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from mdmt_tf.datasets._shared import encoding
from mdmt_tf.errors import DataError
from mdmt_tf.imaging.image_files import find_images
from mdmt_tf.imaging.left_out import warn_left_out
from mdmt_tf.imaging.preprocess import Preprocessing, VolumePreprocessing
from mdmt_tf.marks import NOT_FOR
from mdmt_tf.metrics.text import plural
from mdmt_tf.models.weights import provenance
from mdmt_tf.serving import answers
from mdmt_tf.serving.answers import AnsweredFile
from mdmt_tf.serving.ensemble import OpenModel
from mdmt_tf.serving.oddities import find_oddities
from mdmt_tf.serving.preparation import PreparedFile, Warned, prepare_files

# Images, or volumes, that a model predicts at a time.
_BATCH = {2: 16, 3: 2}

# The prepared forms of one file, one for each preprocessing of the models.
Forms = Mapping[Preprocessing | VolumePreprocessing, PreparedFile]


class Maps(Protocol):
    """Draws saliency maps of files while they are predicted."""

    def open(self, models: Sequence[OpenModel], files: Sequence[Path]) -> None:
        """Called once, before the first file."""

    def draw(self, number: int, forms: Forms) -> None:
        """Called for each file that was answered, with its number."""

    def close(self) -> None:
        """Called once, after the last file, or after an error."""


@dataclasses.dataclass(kw_only=True)
class Counts:
    """What became of the files.

    Attributes:
        files: number of files.
        left_out: what is said of files of folders that are none of them, see
            `imaging.left_out`.
        answered: those with an answer.
        warned: those with a warning.
        uncalibrated: whether a probability is as the model was trained to give it.
        trained_on: description of the training data of each model.
        statistics: what normalises the files, see `served_text`; of models in which
            each dataset has its own statistics.
    """

    files: int
    left_out: str = ""
    answered: int = 0
    warned: int = 0
    uncalibrated: bool = False
    trained_on: Sequence[str] = ()
    statistics: Sequence[str] = ()

    def text(self, seconds: float, out: Path, maps: Path | None) -> str:
        """A summary in a few lines."""
        errors = self.files - self.answered
        lines = [
            f"{self.answered} of {plural(self.files, 'file')} answered in "
            f"{seconds:.1f} s "
            f"({self.files / max(seconds, 1e-3):.1f} a second), {errors} with an "
            f"error, {self.warned} with a warning: {out}"
        ]
        if self.left_out:
            lines.append(self.left_out)
        if maps is not None:
            lines.append(f"saliency maps: {maps}")
        if self.uncalibrated:
            lines.append(
                "probabilities are not calibrated: the model was made without, or with "
                "too few validation images"
            )
        lines += [f"trained on {text}" for text in self.trained_on]
        lines += [f"files are normalised by the {text}" for text in self.statistics]
        lines.append("for research only, not for diagnosis or treatment")
        return "\n".join(lines)


def predict_files(
    models: Sequence[OpenModel],
    given: Sequence[str],
    out: Path,
    *,
    progress: Callable[[int, int], object] = lambda done, total: None,
    maps: "Maps | None" = None,
) -> Counts:
    """Predict files and write the answers.

    Args:
        models: see `ensemble.open_models`.
        given: files, folders and patterns, see `find_images`.
        out: CSV or JSON file to write.
        progress: called with (files done, all files).
        maps: draws saliency maps of the files that are answered.
    Raises: ConfigError, DataError for errors that the user can correct. A file that
        cannot be read is no such error but an answer with an error.
    """
    volumes = len(models[0].size) == 3
    files = find_images(given, volumes, confined=True, by_content=True)
    counts = Counts(
        files=len(files),
        left_out=warn_left_out(given, files, volumes),
        uncalibrated=not all(model.is_calibrated for model in models),
        trained_on=list(dict.fromkeys(model.trained_on for model in models)),
        statistics=[
            text for text in dict.fromkeys(m.statistics_text for m in models) if text
        ],
    )
    components = models[0].components
    # The maps of a call that is interrupted have their table, too.
    closing = contextlib.nullcontext()
    if maps is not None:
        maps.open(models, files)
        closing = contextlib.closing(maps)
    with closing, answers.writing(out, components, _about(models)) as write:
        progress(0, len(files))
        for done, (answer, prepared) in enumerate(answer_files(models, files), 1):
            write(answer)
            if maps is not None and not answer.error:
                maps.draw(done - 1, prepared)
            counts.answered += not answer.error
            counts.warned += bool(answer.warnings)
            progress(done, len(files))
    return counts


def answer_files(
    models: Sequence[OpenModel], files: Sequence[Path]
) -> Iterator[tuple[AnsweredFile, Forms]]:
    """The answers to files, in their order.

    A file is prepared once for all models with the same preprocessing.

    Yields: the answer, and the prepared forms of the file; none if there is an error.
    """
    for _, answer, forms in answer_groups(models, [files]):
        yield answer, forms


def answer_groups(
    models: Sequence[OpenModel],
    groups: Sequence[Sequence[Path]],
    *,
    warned: Warned = encoding.warn_again,
    picture: int = 0,
) -> Iterator[tuple[int, AnsweredFile, Forms]]:
    """The answers to groups of files, each as if its group were alone.

    The files of all groups are prepared together, which is faster. The models predict
    them by group, since the last digits of a probability depend on how many images are
    predicted at a time.

    Args:
        warned, picture: see `prepare_files`; a file with several preprocessings is
            warned of once for each.
    Yields: the number of the group, and as `answer_files`.
    """
    kinds = list(dict.fromkeys(model.preprocessing for model in models))
    files = list(itertools.chain.from_iterable(groups))
    streams = (
        prepare_files(files, kind, warned=warned, picture=picture) for kind in kinds
    )
    together = zip(*streams, strict=True)
    for number, group in enumerate(groups):
        of_group = itertools.islice(together, len(group))
        while batch := list(itertools.islice(of_group, _BATCH[len(models[0].size)])):
            paths = [results[0][0] for results in batch]
            forms = [
                dict(zip(kinds, (result for _, result in results), strict=True))
                for results in batch
            ]
            for answer, of_file in _answer_batch(models, paths, forms):
                yield number, answer, of_file


def _answer_batch(models, paths, forms) -> Iterator[tuple[AnsweredFile, Forms]]:
    errors = [_error(of_file) for of_file in forms]
    good = [of_file for of_file, error in zip(forms, errors, strict=True) if not error]
    outputs = []
    for model in models if good else ():
        images = [of_file[model.preprocessing].image for of_file in good]
        outputs.append(model.predictor.predict(np.stack(images)))
    place = -1
    for path, of_file, error in zip(paths, forms, errors, strict=True):
        if error:
            yield AnsweredFile(file=str(path), error=error), {}
            continue
        place += 1
        answer = _answer(models, str(path), of_file, outputs, place)
        yield answer, {} if answer.error else of_file


def _error(of_file: Mapping) -> str:
    """The first error of the prepared forms of a file; "" if there is none."""
    errors = [str(form) for form in of_file.values() if isinstance(form, DataError)]
    return errors[0] if errors else ""


def _answer(models, path: str, of_file: Forms, outputs, place: int) -> AnsweredFile:
    tasks = _combined(models, outputs, place)
    bad = [name for name, one in tasks.items() if not _is_number(one)]
    if bad:
        text = f"{path}: the model answers {', '.join(bad)} with no number."
        return AnsweredFile(file=path, error=text)
    return AnsweredFile(
        file=path,
        tasks=tasks,
        model="+".join(model.digest for model in models),
        box_source=of_file[models[0].preprocessing].box_source,
        warnings=_warnings(models, of_file),
    )


def _combined(models, outputs, place: int) -> dict[str, answers.AnsweredTask]:
    """Component of a task -> the mean answer of all models for one image."""
    found = {}
    for task in models[0].tasks:
        raw = [output[task.name][place] for output in outputs]
        calibrated = [
            output.get(task.calibrated_name, output[task.name])[place]
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
        counts.update(list(found))
    return {code: t for code, t in texts.items() if 2 * counts[code] >= len(models)}


def _is_number(answer: answers.AnsweredTask) -> bool:
    values = [*answer.calibrated.values(), *answer.raw.values()]
    if not values:
        values = [answer.prediction]
    return bool(np.isfinite(values).all())


def _about(models: Sequence[OpenModel]) -> dict:
    return {
        "models": [
            {
                "path": str(model.path),
                "digest": model.digest,
                "trained_on": model.trained_on,
                provenance.NOTE: dict(model.trained_with_synthetic),
                "preprocessing": model.preprocessing.name,
                "calibrated": model.is_calibrated,
                **({"statistics": dict(model.statistics)} if model.statistics else {}),
            }
            for model in models
        ],
        "not_for": NOT_FOR,
    }
