"""Precision-recall curves are those of TensorBoard's own function."""

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.plugins.pr_curve import summary

from mdmt_tf.tasks import make_task
from mdmt_tf.training.tensorboard.curves import curve, write_curves

DEATH = make_task(kind="binary", name="death", classes=("no", "yes"))


@pytest.mark.parametrize("n", [1, 2, 50, 3000])
def test_numbers_are_those_of_tensorboard(n):
    generator = np.random.default_rng(n)
    # Scores on a threshold, too.
    score = generator.integers(0, 401, n) / 400
    positive = generator.random(n) < 0.3
    positive[0] = True
    stored = summary.pb("", positive, score, num_thresholds=201)
    expected = tf.make_ndarray(stored.value[0].tensor)
    np.testing.assert_allclose(curve(positive, score), expected, atol=1e-6)


def written(folder, answers):
    """{tag: values} of an event file of some answers."""
    with tf.summary.create_file_writer(str(folder)).as_default(step=2):
        write_curves(lambda name: f"1 death/{name}", answers)
    (path,) = folder.iterdir()
    return {
        value.tag: tf.make_ndarray(value.tensor)
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
        if value.metadata.plugin_data.plugin_name == "pr_curves"
    }


def of_two(score):
    return np.stack([1 - np.asarray(score), score], axis=1)


def test_the_positive_class_of_two_has_a_curve(tmp_path):
    score = np.array([0.2, 0.8, 0.6, 0.1])
    labels = np.array([0, 1, 0, 1])
    found = written(tmp_path, [(DEATH, labels, of_two(score))])
    assert list(found) == ["1 death/yes"]
    # At the threshold 0.5 two are above, one of them has the class.
    assert found["1 death/yes"][:, 100].tolist() == [1, 1, 1, 1, 0.5, 0.5]


@pytest.mark.parametrize("labels", [[0, 0], [1, 1], []])
def test_a_class_that_all_or_none_have_has_none(tmp_path, labels):
    score = np.full(len(labels), 0.4)
    assert not written(tmp_path, [(DEATH, np.array(labels, int), of_two(score))])


def test_several_classes_are_in_their_order(tmp_path):
    grade = make_task(kind="ordinal", name="grade", classes=("z", "m", "a"))
    chances = np.eye(3)[[0, 1, 2, 0]] * 0.9 + 0.1 / 3
    found = written(tmp_path, [(grade, np.array([0, 1, 2, 1]), chances)])
    assert list(found) == ["1 death/1 z", "1 death/2 m", "1 death/3 a"]


def test_of_many_labels_the_first_six_have_curves(tmp_path):
    names = tuple("abcdefgh")
    finding = make_task(kind="multilabel", name="finding", classes=names)
    labels = np.tile([[0], [1]], (2, 8))
    answers = list(finding.answers(labels, np.full((4, 8), 0.5)))
    assert list(written(tmp_path, answers)) == [f"1 death/{name}" for name in "abcdef"]
