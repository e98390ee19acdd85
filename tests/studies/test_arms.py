"""The arms of a cell: what they share, and what they are trained on."""

from types import SimpleNamespace

import numpy as np
import pytest

from mdmt_tf.config.study_section import FeaturesSection, StudySection
from mdmt_tf.studies import arms, networks
from mdmt_tf.studies.design import ARMS, COLUMNS, Cell, Work

SECTION = StudySection(
    test_patients=300, features=FeaturesSection(layers=(16, 8), size=20)
)
TRAINING = SimpleNamespace(
    epochs=2, warmup_epochs=0, batch_size=32, learning_rate=2e-3, weight_decay=1e-4
)


def work(outcomes=40, scores=80, correlation=0.5, shift="none", datasets=(0, 1)):
    return Work(
        Cell(outcomes, scores, correlation, shift), datasets, 5, SECTION, TRAINING
    )


@pytest.fixture(scope="module")
def results():
    return arms.compute(work()).set_index(["arm", "dataset"])


def test_every_arm_has_a_row_for_each_dataset(results):
    assert list(results.reset_index()[COLUMNS].columns) == COLUMNS
    assert set(results.index) == {(arm, d) for arm in ARMS for d in (0, 1)}
    assert results[["auc", "accuracy", "auc_inside"]].notna().all().all()


def test_steps_are_those_of_the_rows_that_are_trained(results):
    # 32 of 40 outcomes and 64 of 80 scores are for training; batches of 32, 2 epochs.
    steps = results["steps"].groupby("arm").first()
    both = {"mdmt_direct", "mdmt", "mdmt_null", "stl_matched", "stl_continued"}
    assert {steps[arm] for arm in both} == {6}
    assert steps["stl"] == steps["ft"] == 2
    assert steps["oracle"] == 0


def test_without_scores_two_tasks_are_the_control_exactly():
    found = arms.compute(work(scores=0)).set_index(["arm", "dataset"])
    assert {"ft", "mdmt", "mdmt_null"}.isdisjoint(found.index.get_level_values("arm"))
    direct, control = found.loc["mdmt_direct"], found.loc["stl_matched"]
    assert (direct["auc"] == control["auc"]).all()
    assert (direct["steps"] == control["steps"]).all()


def test_a_dataset_is_the_same_whatever_is_computed_with_it(results):
    alone = arms.compute(work(datasets=(1,))).set_index(["arm", "dataset"])
    for arm in ARMS:
        expected = results.loc[(arm, 1), "auc"]
        assert alone.loc[(arm, 1), "auc"] == pytest.approx(expected, abs=2e-3)
    assert results.loc[("oracle", 0), "auc"] != results.loc[("oracle", 1), "auc"]


def test_arms_are_tested_with_the_same_patients(results):
    more = arms.compute(work(outcomes=60, scores=0)).set_index(["arm", "dataset"])
    oracle = results.loc["oracle"]["auc"]
    assert (more.loc["oracle"]["auc"] == oracle).all()


def test_the_null_has_the_images_and_the_frequencies_of_the_scores():
    data = arms._Data(work())
    np.testing.assert_array_equal(data.null.features, data.scores.features)
    for own, true in zip(data.null.scores, data.scores.scores, strict=True):
        assert (own.sum(axis=0) == true.sum(axis=0)).all()
        assert (own.argmax(axis=1) != true.argmax(axis=1)).mean() > 0.3
    assert np.isnan(data.null.outcome).all() and np.isnan(data.outcomes.scores).all()


def test_starts_are_those_of_their_names(monkeypatch):
    begun = []

    def train(start, rows, validation, schedule, rngs):
        begun.append((start, rows, validation))
        moved = {name: values + len(begun) for name, values in start.items()}
        return moved

    monkeypatch.setattr(arms, "train", train)
    data = arms._Data(work())
    fits = {name: made for name, (made, _) in arms._fit_arms(data).items()}
    names = ["stl", "stl_matched", "stl_continued", "mdmt_direct", "scores", "ft"]
    starts = dict(zip([*names, "mdmt", "mdmt_null"], begun, strict=True))
    first = starts["stl"][0]
    of_scores = {name: values + 5 for name, values in first.items()}
    for name in networks.BACKBONE:
        for arm in ("stl_matched", "mdmt_direct", "mdmt_null", "scores"):
            np.testing.assert_array_equal(starts[arm][0][name], first[name])
        continued, tuned = starts["stl_continued"][0][name], starts["ft"][0][name]
        np.testing.assert_array_equal(continued, fits["stl"][name])
        np.testing.assert_array_equal(tuned, of_scores[name])
        mean = (fits["stl"][name] + of_scores[name]) / 2
        np.testing.assert_allclose(starts["mdmt"][0][name], mean, atol=1e-6)
    for name in set(first) - set(networks.BACKBONE):
        for start, _, _ in starts.values():
            np.testing.assert_array_equal(start[name], first[name])
    rows = {arm: of[1].count for arm, of in starts.items()}
    assert rows["stl"] == rows["ft"] == rows["stl_matched"] == 32
    assert rows["scores"] == 64 and rows["mdmt"] == rows["mdmt_null"] == 96
    assert starts["scores"][2] is data.scores_validation


def test_each_pair_of_datasets_has_its_own_initial_values(monkeypatch):
    begun = []
    monkeypatch.setattr(
        arms, "train", lambda start, *rest: begun.append(start) or start
    )
    for own in (work(), work(outcomes=60, datasets=(1,))):
        arms._fit_arms(arms._Data(own))
    first, *_, last = begun
    assert not (first["w0"][0] == first["w0"][1]).any()
    # It is that of the pair in every cell.
    np.testing.assert_array_equal(last["ws"][0], first["ws"][1])


def test_no_two_uses_share_random_numbers():
    data = arms._Data(work())
    seed, uses = data.work.seed, range(arms._OUTCOMES, arms._INITIAL + 1)
    streams = [data.rng(dataset, use) for dataset in range(20) for use in uses]
    # Of one network for all images, whatever number it is drawn with.
    streams += [np.random.default_rng([seed, number]) for number in range(20)]
    first = [rng.random() for rng in streams]
    assert len(set(first)) == len(first)


def test_another_detector_changes_the_second_dataset_alone():
    own, other = arms._Data(work()), arms._Data(work(shift="detector"))
    np.testing.assert_array_equal(own.outcomes.features, other.outcomes.features)
    assert (own.test[0].features == other.test[0].features).all()
    assert not (own.scores.features == other.scores.features).any()
    np.testing.assert_array_equal(own.scores.scores, other.scores.scores)


def test_a_shortcut_is_in_training_and_not_in_the_test():
    own, tied = arms._Data(work()), arms._Data(work(shift="shortcut"))
    assert own.inside is None and len(tied.inside) == 2
    assert (own.test[0].features == tied.test[0].features).all()
    np.testing.assert_array_equal(own.scores.features, tied.scores.features)
    assert not (own.outcomes.features == tied.outcomes.features).all()
