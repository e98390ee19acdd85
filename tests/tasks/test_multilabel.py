"""Several labels of one image, by hand."""

import math

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from mdmt_tf.errors import DataError
from mdmt_tf.metrics.computation import task_metrics
from mdmt_tf.models.multitask import build_model
from mdmt_tf.runs import predictions
from mdmt_tf.saliency.maps import Explainer
from mdmt_tf.saliency.methods import GUIDED
from mdmt_tf.tasks import make_task
from mdmt_tf.tasks.labels import task_labels
from mdmt_tf.training.losses import MaskedLoss, TaskLoss, compile_model

FINDINGS = make_task(
    kind="multilabel",
    name="findings",
    classes=("edema", "effusion"),
    sources={"ward": "findings", "clinic": ("edema", "effusion")},
)
LABELS = np.array([[1, 0], [-1, 1], [0, -1], [-1, -1]])
LOGITS = np.array([[0.5, -1.0], [2.0, 1.5], [-0.5, 3.0], [1.0, 1.0]], np.float32)


def cross_entropy(label, logit):
    return math.log1p(math.exp(logit)) - label * logit


# The four known labels, row by row.
CROSSES = [
    [cross_entropy(1, 0.5), cross_entropy(0, -1.0)],
    [0, cross_entropy(1, 1.5)],
    [cross_entropy(0, -0.5), 0],
    [0, 0],
]


def test_the_loss_is_the_sum_over_known_labels_over_k_and_the_batch():
    target, known = FINDINGS.targets(LABELS)
    assert target.tolist() == [[1, 0], [0, 1], [0, 0], [0, 0]]
    assert known.tolist() == [[True, True], [False, True], [True, False], [False] * 2]
    weights = known.astype(np.float32)
    loss = TaskLoss(FINDINGS)(target, LOGITS, weights)
    assert float(loss) == pytest.approx(np.sum(CROSSES) / 2 / 4, rel=1e-6)
    metric = MaskedLoss(FINDINGS)
    metric.update_state(target, LOGITS, weights)
    assert float(metric.result()) == pytest.approx(np.sum(CROSSES) / 4, rel=1e-6)
    chances = FINDINGS.probabilities(LOGITS)
    rows = FINDINGS.row_loss(LABELS, chances)
    np.testing.assert_allclose(rows, np.sum(CROSSES, axis=1) / 2, rtol=1e-6)


@pytest.mark.parametrize("poison", [0.0, 1e6, -7.0])
def test_a_step_beside_another_task_ignores_unknown_labels(poison):
    other = make_task(kind="regression", name="age", weight=0.5)
    images = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    target, known = FINDINGS.targets(LABELS)
    poisoned = np.where(known, target, poison).astype(np.float32)

    def stepped(target):
        keras.utils.set_random_seed(0)
        inputs = keras.Input((3,))
        outputs = {
            task.name: keras.layers.Dense(task.n_outputs, name=task.name)(inputs)
            for task in (FINDINGS, other)
        }
        model = keras.Model(inputs, outputs)
        compile_model(model, (FINDINGS, other), keras.optimizers.SGD(0.1))
        targets = {"findings": target, "age": np.ones((4, 1), np.float32)}
        weights = {
            "findings": known.astype(np.float32),
            "age": np.array([0, 1, 1, 0], np.float32),
        }
        model.train_on_batch(images, targets, weights)
        return model.get_weights()

    for one, two in zip(stepped(target), stepped(poisoned), strict=True):
        np.testing.assert_array_equal(one, two)
        assert np.isfinite(one).all()


def test_metrics_are_means_over_labels_of_the_rows_where_each_is_known():
    generator = np.random.default_rng(0)
    labels = generator.integers(-1, 2, (80, 2))
    chances = generator.uniform(size=(80, 2)).round(1)
    found = task_metrics(FINDINGS, labels, chances)
    assert found["n"] == (labels >= 0).sum()
    known = labels >= 0
    pairs = [(labels[known[:, i], i], chances[known[:, i], i]) for i in (0, 1)]
    for name, function in (
        ("auc", lambda y, p: metrics.roc_auc_score(y, p)),
        ("f1", lambda y, p: metrics.f1_score(y, p > 0.5)),
        ("recall", lambda y, p: metrics.recall_score(y, p > 0.5)),
        ("pr_auc", lambda y, p: metrics.average_precision_score(y, p)),
        ("brier", lambda y, p: metrics.brier_score_loss(y, p)),
    ):
        expected = np.mean([function(y, p) for y, p in pairs])
        assert found[name] == pytest.approx(expected), name
    # One label that is never there leaves no mean.
    found = task_metrics(FINDINGS, np.where([False, True], labels, 0), chances)
    assert math.isnan(found["auc"]) and not math.isnan(found["accuracy"])


def test_one_row_a_label_in_the_table():
    rows = pd.DataFrame(
        {
            "dataset": "ward",
            "split": "test",
            "fold": 0,
            "image_id": list("abcd"),
            "patient_id": list("abcd"),
            "site": "A",
        }
    )
    chances = FINDINGS.probabilities(LOGITS)
    table = predictions.prediction_table(FINDINGS, rows, LABELS, chances)
    assert list(table.columns[-4:]) == ["target", "prediction", "p_0", "p_1"]
    assert table["task"].tolist() == ["findings/edema"] * 4 + ["findings/effusion"] * 4
    assert table["image_id"].tolist() == list("abcd") * 2
    np.testing.assert_array_equal(table["target"][:4], [1, np.nan, 0, np.nan])
    assert table["prediction"].tolist() == [1, 1, 0, 1, 0, 1, 1, 1]
    expected = 1 / (1 + np.exp(-LOGITS.astype(float)))
    np.testing.assert_allclose(table["p_1"], expected.T.ravel(), rtol=1e-12)
    np.testing.assert_allclose(table["p_0"], 1 - expected.T.ravel(), rtol=1e-12)


def test_labels_come_from_a_vector_or_from_one_field_each():
    edema, effusion = LABELS.T
    table = {"findings": LABELS, "edema": edema, "effusion": effusion, "age": edema}
    for dataset in ("ward", "clinic"):
        found = task_labels(dataset, table, FINDINGS)
        np.testing.assert_array_equal(found, LABELS)
    # Unknown is -1 among integers and NaN among floats, even side by side.
    table |= {"edema": np.where(edema < 0, np.nan, edema)}
    found = FINDINGS.encode(task_labels("clinic", table, FINDINGS))
    np.testing.assert_array_equal(found, LABELS)


@pytest.mark.parametrize(
    "table, message",
    [
        ({"findings": np.zeros((4, 3))}, r"vector of 2 labels.*Received: shape \(3,\)"),
        ({"findings": np.zeros(4)}, r"vector of 2 labels.*Received: single values"),
        ({"other": np.zeros(4)}, "no field 'findings'"),
        ({"findings": np.full((4, 2), 2)}, "label 2 in row 0 is none of its 2 classes"),
    ],
)
def test_a_field_that_does_not_fit(table, message):
    with pytest.raises(DataError, match=f"tasks.findings.from.ward.*{message}"):
        task_labels("ward", table, FINDINGS)


def test_an_image_belongs_to_the_stratum_of_its_rarest_label():
    labels = np.array([[1, 1], [0, 1], [-1, 1], [0, 0], [-1, 0], [-1, -1]])
    strata = ["edema", "effusion", "effusion", "none", "none", "unknown"]
    assert FINDINGS.strata(labels).tolist() == strata


def test_a_map_explains_the_label_asked_for_or_the_most_probable():
    inputs = keras.Input((4, 4, 1))
    x = keras.layers.ReLU(name="relu")(keras.layers.Conv2D(3, 1, name="conv")(inputs))
    features = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    model = build_model(
        keras.Model(inputs, features, name="points"), [FINDINGS], heads="linear"
    )
    # Bright images have the first label, dark ones the second.
    kernel = np.array([[1.0, -0.5], [0.7, -1.0], [0.2, -0.3]])
    conv = np.array([1.0, 0.5, 2.0]).reshape(1, 1, 1, 3)
    model.set_weights([conv, np.zeros(3), kernel, np.array([-4.0, 4.0])])
    bright = np.linspace(0, 6, 8)[:, None, None, None]
    images = np.random.default_rng(1).normal(bright, 1, (8, 4, 4, 1))
    images = images.astype(np.float32)
    explainer = Explainer(model, [FINDINGS])
    best = np.argmax(model(images)["findings"], axis=1)
    assert len(set(best)) == 2  # or the test shows nothing
    np.testing.assert_array_equal(explainer.explained(images, "findings"), best)
    maps = [
        explainer.maps(images, "findings", [GUIDED], target)[GUIDED]
        for target in (None, 0, 1)
    ]
    chosen = np.where(best[:, None, None] == 0, maps[1], maps[2])
    np.testing.assert_array_equal(maps[0], chosen)
    assert not np.array_equal(maps[1], maps[2])


def test_what_a_row_of_saliency_says():
    chances = np.array([0.9, 0.2])
    assert FINDINGS.explanation(chances, np.array([-1, 0]), 1) == {
        "class_explained": "effusion",
        "predicted": "no",
        "probability": 0.8,
        "true_class": "no",
    }
    facts = FINDINGS.explanation(chances, np.array([-1, 0]), 0)
    assert facts["predicted"] == "yes" and facts["true_class"] == ""


def test_texts():
    assert FINDINGS.target_text(np.array([1, 0]), np.array([True, True])) == "edema"
    assert FINDINGS.target_text(np.array([0, 0]), np.array([True, True])) == "none"
    text = FINDINGS.target_text(np.array([1, 0]), np.array([True, False]))
    assert text == "edema, effusion?"
    counts = FINDINGS.class_counts(LABELS)
    assert counts.tolist() == [[1, 1], [1, 1]]
    assert FINDINGS.counts_text(counts) == "1 of 2 edema, 1 of 2 effusion"


def test_a_label_is_predicted_when_it_is_more_probable_than_not():
    k = len(FINDINGS.classes)
    chances = np.array([[0.51] * k, [0.5] * k, [0.49] * k])
    assert FINDINGS.prediction(chances).tolist() == [[1] * k, [0] * k, [0] * k]


def test_each_label_is_shown_with_its_field():
    assert FINDINGS.fields_text("clinic") == "edema <- edema, effusion <- effusion"
    expected = "edema <- findings[0], effusion <- findings[1]"
    assert FINDINGS.fields_text("ward") == expected
    age = make_task(kind="regression", name="age", sources={"ward": "age"})
    assert age.fields_text("ward") == ""
