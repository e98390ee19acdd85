"""A trained model as a SavedModel that takes images and returns probabilities.

Signatures:
    serving_default   image: float32 (n, h, w, 1), 0 black to 1 white, any size; or
                      (n, d, h, w, 1) of a model for volumes
    predict_encoded   encoded: string (n,), whole PNG or JPEG files; not for volumes,
                      which no such file holds
    predict_of_dataset  image, and dataset: string (n,), names of datasets; only of a
                      model that normalises each dataset by itself. The others normalise
                      all images as those of a dataset that is not known.
    information       no input; one string: JSON with tasks, classes, whether the tested
                      data were synthetic, and how many synthetic images of which
                      datasets the model was trained with, also before its start
All but the last return one float32 (n, classes) per task, under the task's name; (n, 1)
for a regression. Derived answers are outputs, too: a sum (n, 1), and the category of a
sum (n, classes + 1), whose last column is the sum. For a task with classes,
`<task>_calibrated` has the calibrated probabilities in the same shape, see
`mdmt_tf.statistics.calibration`. The graph contains the resizing and the normalisation
of training.

`image_warnings`, string (n,), has codes of what is odd about an image, see
`mdmt_tf.serving.image_warnings`. Pixels that are NaN or not in [0, 1] are an error.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from mdmt_tf.data.normalize import normalize, resize, to_unit
from mdmt_tf.errors import MdmtError
from mdmt_tf.models.backbones.table import IMAGENET
from mdmt_tf.models.dataset_normalization import UNSEEN
from mdmt_tf.serving import image_warnings
from mdmt_tf.serving.decoding import decode_grey
from mdmt_tf.serving.predictor import ServedModel
from mdmt_tf.statistics.calibration import Calibrations, answered, calibrated
from mdmt_tf.tasks import Answer

# The largest difference between Keras and the SavedModel in a probability; in a value,
# relative to `Task.scale`, or to the value if that is larger.
TOLERANCE = 1e-5


def export_model(
    model: keras.Model,
    answers: Sequence[Answer],
    path: Path,
    information: dict,
    normalization: tuple = IMAGENET,
    calibrations: Calibrations | None = None,
    datasets: Sequence[str] = (),
) -> None:
    """Write the SavedModel, and `information` next to its graph as `model.json`.

    Args:
        model: input (n, h, w, c) or (n, d, h, w, c) normalised, outputs {task: logits}.
        answers: tasks of the model, and derived answers.
        path: folder to make.
        information: plain values, among them whether the data were synthetic.
        normalization: mean and std of each channel of its input.
        calibrations: by component; they are written to `information`, too. None: the
            model has raw probabilities only.
        datasets: names of the datasets whose number is the second input of the model;
            none if it has no such input.
    """
    calibrations = calibrations or {}
    if calibrations:
        stored = {name: own.to_plain() for name, own in calibrations.items()}
        information = information | {"calibration": stored}
    shape = model.inputs[0].shape[1:-1]
    any_size = (None,) * (len(shape) + 1)
    image = tf.TensorSpec((*any_size, 1), tf.float32, "image")
    text = json.dumps(information, indent=2)

    def answer(grey, dataset=None, sizes=None):
        if sizes is None:
            grey, sizes = image_warnings.checked(grey), tf.shape(grey)[-3:-1]
        resized = resize(grey, shape)
        inputs = normalize(resized, *normalization)
        if datasets:
            inputs = (inputs, _numbers_of(datasets, dataset, tf.shape(grey)[:1]))
        logits = model(inputs, training=False)
        made = answered(answers, logits, calibrations, ops=keras.ops)
        outputs = {
            name: tf.cast(values, tf.float32, name=name)
            for name, values in made.items()
        }
        found = image_warnings.warn(resized, sizes, information)
        return outputs | {image_warnings.OUTPUT: found}

    def predict_encoded(encoded):
        def read(file):
            grey = decode_grey(file)
            return resize(grey, shape), tf.shape(grey)[:2]

        encoded = image_warnings.shaped(encoded, "encoded: expected strings (n,)")
        is_full = tf.reduce_all(tf.strings.length(encoded) > 0)
        text = "encoded: expected whole PNG or JPEG files. Received an empty string"
        with tf.control_dependencies([tf.debugging.Assert(is_full, [text])]):
            encoded = tf.identity(encoded)
        specification = tf.TensorSpec((*shape, 1), tf.float32)
        size = tf.TensorSpec((2,), tf.int32)
        read_files = tf.map_fn(read, encoded, fn_output_signature=(specification, size))
        return answer(read_files[0], sizes=read_files[1])

    functions = {"serving_default": (answer, [image])}
    if datasets:
        names = tf.TensorSpec((None,), tf.string, "dataset")
        functions["predict_of_dataset"] = (answer, [image, names])
    if len(shape) == 2:
        files = tf.TensorSpec((None,), tf.string, "encoded")
        functions["predict_encoded"] = (predict_encoded, [files])
    functions["information"] = (lambda: {"json": tf.constant(text)}, [])
    write_functions(model, path, functions)
    (path / "model.json").write_text(text + "\n", encoding="utf-8")


def write_functions(
    model: keras.Model,
    path: Path,
    functions: Mapping[str, tuple[Callable, Sequence[tf.TensorSpec]]],
) -> None:
    """Write a SavedModel with a signature for each function.

    `keras.export.ExportArchive` would trace each of them a second time, to find the
    variables that it uses.

    Args:
        model: whose variables the functions use.
        path: folder to make.
        functions: {signature: (function, its arguments)}.
    """
    saved = tf.Module()
    saved.model_variables = [variable.value for variable in model.variables]
    signatures = {}
    for name, (function, arguments) in functions.items():
        traced = tf.function(function, input_signature=arguments, autograph=False)
        signatures[name] = traced
        setattr(saved, name, traced)
    tf.saved_model.save(saved, str(path), signatures=signatures)


def _numbers_of(known: Sequence[str], names, shape) -> tf.Tensor:
    """Numbers of the datasets with these names, int32 (n,); -1 for other names."""
    numbers = tf.fill(shape, UNSEEN)
    if names is not None:
        for number, name in enumerate(known):
            numbers = tf.where(names == name, number, numbers)
    return numbers


def check_export(
    path: Path,
    answers: Sequence[Answer],
    images: Sequence[np.ndarray],
    expected: Mapping[str, np.ndarray],
    calibrations: Calibrations | None = None,
    datasets: Sequence[str] | None = None,
) -> float:
    """Compare the SavedModel with the model it was made from.

    Args:
        path: of the SavedModel.
        answers: of the model, see `export_model`.
        images: (h, w, 1) or (d, h, w, 1), as prepared; sent as they are and, where the
            model takes files, as PNG. Pixels that no PNG file holds are sent in 8 bits,
            and the answer is compared with that to the same 8 bits as pixels.
        expected: {answer: probabilities (n, classes)} of the Keras model.
        calibrations: those of the SavedModel, by component.
        datasets: name of the dataset of each image, for the signature
            predict_of_dataset; None: the others are compared.
    Returns: the largest difference, see `TOLERANCE`.
    Raises: MdmtError when it is above `TOLERANCE`.
    """
    served = ServedModel(path)
    largest = 0.0
    for row, image in enumerate(images):
        scaled = to_unit(tf.convert_to_tensor(image)).numpy()
        of_row = {name: values[row] for name, values in expected.items()}
        if datasets is None:
            compared = {"serving_default": (served.predict(scaled[None]), of_row)}
        else:
            known = served.predict(scaled[None], [datasets[row]])
            compared = {"predict_of_dataset": (known, of_row)}
        if served.takes_files and datasets is None:
            file, pixels = _as_png(image, scaled)
            if pixels is not scaled:
                again = served.predict(pixels[None])
                of_row = {one.name: again[one.name][0] for one in answers}
            compared["predict_encoded"] = (served.predict_encoded([file]), of_row)
        for signature, (answer, wanted_of_row) in compared.items():
            outputs = _outputs(answers, wanted_of_row, answer, calibrations or {})
            for name, wanted, scale in outputs:
                difference = np.max(np.abs(answer[name][0] - wanted) / scale)
                if not difference <= TOLERANCE:
                    raise MdmtError(
                        f"{path}: signature {signature}, output {name}: the "
                        "SavedModel differs from the trained model by "
                        f"{difference:.2g} on image {row} of {len(images)}; "
                        f"{TOLERANCE:g} is allowed. The export must not be used."
                    )
                largest = max(largest, float(difference))
    return largest


def _as_png(image: np.ndarray, scaled: np.ndarray) -> tuple[bytes, np.ndarray]:
    """A PNG file of an image, and the pixels in [0, 1] that are read from it.

    These are `scaled` itself, unless the file has other ones: floats and integers of
    more than 16 bits are in no PNG, and those of 16 bits are stretched if they are all
    dark, see `decode_grey`.
    """
    if image.dtype in (np.uint8, np.uint16):
        file = tf.io.encode_png(image).numpy()
        if np.allclose(decode_grey(file), scaled, rtol=0, atol=1e-6):
            return file, scaled
    eight_bits = np.round(scaled.clip(0, 1) * 255).astype(np.uint8)
    file = tf.io.encode_png(eight_bits).numpy()
    return file, eight_bits.astype(np.float32) / np.float32(255)


def _outputs(answers, expected, served, calibrations) -> Iterator[tuple]:
    """Name, expected values and scale of the differences of each output of one image.

    Args:
        expected: {answer: probabilities (n_classes,)}.
        served: outputs of the SavedModel.
        calibrations: by component.
    """
    for one in answers:
        raw = expected[one.name]
        yield one.name, raw, np.maximum(one.scale, np.abs(raw))
        # A temperature above 1 makes rounding errors of a tiny probability large, so
        # the answer is compared with the calibration of its own probabilities. Of
        # labels that are nearly certain, these have too few digits.
        given = raw if one.label_shape else served[one.name][0].astype(np.float64)
        own = calibrated(one, given[np.newaxis], calibrations)
        if own is not None:
            # A temperature below 1 makes differences of logits larger.
            coldest = min(calibrations[c.name].temperature for c in one.components)
            scale = np.maximum(1 / min(coldest, 1.0), np.abs(own[0]))
            yield one.calibrated_name, own[0], scale
