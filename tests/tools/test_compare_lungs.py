"""Comparison of cross-validated lung networks, from the files of their folders."""

import compare_lungs
import pandas as pd
import pytest


def write(folder, name, dice):
    folder.mkdir(exist_ok=True)
    pd.DataFrame(
        {"image_id": [f"{name}{n}" for n in range(len(dice))], "dice": dice}
        | {"patient_group": [f"{name}p{n}" for n in range(len(dice))]}
        | dict.fromkeys(("dice_right", "dice_left", "box_iou"), 0.5)
        | {"swapped": False}
    ).to_csv(folder / f"fold_{name}.csv", index=False)


def test_only_folds_that_all_have_are_compared(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    for folder, gain in ((one, 0), (two, 0.01)):
        write(folder, "0", [0.90 + gain, 0.92 + gain])
        write(folder, "1", [0.94 + gain, 0.96 + gain])
    write(one, "2", [0.1])
    text = compare_lungs.comparison([one, two])
    assert "4 images of 4 patients, fold_0.csv, fold_1.csv" in text
    assert "| one | 0.9300 | | 0.9030 | |" in text
    gain = "+0.0100 (+0.0100 to +0.0100)"
    assert f"| two | 0.9400 | {gain} | 0.9130 | {gain} |" in text


def test_folders_without_a_common_fold(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    write(one, "0", [0.9])
    write(two, "1", [0.9])
    with pytest.raises(SystemExit, match=r"no fold_\*\.csv is in every one of"):
        compare_lungs.main([str(one), str(two)])
