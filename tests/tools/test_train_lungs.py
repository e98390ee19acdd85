"""The steps of the lung network's training, with a tiny network and no real image."""

import lung_data
import lung_training
import numpy as np
import pandas as pd
import pytest
import train_lungs

from mdmt_tf.imaging.lungs import network


@pytest.fixture
def quick(monkeypatch):
    """A study of ten images; no step changes a weight, and each step is recorded."""
    steps = []

    def fit(model, changed, chosen, *, epochs, learning_rate):
        steps.append((len(changed), len(chosen), epochs))

    monkeypatch.setattr(network, "_CHANNELS", (8, 8))
    monkeypatch.setattr(lung_training, "fit", fit)
    pictures = lung_data.Pictures(
        np.zeros((10, 256, 256), np.uint8), np.zeros((10, 128, 128, 2), np.uint8)
    )
    table = pd.DataFrame(
        {"image_id": list("abcdefghij"), "patient_group": range(10), "view": "PA"}
    )
    monkeypatch.setattr(lung_data, "read_study", lambda folder: (table, pictures))
    monkeypatch.setattr(lung_data, "changed", lambda p, strength, n, seed: [p] * n)
    monkeypatch.setattr(lung_data, "draw_phantoms", lambda count: pictures)
    columns = ("dice", "dice_right", "dice_left", "box_iou")
    scores = table.assign(**dict.fromkeys(columns, 0.5), swapped=False)
    monkeypatch.setattr(
        train_lungs, "_score", lambda rows, file: scores.loc[rows.index]
    )
    return steps


def test_the_first_step_is_left_out_without_phantoms(tmp_path, quick):
    options = ["--phantoms", "0", "--schedule", "0.1", "--parts", "0"]
    train_lungs.main(["DATA", str(tmp_path), *options])
    # A tenth of 110 and of 24 epochs, with the patients of four folds.
    assert quick == [(11, 8, 11), (2, 8, 2)]
    assert len(pd.read_csv(tmp_path / "fold_0.csv")) == 2
    assert not (tmp_path / "phantoms.weights.h5").exists()


@pytest.mark.large
def test_every_fold_starts_from_the_phantoms(tmp_path, quick):
    options = ["--phantoms", "10", "--phantom-epochs", "3", "--schedule", "0.1"]
    train_lungs.main(["DATA", str(tmp_path), *options, "--parts", "phantoms", "1"])
    assert quick == [(3, 10, 3), (11, 8, 11), (2, 8, 2)]
    assert len(pd.read_csv(tmp_path / "phantoms.csv")) == 10
    start, fold = (
        dict(np.load(tmp_path / name)) for name in ("phantoms.npz", "first_1.npz")
    )
    for name in start:
        np.testing.assert_array_equal(start[name], fold[name])


def test_a_folder_belongs_to_one_experiment(tmp_path):
    (tmp_path / "settings.json").write_text(
        '{"phantoms": 0, "phantom_epochs": 8, "schedule": 1.0, "folds": 5}'
    )
    with pytest.raises(SystemExit, match="other settings.*'phantoms': 0"):
        train_lungs.main(["DATA", str(tmp_path), "--phantoms", "10", "--parts", "0"])


def test_no_phantoms_cannot_be_scored(capsys):
    with pytest.raises(SystemExit):
        train_lungs.main(["DATA", "WORK", "--phantoms", "0", "--parts", "phantoms"])
    assert "needs --phantoms of at least 1" in capsys.readouterr().err
