"""The SavedModel against Keras, against the file reader, and against damage."""

import json
import re
import shutil

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf
from oriented_files import exif, jpeg

from mdmt_tf.data.normalize import normalize
from mdmt_tf.errors import DataError, MdmtError
from mdmt_tf.imaging.dicom import read_image
from mdmt_tf.serving import export
from mdmt_tf.serving.decoding import decode_grey
from mdmt_tf.serving.export import check_export, export_model
from mdmt_tf.serving.predictor import ServedModel
from mdmt_tf.statistics.calibration import Calibration
from mdmt_tf.tasks import make_task

TASKS = (
    make_task(name="zebra", kind="categorical", classes=("a", "b", "c")),
    make_task(name="middle", kind="binary", classes=("no", "yes")),
    make_task(name="alpha", kind="ordinal", cut_points=(1, 2)),
    make_task(name="value", kind="regression"),
    make_task(name="signs", kind="multilabel", classes=("x", "y")),
)
CALIBRATIONS = {
    name: Calibration(temperature=temperature, prior_ratio=ratio)
    for name, temperature, ratio in (
        ("zebra", 2.5, (1.0, 2.0, 0.5)),
        ("middle", 0.2, (1.5, 0.5)),
        ("alpha", 1.3, (1.0, 1.0, 1.0)),
        ("signs/x", 1.0, (4.0, 1.0)),
        ("signs/y", 3.0, (1.0, 1.0)),
    )
}
SIZE = 24
ABOUT = {"synthetic": True, "trained_on": "SYNTHETIC data"}


def network(seed):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((SIZE, SIZE, 3), name="image")
    x = keras.layers.Conv2D(8, 5, activation="relu")(inputs)
    x = keras.layers.Flatten()(keras.layers.AveragePooling2D(5)(x))
    outputs = {t.name: keras.layers.Dense(t.n_outputs, name=t.name)(x) for t in TASKS}
    return keras.Model(inputs, outputs)


@pytest.fixture(scope="module")
def model():
    return network(1)


@pytest.fixture(scope="module")
def traces():
    """Grows by one whenever the answer of a signature of `saved` is traced."""
    return []


@pytest.fixture(scope="module")
def saved(model, traces, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "saved_model"
    answered = export.answered

    def counted(answers, logits, *arguments, **options):
        traces.append(sorted(logits))
        return answered(answers, logits, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "answered", counted)
        export_model(model, TASKS, path, ABOUT, calibrations=CALIBRATIONS)
    return path


@pytest.fixture(scope="module")
def served(saved):
    return ServedModel(saved)


@pytest.fixture(scope="module")
def signatures(saved):
    """As other programs load it."""
    return tf.saved_model.load(str(saved)).signatures


@pytest.fixture
def loaded_once(served, monkeypatch):
    """`check_export` does not load the SavedModel again."""
    monkeypatch.setattr(export, "ServedModel", lambda path: served)


@pytest.fixture(scope="module")
def images():
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (5, SIZE, SIZE, 1), dtype=np.uint8)


@pytest.fixture(scope="module")
def expected(model, images):
    logits = model.predict(
        normalize(tf.constant(images / 255.0, tf.float32)), verbose=0
    )
    return {task.name: task.probabilities(logits[task.name]) for task in TASKS}


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.kind)
def test_probabilities_in_the_graph_are_those_of_the_task(task):
    logits = np.random.default_rng(0).normal(0, 3, (50, task.n_outputs))
    in_graph = task.probabilities(tf.constant(logits, tf.float32), ops=keras.ops)
    np.testing.assert_allclose(in_graph, task.probabilities(logits), atol=1e-6)


def test_saved_model_equals_the_model_it_was_made_from(saved, images, expected):
    assert check_export(saved, TASKS, images, expected) < 1e-5


def test_calibrated_probabilities_are_computed_in_the_graph(
    saved, served, images, expected, loaded_once
):
    assert check_export(saved, TASKS, images, expected, CALIBRATIONS) < 1e-5
    answer = served.predict(images / np.float32(255))
    for name in ("zebra", "middle", "alpha"):
        wanted = CALIBRATIONS[name].apply(expected[name])
        received = answer[f"{name}_calibrated"]
        np.testing.assert_allclose(received, wanted, atol=1e-5)
        assert np.abs(received - answer[name]).max() > 0.001
    # Each label of several by itself: T = 1, and odds of a quarter.
    chance = answer["signs"][:, 0]
    wanted = chance / (chance + 4 * (1 - chance))
    np.testing.assert_allclose(answer["signs_calibrated"][:, 0], wanted, atol=1e-5)
    # The raw ones are those of a model without calibrations.
    for name, values in expected.items():
        np.testing.assert_allclose(answer[name], values, atol=1e-5)


def test_another_calibration_is_noticed(saved, images, expected, loaded_once):
    other = CALIBRATIONS | {"signs/y": Calibration(prior_ratio=(1.0, 1.01))}
    with pytest.raises(MdmtError, match="output signs_calibrated: the SavedModel"):
        check_export(saved, TASKS, images, expected, other)


def test_rounding_of_rare_classes_is_no_difference_of_calibration(
    images, tmp_path, monkeypatch
):
    """The cube root of 1e-7 and of 3e-7 differ by 2e-3."""
    grade = make_task(name="grade", kind="ordinal", classes=("a", "b", "c"))
    known = {"grade": Calibration(temperature=3.0, prior_ratio=(1.0, 1.0, 1.0))}
    raw = np.array([[0.5, 0.5 - 3e-7, 3e-7]], np.float32)
    answer = {"grade": raw, "grade_calibrated": known["grade"].apply(raw)}

    class Served:
        takes_files = False

        def __init__(self, path):
            pass

        def predict(self, images):
            return answer

    monkeypatch.setattr(export, "ServedModel", Served)
    expected = {"grade": np.array([[0.5, 0.5 - 1e-7, 1e-7]])}
    checked = (tmp_path, [grade], images[:1], expected, known)
    assert check_export(*checked) < 1e-5
    answer["grade_calibrated"] = raw
    with pytest.raises(MdmtError, match="output grade_calibrated: the SavedModel"):
        check_export(*checked)


def test_without_calibrations_there_are_raw_probabilities_only(
    model, images, expected, tmp_path
):
    export_model(model, TASKS, tmp_path / "raw", ABOUT)
    served = ServedModel(tmp_path / "raw")
    assert set(served.predict(images[:1] / np.float32(255))) == set(expected)
    assert served.information == ABOUT


def test_another_model_is_noticed(saved, images, expected, loaded_once):
    wrong = dict(expected, middle=expected["middle"] + [[2e-5, -2e-5]])
    with pytest.raises(MdmtError, match=r"output middle.*differs.*2e-05.*not be used"):
        check_export(saved, TASKS, images, wrong)


def test_nan_is_noticed(saved, images, expected, loaded_once):
    wrong = dict(expected, value=expected["value"] * np.nan)
    with pytest.raises(MdmtError, match="output value"):
        check_export(saved, TASKS, images, wrong)


def test_other_sizes_are_resized_with_antialiasing(served):
    # A chequered board of single pixels: antialiased it is an even grey, aliased not.
    board = (np.indices((4 * SIZE, 4 * SIZE)).sum(axis=0) % 2).astype(np.float32)
    even = np.full((SIZE, SIZE), 0.5, np.float32)
    received = served.predict(board[None, ..., None])
    wanted = served.predict(even[None, ..., None])
    for name in received:
        np.testing.assert_allclose(received[name], wanted[name], atol=0.02)


def test_each_signature_is_traced_once(saved, traces):
    assert traces == [sorted(task.name for task in TASKS)] * 2


def test_signatures_are_served_by_name(signatures, images):
    assert set(signatures) == {"serving_default", "predict_encoded", "information"}
    answer = signatures["serving_default"](
        image=tf.constant(images / 255.0, tf.float32)
    )
    shapes = {name: tuple(value.shape) for name, value in answer.items()}
    assert shapes == {
        "zebra": (5, 3),
        "middle": (5, 2),
        "alpha": (5, 3),
        "value": (5, 1),
        "signs": (5, 2),
        "zebra_calibrated": (5, 3),
        "middle_calibrated": (5, 2),
        "alpha_calibrated": (5, 3),
        "signs_calibrated": (5, 2),
        "image_warnings": (5,),
    }


def test_it_says_what_it_was_trained_on(saved, served):
    stored = {name: own.to_plain() for name, own in CALIBRATIONS.items()}
    about = ABOUT | {"calibration": stored}
    assert served.information == about
    assert json.loads((saved / "model.json").read_text()) == about


def test_files_of_several_sizes_in_one_call(served, images):
    small = cv2.imencode(".png", images[0])[1].tobytes()
    large = cv2.imencode(".png", np.zeros((50, 70), np.uint8))[1].tobytes()
    both = served.predict_encoded([small, large])
    alone = served.predict_encoded([large])
    for name in both:
        np.testing.assert_allclose(both[name][1:], alone[name], atol=1e-6)


@pytest.mark.parametrize("value", [np.nan, 255.0])
def test_a_request_with_pixels_out_of_range_is_refused(served, images, value):
    given = images[:2] / np.float32(255)
    given[1, 3, 4] = value
    with pytest.raises(DataError, match="from 0, black, to 1, white"):
        served.predict(given)


def test_a_request_with_a_damaged_file_is_refused(served, images):
    file = cv2.imencode(".png", images[0])[1].tobytes()
    with pytest.raises(DataError, match="saved_model: "):
        served.predict_encoded([file, file[:60]])


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("image", np.zeros((1, 3, 3), np.float32), r"1\).*Received shape"),
        ("image", np.zeros((1, 3, 3, 3), np.float32), r"1\).*Received shape"),
        ("encoded", np.zeros(0, object), "expected strings .*Received shape"),
        ("encoded", np.array(b"x", object), "expected strings .*Received shape"),
        ("encoded", np.array([b""], object), "Received an empty string"),
    ],
)
def test_a_request_of_another_shape_says_what_is_expected(
    signatures, name, given, message
):
    serve = signatures[{"image": "serving_default"}.get(name, "predict_encoded")]
    kind = tf.float32 if name == "image" else tf.string
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"{name}: expected") as e:
        serve(**{name: tf.constant(given, kind)})
    assert re.search(message, str(e.value))


def test_files_have_warnings_and_are_turned(served, images):
    lying = np.zeros((SIZE, 2 * SIZE), np.uint8)
    lying[:, SIZE:] = 255
    file, turned = (
        jpeg(lying, exif(6)),
        jpeg(cv2.rotate(lying, cv2.ROTATE_90_CLOCKWISE)),
    )
    grey = cv2.imencode(".png", np.full((SIZE, SIZE), 9, np.uint8))[1].tobytes()
    answer, warnings = served.predict_and_warn([file, turned, grey])
    for values in answer.values():
        np.testing.assert_allclose(values[0], values[1], atol=1e-5)
    assert warnings == ["", "", "no_contrast"]
    assert "image_warnings" not in served.outputs


@pytest.mark.parametrize(
    "dtype",
    [
        "float32",
        "dark uint16",
        pytest.param("float16", marks=pytest.mark.large),
        pytest.param("int32", marks=pytest.mark.large),
    ],
)
def test_images_that_no_png_file_holds_are_compared_too(
    saved, model, dtype, loaded_once
):
    size = (3, SIZE, SIZE, 1)
    if "float" in dtype:
        images = np.random.default_rng(0).uniform(0, 1, size).astype(dtype)
        scaled = images.astype(np.float32)
    else:
        kind = np.dtype(dtype.removeprefix("dark "))
        images = np.random.default_rng(0).integers(0, 3000, size).astype(kind)
        scaled = images.astype(np.float32) / np.iinfo(kind).max
    logits = model.predict(normalize(tf.constant(scaled)), verbose=0)
    known = {task.name: task.probabilities(logits[task.name]) for task in TASKS}
    assert check_export(saved, TASKS, images, known) < 1e-5
    known["alpha"] = known["alpha"] + 1e-3
    with pytest.raises(MdmtError, match="output alpha"):
        check_export(saved, TASKS, images, known)


def picture(form):
    rows = np.linspace(0, 1, 40)[:, None] * np.ones((1, 30))
    grey = (rows * 255).round().astype(np.uint8)
    colour = np.stack([grey, grey[::-1], grey // 2], axis=-1)
    if form == "grey":
        return ".png", grey
    if form == "sixteen bit":
        return ".png", (rows * 65535).round().astype(np.uint16)
    if form == "colour":
        return ".png", colour
    if form == "transparent":
        alpha = np.where(np.arange(30) < 15, 255, 51).astype(np.uint8)
        return ".png", np.dstack([colour, np.broadcast_to(alpha, grey.shape)])
    return ".jpg", grey


@pytest.mark.parametrize(
    "form", ["grey", "sixteen bit", "colour", "transparent", "jpeg"]
)
def test_encoded_files_are_read_as_the_package_reads_them(form, tmp_path):
    suffix, pixels = picture(form)
    path = tmp_path / f"image{suffix}"
    assert cv2.imwrite(str(path), pixels)
    received = decode_grey(tf.constant(path.read_bytes())).numpy()[..., 0]
    # A JPEG decoder may differ from another by a grey level.
    tolerance = 1.01 / 255 if suffix == ".jpg" else 1e-3
    np.testing.assert_allclose(received, read_image(path), atol=tolerance)


def test_a_damaged_model_is_an_error(saved, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(saved, broken)
    (broken / "saved_model.pb").write_bytes(b"nothing")
    with pytest.raises(DataError, match="not a SavedModel of mdmt_tf"):
        ServedModel(broken)


def test_12_bit_values_in_16_bit_files_are_scaled_as_when_prepared(tmp_path):
    values = np.linspace(0, 4095, 1200).reshape(40, 30).round().astype(np.uint16)
    path = tmp_path / "image.png"
    assert cv2.imwrite(str(path), values)
    received = decode_grey(tf.constant(path.read_bytes())).numpy()[..., 0]
    np.testing.assert_allclose(received, read_image(path), atol=1e-4)
