"""A run with the settings of the published code, from files to the exported model."""

import numpy as np
import pandas as pd
import pytest

from mdmt_tf import config, predict, train
from mdmt_tf.data.sources import open_dataset
from mdmt_tf.imaging.prepared import prepare_file
from mdmt_tf.runs import predictions
from mdmt_tf.runs.folder import RunFolder

pytestmark = pytest.mark.large

RECIPE = "lungs_48_clip_2_98_grow_5"
SETTINGS = [
    "image_size=48",
    "phantoms.aiforcovid_patients=24",
    "phantoms.brixia_patients=20",
    "phantoms.matrix=128",
    f"datasets.aiforcovid.config={RECIPE}",
    f"datasets.brixia.config={RECIPE}",
    "tasks.prognosis.loss=raw_mse",
    "tasks.severity.head=relu_linear",
    "tasks.severity.cut_points=[5, 10, 15]",
    "split.folds=3",
    "split.validation=previous_fold",
    "split.stratify_by=[prognosis]",
    "model.backbone=tiny",
    "training.epochs=3",
    "training.batch_size=8",
    "training.warmup_epochs=0",
    "training.plateau={follows: total, factor: 0.5, patience: 0, threshold: 0.9}",
    "training.select_on.metric=brier",
    "training.tensorboard=false",
]


@pytest.fixture(scope="module")
def run(tiny_backbone, tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    words = [*SETTINGS, f"data_dir={folder / 'data'}", f"run_dir={folder / 'run'}"]
    train.main(["--config", "phantom", *words])
    return RunFolder.open(folder / "run")


def test_the_rate_follows_the_total_loss(run):
    """The total cannot fall by 90 % in an epoch, so each epoch halves the rate."""
    history = pd.read_csv(run.history)
    assert history["learning_rate"].tolist() == pytest.approx([1e-3, 1e-3, 5e-4])


def test_probabilities_are_a_distribution_and_the_metrics_are_theirs(run):
    table = predictions.read(run.predictions, "test")
    rows = table[(table["task"] == "prognosis") & table["target"].notna()]
    p = rows[["p_0", "p_1"]].to_numpy()
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-6)
    assert (rows["prediction"] == p.argmax(axis=1)).all()
    metrics = run.read_json(run.metrics)["test"]["prognosis"]
    assert metrics["brier"] == pytest.approx(np.mean((p[:, 1] - rows["target"]) ** 2))


def test_new_files_are_prepared_alike(run, tmp_path):
    """The exported model, given the DICOM files, predicts what the run has stored."""
    settings = config.load(str(run.config))
    dataset = open_dataset(settings.data_dir, "aiforcovid", RECIPE)
    files = {path.stem: path for path in run.path.parent.rglob("imgs*/*.dcm")}
    image = sorted(files.keys() & set(dataset.table["image_id"]))[0]
    prepared = prepare_file(files[image], RECIPE)
    # The image was stretched to 0 to 255, and the crop has most of this range.
    assert np.ptp(prepared.pixels) > 240
    out = tmp_path / "p.csv"
    predict.main([str(run.path), str(files[image]), "--out", str(out)])
    found = pd.read_csv(out)
    stored = predictions.read(run.predictions)
    own = stored[stored["image_id"].eq(image) & stored["task"].eq("prognosis")]
    column = next(name for name in found if "severe" in name or name == "p_1")
    row = found[found["task"] == "prognosis"] if "task" in found else found
    assert row[column].iloc[0] == pytest.approx(own["p_1"].iloc[0], abs=2e-5)
