"""Agreement of masks, by arithmetic."""

import lung_scores
import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def drawn():
    mask = np.zeros((20, 40), np.uint8)
    mask[5:15, 5:15], mask[5:15, 25:35] = 1, 2
    return mask


def test_equal(drawn):
    assert lung_scores.score(drawn, drawn) == {
        **dict.fromkeys(("dice", "dice_right", "dice_left", "box_iou"), 1.0),
        "swapped": False,
    }


def test_half_of_one_lung(drawn):
    found = drawn.copy()
    found[5:10, 25:35] = 0
    score = lung_scores.score(found, drawn)
    assert score["dice"] == pytest.approx(2 * 150 / (150 + 200))
    assert score["dice_right"] == 1
    assert score["dice_left"] == pytest.approx(2 * 50 / (50 + 100))
    assert score["box_iou"] == 1


def test_the_box(drawn):
    found = np.zeros_like(drawn)
    found[5:15, 5:25] = 1  # 10 x 20 of a box of 10 x 30
    assert lung_scores.score(found, drawn)["box_iou"] == pytest.approx(2 / 3)
    assert lung_scores.score(0 * drawn, drawn)["box_iou"] == 0


def test_swapped_sides(drawn):
    score = lung_scores.score(np.array([0, 2, 1], np.uint8)[drawn], drawn)
    assert score["swapped"]
    assert (score["dice"], score["dice_right"]) == (1, 0)
    barely = drawn.copy()
    barely[5:15, 5:10] = 2
    assert not lung_scores.score(barely, drawn)["swapped"]


def scores(dice, groups):
    columns = ("dice_right", "dice_left", "box_iou")
    return pd.DataFrame(
        {"dice": dice, "patient_group": groups, "swapped": False, "fold": 0}
        | {"view": "PA", "source": "x"}
        | dict.fromkeys(columns, 0.5)
    )


def test_summary():
    one = lung_scores.summary(scores([0.9, 0.8, 1.0], ["a", "b", "c"]))
    assert (one["images"], one["patients"]) == (3, 3)
    assert one["dice"] == pytest.approx(0.9)
    assert one["dice_p5"] == pytest.approx(0.81)
    assert one["dice_low"] < 0.9 < one["dice_high"]


def test_the_interval_is_that_of_patients_not_of_images():
    rng = np.random.default_rng(0)
    patients = rng.normal(0.9, 0.05, 40)
    table = scores(np.repeat(patients, 5), np.repeat(np.arange(40), 5))
    summary = lung_scores.summary(table)
    width = summary["dice_high"] - summary["dice_low"]
    expected = 2 * 1.96 * patients.std() / np.sqrt(40)
    assert width == pytest.approx(expected, rel=0.15)


def test_table_has_a_row_for_all_and_for_each_part():
    table = lung_scores.table(scores([0.9, 0.8, 1.0], ["a", "b", "c"]))
    names = [line.split("|")[1].strip() for line in table.splitlines()[2:]]
    assert names == ["all", "fold 0", "view PA", "source x"]
    assert "| all | 3 | 0.900 (" in table


def test_differences_are_paired_by_image_and_drawn_by_patient():
    rng = np.random.default_rng(0)
    patients = rng.normal(0.8, 0.1, 40)  # a patient is easy or hard for both networks
    gain = rng.normal(0.02, 0.01, 40)
    one = scores(np.repeat(patients, 3), np.repeat(np.arange(40), 3))
    one["image_id"] = [f"i{number}" for number in range(120)]
    other = one.assign(dice=one["dice"] + np.repeat(gain, 3)).sample(frac=1)
    found = lung_scores.differences(other, one).loc["dice"]
    assert found["difference"] == pytest.approx(gain.mean())
    assert found["first"] - found["second"] == pytest.approx(gain.mean())
    # Not 2 x 1.96 x 0.1 / sqrt(40): patients are the same for both.
    expected = 2 * 1.96 * gain.std() / np.sqrt(40)
    assert found["high"] - found["low"] == pytest.approx(expected, rel=0.15)


def test_differences_of_the_percentile():
    one = scores(np.linspace(0, 1, 101), np.arange(101))
    one["image_id"] = [f"i{number}" for number in range(101)]
    other = one.assign(dice=np.maximum(one["dice"], 0.5))
    found = lung_scores.differences(other, one).loc["dice_p5"]
    assert found["difference"] == pytest.approx(0.5 - 0.05)
    assert found["low"] > 0.3


def test_differences_of_other_images():
    one = scores([0.9, 0.8], ["a", "b"]).assign(image_id=["x", "y"])
    with pytest.raises(ValueError, match=r"same images.*\['y', 'z'\]"):
        lung_scores.differences(one, one.assign(image_id=["x", "z"]))
