"""Pictures have the text, the size and the mark of synthetic data that they need."""

import numpy as np
import pytest

from mdmt_tf.saliency.samples import PredictedSamples
from mdmt_tf.tasks import make_task
from mdmt_tf.training.tensorboard import pictures

DEATH = make_task(kind="binary", name="death", classes=("no", "yes"))
GRADE = make_task(kind="ordinal", name="grade", classes=("mild", "medium", "severe"))
AGE = make_task(kind="regression", name="age")


def batch(tasks, labelled):
    """Targets, weights and predictions of one image with the label 1 of each task."""
    targets = {task.name: task.targets(np.array([1]))[0] for task in tasks}
    weights = {task.name: np.array([float(task.name in labelled)]) for task in tasks}
    chances = {task.name: np.full((1, max(task.n_classes, 1)), 0.4) for task in tasks}
    chances["death"] = np.array([[0.3, 0.7]])
    return targets, weights, PredictedSamples(images=(), ids=(), probabilities=chances)


def test_an_example_has_label_weight_and_prediction():
    lines = pictures._lines(0, [DEATH, AGE], *batch([DEATH, AGE], ["death"]))
    assert lines == [
        *("death", "  true yes, w 1", "  \u2192 yes (0.70)"),
        *("age", "  no label", "  \u2192 0.4"),
    ]


def test_many_tasks_have_a_line_each_if_the_image_has_their_label():
    zones = [
        make_task(kind="ordinal", name=f"z{i}", classes=("0", "1", "2"))
        for i in range(8)
    ]
    tasks = [DEATH, *zones]
    lines = pictures._lines(0, tasks, *batch(tasks, [z.name for z in zones]))
    assert lines[0] == "z0: 1, w 1 \u2192 1 (0.40)" and len(lines) == 8
    more = [make_task(kind="regression", name=f"t{i}") for i in range(30)]
    lines = pictures._lines(0, more, *batch(more, [t.name for t in more]))
    assert lines[-1] == "..." and len(lines) == pictures._LINES
    assert pictures._lines(0, more, *batch(more, [])) == ["no label"]


@pytest.mark.parametrize("shape", [(20, 30, 1), (5, 16, 16, 1)])
def test_examples_are_one_picture_each(shape):
    images = np.zeros((12, *shape), np.float32)
    images[1] = 1
    targets, weights, predicted = batch([DEATH], [])
    several = [{"death": np.repeat(values["death"], 12, axis=0)} for values in (
        targets, weights, predicted.probabilities
    )]  # fmt: skip
    drawn = pictures.draw_examples(images, *several, [DEATH], "SYNTHETIC data")
    assert len(drawn) == pictures.EXAMPLES and drawn.dtype == np.uint8
    # The images are in the place of their own texts.
    middle = drawn[:, 100:120, 100:120].mean(axis=(1, 2, 3))
    assert middle[1] > 200 and (middle[[0, *range(2, 8)]] < 50).all()
    # Cards of TensorBoard are wider than high.
    assert 1.5 < drawn.shape[2] / drawn.shape[1] < 2.5


def answers(task, n=60):
    generator = np.random.default_rng(0)
    chances = generator.dirichlet(np.ones(task.n_classes), n)
    return [(task, generator.integers(0, task.n_classes, n), chances)]


@pytest.mark.parametrize("draw", [pictures.draw_confusion, pictures.draw_reliability])
def test_the_note_changes_the_picture(draw):
    drawn = [draw(answers(GRADE), note) for note in ("wards", "SYNTHETIC data")]
    assert (drawn[0] != drawn[1]).any()
    assert drawn[0].shape[:1] + drawn[0].shape[3:] == (1, 3)


def test_numbers_have_no_confusion_and_no_reliability():
    number = [(AGE, np.array([30.0]), np.array([[31.0]]))]
    assert pictures.draw_confusion(number, "") is None
    assert pictures.draw_reliability(number, "") is None


def test_no_labelled_row_is_no_error():
    nothing = [(DEATH, np.zeros(0, int), np.zeros((0, 2)))]
    assert pictures.draw_reliability(nothing, "") is None
    assert pictures.draw_confusion(nothing, "").shape[0] == 1


def test_a_reliability_diagram_has_few_bins_for_few_images(monkeypatch):
    counts = []
    original = pictures.equal_mass_bins

    def counted(score, positive, bins):
        counts.append(bins)
        return original(score, positive, bins)

    monkeypatch.setattr(pictures, "equal_mass_bins", counted)
    for n in (20, 60, 400):
        pictures.draw_reliability(answers(DEATH, n), "")
    assert counts == [3, 4, 10]


def test_saliency_is_beside_the_image():
    image = np.full((20, 20), 0.5, np.float32)
    saliency = np.zeros_like(image)
    saliency[:, 10:] = 1
    drawn = pictures.draw_saliency(image, saliency, ["true yes"], "SYNTHETIC")
    middle = drawn[len(drawn) // 2].astype(int)
    colour = np.ptp(middle, axis=1)
    quarter = len(middle) // 4
    assert not colour[: 3 * quarter - 10].any() and (colour[-quarter + 10 :] > 50).all()
