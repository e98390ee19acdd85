"""Saliency maps of some validation images for TensorBoard, at the end of training."""

import keras
import numpy as np
import tensorflow as tf

from mdmt_tf.data.normalize import normalize
from mdmt_tf.runs.kept_epoch import read_kept_epoch
from mdmt_tf.runs.manifest import data_note
from mdmt_tf.saliency import choice, explanation
from mdmt_tf.saliency.maps import Explainer
from mdmt_tf.saliency.methods import GRAD_CAM, MEANING, TITLES
from mdmt_tf.saliency.samples import PredictedSamples
from mdmt_tf.tasks import Answer
from mdmt_tf.tasks.derived import with_own_maps
from mdmt_tf.training.fit import Fit
from mdmt_tf.training.tensorboard.charts import VALIDATION
from mdmt_tf.training.tensorboard.of_fit import charts_of, folder_of
from mdmt_tf.training.tensorboard.pictures import draw_saliency, prediction_text

# Answers with maps; each takes as long as the others.
_MOST_ANSWERS = 3


def write_saliency(fit: Fit, model: keras.Model) -> None:
    """Write Grad-CAM of `training.tensorboard_saliency` images, evenly spread.

    They are the same images for all runs with this split. Pictures have no ids.

    Args:
        model: with the weights of the kept epoch.
    """
    config, charts = fit.config, charts_of(fit)
    answers = with_own_maps(charts.answers)[:_MOST_ANSWERS]
    most = config.training.tensorboard_saliency
    samples = choice.of_split(fit.inputs, VALIDATION, most)
    networks = explanation.Networks(
        config, model, len(samples.images), samples.datasets
    )
    predicted = PredictedSamples(
        images=samples.images,
        ids=samples.ids,
        probabilities=explanation.probabilities(
            config, charts.answers, networks, samples.images
        ),
        labels=samples.labels,
    )
    explainer = Explainer(networks.of(0), charts.answers)
    note = data_note(fit.manifest)
    pictures: dict[str, list] = {answer.name: [] for answer in answers}
    for number, image in enumerate(samples.images):
        networks.give(explainer, number)
        batch = np.asarray(normalize(image[np.newaxis], *config.normalization))
        for answer in answers:
            target, facts = predicted.explanation(number, answer)
            found = explainer.maps(batch, answer.name, [GRAD_CAM], target)
            (saliency,) = found[GRAD_CAM]
            lines = [
                f"predicted {prediction_text(answer, predicted, number)}",
                f"true {facts['true_class'] or 'unknown'}",
                _meaning(answer, target, saliency),
            ]
            picture = draw_saliency(image[..., 0], saliency, lines, note)
            pictures[answer.name].append(picture)
    writer = tf.summary.create_file_writer(str(folder_of(fit) / VALIDATION))
    kept = read_kept_epoch(fit.run, fit.config.training.select_on)
    with writer.as_default(step=kept.number):
        for name, own in pictures.items():
            tag, about = charts.tag(name, "saliency"), f"{note}. {_DESCRIPTION}"
            tf.summary.image(
                tag, np.stack(own), max_outputs=len(own), description=about
            )
    writer.close()


_DESCRIPTION = (
    f"Validation images with {TITLES[GRAD_CAM]} over them, by the weights that were "
    f"kept. {MEANING}"
)


def _meaning(answer: Answer, target: int | None, saliency: np.ndarray) -> str:
    words = answer.explained_words(target)
    return f"map for {words}" + ("" if saliency.any() else ": zero everywhere")
