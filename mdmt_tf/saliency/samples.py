"""Samples to explain with their predictions, and the maps of one of them."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

import nibabel
import numpy as np

from mdmt_tf.imaging.resample import to_original_grid
from mdmt_tf.saliency.maps import Explainer
from mdmt_tf.tasks import Answer
from mdmt_tf.tasks.derived import with_own_maps

_OPPOSITE = dict(zip("RLAPSI", "LRPAIS", strict=True))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Geometry:
    """Positions of the voxels of a prepared volume and of its file.

    Attributes:
        prepared_affine: (4, 4), from (d, h, w) to mm to the right, front, and upwards.
        original_affine: (4, 4), from the indices of the file to the same mm.
        original_shape: voxels of the file along its three axes.
    """

    prepared_affine: np.ndarray
    original_affine: np.ndarray
    original_shape: tuple[int, int, int]

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance of the voxels of the prepared volume along each axis."""
        return tuple(np.linalg.norm(self.prepared_affine[:3, :3], axis=0).tolist())

    @property
    def left(self) -> str:
        """The side of the patient on the left of a slice: R, L, A, P, S or I."""
        columns = nibabel.aff2axcodes(self.prepared_affine)[2]
        return _OPPOSITE[columns]

    def to_original(self, values: np.ndarray) -> np.ndarray:
        """Resample a prepared volume (d, h, w) to the voxels of the file; float32."""
        return to_original_grid(
            values, self.prepared_affine, self.original_affine, self.original_shape
        )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Map:
    """One map of one sample.

    Attributes:
        task, method: of the map; `task` may be a derived answer.
        image: as the network sees it, float32 (*spatial, 1) in [0, 1].
        saliency: float32 (*spatial).
        words: what it explains, see `Answer.explained_words`.
        facts: result of `Answer.explanation`.
    """

    task: str
    method: str
    image: np.ndarray
    saliency: np.ndarray
    words: str
    facts: Mapping


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PredictedSamples:
    """n samples to explain, with their predictions.

    Attributes:
        images: n prepared images, float32 (*spatial, 1) in [0, 1].
        ids: n distinct ids, any text.
        probabilities: answer -> (n, n_classes), or (n, 1) values. They determine the
            explained class, see `Answer.explained`.
        labels: answer -> (n, *label_shape), see `Answer.encode`. None: no label is
            known.
        geometry: geometry of each sample; None if it has none, such as a radiograph.
            Without it, no NIfTI file is written.
        masks: mask of each sample, not 0 in the lesion; None without a mask. It is on
            the voxels of the file if there is a geometry, otherwise on those of the
            image.
        splits: the split of each sample; None if they are of no data of the run.
    """

    images: Sequence[np.ndarray]
    ids: Sequence[str]
    probabilities: Mapping[str, np.ndarray]
    labels: Mapping[str, np.ndarray] | None = None
    geometry: Sequence[Geometry | None] | None = None
    masks: Sequence[np.ndarray | None] | None = None
    splits: Sequence[str] | None = None

    def explanation(self, number: int, answer: Answer) -> tuple[int | None, dict]:
        """The explained target of one sample, and its `Answer.explanation`."""
        predicted = np.asarray(self.probabilities[answer.name])[number]
        label = None if self.labels is None else self.labels[answer.name][number]
        chosen = answer.explained(predicted[np.newaxis])
        target = None if chosen is None else int(chosen[0])
        return target, answer.explanation(predicted, label, target)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """The maps that are wanted of samples.

    Attributes:
        normalize: converts (1, *spatial, 1) in [0, 1] to the input of the network.
        methods: methods of `methods.METHODS`, see `possible_methods`.
        answers: names of those to explain; None: all that have a map of their own.
        note: description of the data, shown in every picture.
    """

    normalize: Callable
    methods: Sequence[str]
    answers: Sequence[str] | None = None
    note: str = ""


def maps_of_sample(
    explainer: Explainer, samples: PredictedSamples, number: int, request: Request
) -> Iterator[Map]:
    """The maps of one sample, in the order of answers and methods.

    Args:
        explainer: makes the maps of its answers.
        samples: the samples and their predictions.
        number: number of the sample.
        request: the wanted maps.
    """
    image = np.asarray(samples.images[number], np.float32)
    batch = np.asarray(request.normalize(image[np.newaxis]))
    answers = request.answers
    if answers is None:
        answers = [one.name for one in with_own_maps(explainer.answers.values())]
    for name in answers:
        answer = explainer.answers[name]
        target, facts = samples.explanation(number, answer)
        words = answer.explained_words(target)
        maps = explainer.maps(batch, name, request.methods, target)
        for method, (saliency,) in maps.items():
            yield Map(
                task=name,
                method=method,
                image=image,
                saliency=saliency,
                words=words,
                facts=facts,
            )
